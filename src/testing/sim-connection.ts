import { assert } from '../stdx/assert.js'
import type { CloseReason, Connection, ConnectionHandlers } from '../io/network.js'
import type { SimPipe } from './sim-pipe.js'
import type { SimProcess } from './sim-process.js'

/** What an end of a stream asks of the stream. */
export interface ConnectionHost {
  /** The program closed this end at once: what is queued is lost. */
  destroyed(end: SimConnection): void
  /** This end exists no more. */
  gone(end: SimConnection): void
}

/**
 * One end of a simulated stream, as its program holds it.
 *
 * `open` until the program or the network ends it; `closing` while what is queued still goes out; `closed` from then on,
 * whether the program has been told yet or not.
 */
export class SimConnection implements Connection {
  readonly remote: string
  readonly process: SimProcess
  readonly #host: ConnectionHost
  readonly #pipes: () => { readonly out: SimPipe; readonly in: SimPipe }
  #handlers: ConnectionHandlers | undefined
  #state: 'open' | 'closing' | 'closed' = 'open'
  #reason: CloseReason | undefined

  constructor(
    process: SimProcess,
    remote: string,
    host: ConnectionHost,
    pipes: () => { readonly out: SimPipe; readonly in: SimPipe },
  ) {
    this.process = process
    this.remote = remote
    this.#host = host
    this.#pipes = pipes
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get queuedBytes(): number {
    return this.isClosed ? 0 : this.#pipes().out.queuedBytes
  }

  start(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'a connection is started once')
    this.#handlers = handlers
    if (this.#reason !== undefined) this.#tell(this.#reason)
    else this.#pipes().in.resumeReading()
  }

  send(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open' || this.process.state === 'dead') return false
    return this.#pipes().out.send(chunks)
  }

  close(): void {
    if (this.#state !== 'open' || this.process.state === 'dead') return
    this.#state = 'closing'
    this.#pipes().out.finish()
  }

  destroy(): void {
    if (this.#state === 'closed' || this.process.state === 'dead') return
    this.#end({ kind: 'local' })
    this.#host.destroyed(this)
  }

  /** The network ends it, unless it has ended. Runs as an event of its process. */
  end(reason: CloseReason): void {
    if (this.#state !== 'closed') this.#end(reason)
  }

  /** The process died: nobody is told. */
  vanish(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#host.gone(this)
  }

  /** Whether the bytes were taken; they are not valid afterwards. */
  arrived(bytes: Uint8Array): boolean {
    // A closed socket's kernel takes the bytes and throws them away.
    if (this.#state === 'closed') return true
    if (this.#handlers === undefined) return false
    this.#handlers.data(bytes)
    return true
  }

  drained(): void {
    if (this.#state === 'open') this.#handlers?.drain()
  }

  flushed(): void {
    if (this.#state === 'closing') this.#end({ kind: 'local' })
  }

  #end(reason: CloseReason): void {
    this.#state = 'closed'
    this.#reason = reason
    this.#host.gone(this)
    if (this.#handlers !== undefined) this.#tell(reason)
  }

  #tell(reason: CloseReason): void {
    this.process.schedule(0, 'closed', () => this.#handlers?.closed(reason))
  }
}

import type { Clock, Timer } from '../../src/io/clock.js'
import type { Logger } from '../../src/io/logger.js'
import type { CloseReason, Connection, ConnectionHandlers, Endpoint, Network } from '../../src/io/network.js'
import type { Random } from '../../src/io/random.js'
import { KhazanaError } from '../../src/stdx/errors.js'

interface Due {
  readonly at: number
  readonly run: () => void
}

/** A clock that stands until it is moved. */
export class FakeClock implements Clock {
  #now = 1000
  #due: Due[] = []

  now(): number {
    return this.#now
  }

  wallTime(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): Timer {
    const due = { at: this.#now + delayMs, run }
    this.#due.push(due)
    return { cancel: () => (this.#due = this.#due.filter((each) => each !== due)) }
  }

  /** Lets time pass; what falls due happens at its time, in order, each with all that follows from it. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await settle()
    for (;;) {
      const next = this.#due.filter((each) => each.at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#now = Math.max(this.#now, next.at)
      this.#due = this.#due.filter((each) => each !== next)
      next.run()
      await settle()
    }
    this.#now = until
    await settle()
  }

  /**
   * The process stands still: time passes, and what was due meanwhile happens at once in the end, before anything that
   * has arrived is read.
   */
  freeze(ms: number): void {
    this.#now += ms
    const due = this.#due.filter((each) => each.at <= this.#now).sort((a, b) => a.at - b.at)
    this.#due = this.#due.filter((each) => each.at > this.#now)
    for (const { run } of due) run()
  }
}

/** Waits until nothing more happens by itself. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** One end of a link between two. */
class FakeConnection implements Connection {
  readonly remote = 'fake'
  queuedBytes = 0
  other: FakeConnection | undefined
  #handlers: ConnectionHandlers | undefined
  #early: Uint8Array[] = []
  readonly #pipe: FakePipe
  #closed = false

  constructor(pipe: FakePipe) {
    this.#pipe = pipe
  }

  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
    const early = this.#early
    this.#early = []
    for (const chunk of early) queueMicrotask(() => this.arrive(chunk))
  }

  send(chunks: readonly Uint8Array[]): boolean {
    if (!this.#closed) this.#pipe.carry(this, chunks)
    return true
  }

  close(): void {
    const { other } = this
    setImmediate(() => {
      other?.closedBy({ kind: 'ended' })
      this.closedBy({ kind: 'local' })
    })
  }

  destroy(): void {
    const { other } = this
    if (this.#closed) return
    setImmediate(() => other?.closedBy({ kind: 'reset', cause: 'destroyed' }))
    this.closedBy({ kind: 'local' })
  }

  arrive(bytes: Uint8Array): void {
    if (this.#closed) return
    if (this.#handlers === undefined) {
      this.#early.push(bytes.slice())
      return
    }
    const chunk = bytes.slice()
    this.#handlers.data(chunk)
    // Valid only during the call.
    chunk.fill(0xdd)
  }

  closedBy(reason: CloseReason): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.closed(reason)
  }
}

/** A connection of the fake network, under the test's hand. */
export class FakePipe {
  readonly dialing: FakeConnection
  readonly accepting: FakeConnection
  /** Bytes carried so far. */
  bytes = 0
  /** Bytes that it still carries; then it is silent. */
  #budget = Infinity
  #chunkBytes = Infinity

  constructor() {
    this.dialing = new FakeConnection(this)
    this.accepting = new FakeConnection(this)
    this.dialing.other = this.accepting
    this.accepting.other = this.dialing
  }

  /** Delivers in pieces of this size. */
  cutInto(chunkBytes: number): void {
    this.#chunkBytes = chunkBytes
  }

  /** Carries so many more bytes, also a part of a frame, and then nothing: neither side is told. */
  muteAfter(bytes: number): void {
    this.#budget = bytes
  }

  carry(from: FakeConnection, chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      for (let offset = 0; offset < chunk.length; offset += this.#chunkBytes) {
        const piece = chunk.subarray(offset, Math.min(offset + this.#chunkBytes, offset + this.#budget))
        if (piece.length === 0) return
        this.#budget -= piece.length
        this.bytes += piece.length
        setImmediate(() => from.other?.arrive(piece))
      }
    }
  }

  /** The link fails: both sides are told nothing of each other. */
  reset(): void {
    const reason: CloseReason = { kind: 'reset', cause: 'link failed' }
    this.dialing.closedBy(reason)
    this.accepting.closedBy(reason)
  }

  /** The dialing process dies; its kernel says so. */
  killDialer(): void {
    this.accepting.closedBy({ kind: 'ended' })
    this.dialing.closedBy({ kind: 'local' })
  }
}

/** A network with one listener. */
export class FakeNetwork implements Network {
  readonly pipes: FakePipe[] = []
  isUp = true
  accept: ((connection: Connection) => void) | undefined
  /** What is done to each new connection first. */
  prepare: (pipe: FakePipe) => void = () => undefined

  get last(): FakePipe {
    const pipe = this.pipes.at(-1)
    if (pipe === undefined) throw new Error('nobody has connected')
    return pipe
  }

  listen(): Promise<never> {
    return Promise.reject(new Error('the test accepts'))
  }

  connect(endpoint: Endpoint): Promise<Connection> {
    if (!this.isUp || this.accept === undefined) {
      return Promise.reject(new KhazanaError('unreachable', `nobody at ${endpoint.kind}`))
    }
    const pipe = new FakePipe()
    this.pipes.push(pipe)
    this.prepare(pipe)
    this.accept(pipe.accepting)
    return Promise.resolve(pipe.dialing)
  }
}

export function fakeRandom(): Random {
  let state = 1
  const uint32 = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0)
  return { uint32, bytes: (length) => Uint8Array.from({ length }, uint32) }
}

export interface LogEntry {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export function recordingLogger(entries: LogEntry[]): Logger {
  return { log: (level, message, fields) => entries.push({ level, message, fields: fields ?? {} }) }
}

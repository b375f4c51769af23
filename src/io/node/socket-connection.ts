import type { Socket } from 'node:net'
import { assert } from '../../stdx/assert.js'
import type { CloseReason, Connection, ConnectionHandlers, Endpoint } from '../network.js'

/** Queued bytes above which `send` says so. */
const queueBytesHigh = 1024 * 1024
/** How long a closed connection waits for the other side to close too. */
const lingerMs = 2000

const vanished: CloseReason = { kind: 'reset', cause: 'closed' }

/** Where a socket that reads into a buffer of its own puts what it has read. */
export interface ReadSink {
  current: (chunk: Uint8Array) => void
}

export interface SocketConnectionOptions {
  readonly kind: Endpoint['kind']
  readonly remote: string
  /** Undefined where the socket was accepted. */
  readonly sink: ReadSink | undefined
}

/**
 * A connection over a socket of the runtime. The socket is paused until `start`. With a `sink`, the socket reads into
 * one buffer again and again; sockets that were accepted cannot, and allocate for each read.
 */
export class SocketConnection implements Connection {
  readonly remote: string
  readonly #socket: Socket
  readonly #sink: ReadSink | undefined
  readonly #isUnix: boolean
  #handlers: ConnectionHandlers | undefined
  /** Why it will have ended, once it has. */
  #reason: CloseReason | undefined
  #isClosed = false
  #isBlocked = false

  constructor(socket: Socket, options: SocketConnectionOptions) {
    this.remote = options.remote
    this.#socket = socket
    this.#sink = options.sink
    this.#isUnix = options.kind === 'unix'
    socket.on('error', (error: NodeJS.ErrnoException) => this.#failed(error))
    socket.on('close', () => this.#close(this.#reason ?? vanished))
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  start(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'a connection is started once')
    this.#handlers = handlers
    const socket = this.#socket
    if (this.#sink !== undefined) this.#sink.current = (chunk) => this.#data(chunk)
    else socket.on('data', (chunk) => this.#data(chunk))
    socket.on('end', () => this.#ended())
    socket.on('drain', () => this.#drained())
    socket.resume()
    if (this.#isClosed) queueMicrotask(() => handlers.closed(this.#reason ?? vanished))
  }

  send(chunks: readonly Uint8Array[]): boolean {
    const socket = this.#socket
    if (this.#reason !== undefined || socket.destroyed) return true
    const [only] = chunks
    if (chunks.length === 1 && only !== undefined) socket.write(only)
    else {
      socket.cork()
      for (const chunk of chunks) socket.write(chunk)
      socket.uncork()
    }
    this.#isBlocked = socket.writableLength > queueBytesHigh
    return !this.#isBlocked
  }

  close(): void {
    if (this.#reason !== undefined) return
    this.#reason = { kind: 'local' }
    // To go on reading until the other side has closed: the kernel answers unread bytes with a reset, and a reset can
    // overtake what was sent last.
    this.#socket.end()
    const linger = setTimeout(() => this.#socket.destroy(), lingerMs)
    linger.unref()
    this.#socket.once('close', () => clearTimeout(linger))
  }

  destroy(): void {
    this.#reason ??= { kind: 'local' }
    // A peer must be able to tell this from an orderly end; unix sockets know no reset.
    if (this.#isUnix) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  #data(chunk: Uint8Array): void {
    if (this.#reason === undefined) this.#handlers?.data(chunk)
  }

  #drained(): void {
    if (!this.#isBlocked || this.#reason !== undefined) return
    this.#isBlocked = false
    this.#handlers?.drain()
  }

  /** The peer has closed: nobody reads what is still queued. */
  #ended(): void {
    if (this.#reason !== undefined) return
    this.#reason = { kind: 'ended' }
    this.#socket.destroy()
    this.#close(this.#reason)
  }

  /** No link lies between the ends of a unix socket: whatever breaks it, the peer has closed it or died. */
  #failed(error: NodeJS.ErrnoException): void {
    this.#reason ??= this.#isUnix ? { kind: 'ended' } : { kind: 'reset', cause: error.code ?? error.message }
  }

  #close(reason: CloseReason): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reason = reason
    this.#handlers?.closed(reason)
  }
}

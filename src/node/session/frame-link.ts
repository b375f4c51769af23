import type { CloseReason, Connection } from '../../io/network.js'
import { KhazanaError } from '../../stdx/errors.js'
import { FrameReader, type Frame } from '../../wire/frame-reader.js'
import type { EncodedFrame } from '../../wire/frame-writer.js'

/** What is written at once: the peer reads the first of much while the last is being made. */
const batchBytesMax = 256 * 1024

/** Who listens to a link at the moment. */
export interface LinkReceiver {
  /** Bytes have arrived; called before what they hold is. */
  heard(): void
  /** May throw `protocol-error`, which then goes to `failed`. */
  frame(frame: Frame): void
  /** What arrived is not what a peer may say. Nothing more is received. */
  failed(error: KhazanaError): void
  /** Exactly once, and last; not after `detach`. */
  closed(reason: CloseReason): void
}

export interface FrameLinkOptions {
  readonly allocate: (bytes: number) => Uint8Array
  readonly frameBytesMax: number
}

/**
 * A connection that carries frames. What is sent in one turn of the event loop goes out as one write: small frames then
 * share a packet and a system call.
 */
export class FrameLink {
  readonly #connection: Connection
  readonly #reader: FrameReader
  /** Made once: it is queued in every turn that sends. */
  readonly #flushLater = (): void => this.#flush()
  #receiver: LinkReceiver | undefined
  #chunks: Uint8Array[] = []
  #pendingBytes = 0
  /** Whether the last chunk is a head, which an adjacent head may join. */
  #endsInHead = false
  #closed = false
  /** Who waits for `close`. */
  #whenClosed: (() => void) | undefined

  constructor(connection: Connection, options: FrameLinkOptions) {
    this.#connection = connection
    this.#reader = new FrameReader({
      allocate: options.allocate,
      frameBytesMax: options.frameBytesMax,
      receive: (frame) => this.#receiver?.frame(frame),
    })
  }

  /** For people. */
  get remote(): string {
    return this.#connection.remote
  }

  /** Bytes that wait to be taken by the operating system. */
  get queuedBytes(): number {
    return this.#connection.queuedBytes
  }

  start(receiver: LinkReceiver): void {
    this.#receiver = receiver
    this.#connection.start({
      data: (chunk) => this.#data(chunk),
      drain: () => undefined,
      closed: (reason) => this.#ended(reason),
    })
  }

  /** The next frame goes to another receiver, also one out of the chunk that is being read. */
  handTo(receiver: LinkReceiver, frameBytesMax: number): void {
    this.#receiver = receiver
    this.#reader.frameBytesMax = frameBytesMax
  }

  /** Ignored once closed: what matters is sent again on the next connection. */
  send(frame: EncodedFrame): void {
    if (this.#closed || this.#whenClosed !== undefined) return
    if (this.#chunks.length === 0) queueMicrotask(this.#flushLater)
    this.#pushHead(frame.head)
    for (const page of frame.pages) this.#chunks.push(page)
    if (frame.pages.length > 0) this.#endsInHead = false
    this.#pendingBytes += frame.bytes
    if (this.#pendingBytes >= batchBytesMax) this.#flush()
  }

  /** Nothing is received any more; what was sent still leaves. Resolves once the connection is closed, or destroyed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) {
        resolve()
        return
      }
      this.#flush()
      this.#detach(resolve)
      this.#connection.close()
    })
  }

  /** Nothing is received any more, and what is queued is lost. */
  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    const closed = this.#whenClosed
    this.#detach(undefined)
    this.#chunks = []
    this.#connection.destroy()
    closed?.()
  }

  #detach(whenClosed: (() => void) | undefined): void {
    this.#reader.stop()
    this.#receiver = undefined
    this.#whenClosed = whenClosed
  }

  #data(chunk: Uint8Array): void {
    this.#receiver?.heard()
    try {
      this.#reader.push(chunk)
    } catch (reason) {
      if (!isPeersFault(reason)) throw reason
      this.#reader.stop()
      this.#receiver?.failed(reason)
    }
  }

  #ended(reason: CloseReason): void {
    this.#closed = true
    this.#chunks = []
    this.#receiver?.closed(reason)
    this.#whenClosed?.()
  }

  /** Joins heads that lie side by side, so that a burst of small messages is one chunk. */
  #pushHead(head: Uint8Array): void {
    const last = this.#endsInHead ? this.#chunks.at(-1) : undefined
    if (last?.buffer === head.buffer && last.byteOffset + last.length === head.byteOffset) {
      this.#chunks[this.#chunks.length - 1] = new Uint8Array(
        head.buffer,
        last.byteOffset,
        last.length + head.length,
      )
      return
    }
    this.#chunks.push(head)
    this.#endsInHead = true
  }

  #flush(): void {
    if (this.#chunks.length === 0) return
    const chunks = this.#chunks
    this.#chunks = []
    this.#pendingBytes = 0
    this.#endsInHead = false
    this.#connection.send(chunks)
  }
}

function isPeersFault(reason: unknown): reason is KhazanaError {
  return (
    reason instanceof KhazanaError && (reason.code === 'protocol-error' || reason.code === 'wrong-version')
  )
}

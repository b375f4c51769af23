import { assert } from '../stdx/assert.js'
import { ByteReader, malformed } from './byte-reader.js'
import { frameMark, payloadLogMax, payloadLogMin, preludeBytes, zeroPageMark } from './frame.js'
import { headerBytesMax } from './limits.js'
import { message as messageLayout } from './message-layout.js'
import type { Message } from './message.js'
import { isSequenced, payloadCount } from './payloads.js'
import { zeroPage } from '../stdx/zero-page.js'

/** A frame as it arrived. */
export interface Frame {
  readonly message: Message
  /** The receiver's own, but for `zeroPage`. */
  readonly pages: readonly Uint8Array[]
  /** The message's number in the session's stream; 0 outside of it. */
  readonly sequence: number
  readonly acknowledged: number
  /** Of the whole frame. */
  readonly bytes: number
}

export interface FrameReaderOptions {
  /** Makes the buffer for one page; its contents are overwritten. */
  readonly allocate: (bytes: number) => Uint8Array
  readonly receive: (frame: Frame) => void
  /** The longest frame taken; `frameBytesMax` can be raised later. */
  readonly frameBytesMax: number
}

/** What of a frame is known before its pages. */
interface OpenFrame {
  readonly message: Message
  readonly sequence: number
  readonly acknowledged: number
  readonly bytes: number
  readonly logs: Uint8Array
  readonly pages: Uint8Array[]
}

/** A head up to this long keeps its buffer for the next one. */
const keptHeadBytesMax = 64 * 1024

/**
 * Takes frames out of a stream of chunks of any length. A page's bytes are copied once, from the chunk into the page's
 * own buffer, which is made when its first byte is there. Heads that lie in one chunk are decoded where they lie. Until
 * a frame is complete it takes no more memory than what has arrived of it, one page, and its head.
 */
export class FrameReader {
  readonly #options: FrameReaderOptions
  readonly #reader = new ByteReader()
  #frameBytesMax: number
  #stopped = false
  // The head that did not lie in one chunk: what has arrived of it, and how long it is, 0 while unknown.
  #head = new Uint8Array(256)
  #headFilled = 0
  #headBytes = 0
  // The frame whose pages are arriving; the last of them is filled up to here.
  #open: OpenFrame | undefined
  #page: Uint8Array | undefined
  #pageFilled = 0

  constructor(options: FrameReaderOptions) {
    this.#options = options
    this.#frameBytesMax = options.frameBytesMax
  }

  set frameBytesMax(bytes: number) {
    this.#frameBytesMax = bytes
  }

  /** No frame is received any more, not even out of the chunk that is being read. */
  stop(): void {
    this.#stopped = true
    this.#open = undefined
    this.#page = undefined
  }

  /**
   * Reads on. The chunk is not kept. Throws `protocol-error` (`wrong-version` for the first message of another
   * version), after which it must not be called any more.
   */
  push(chunk: Uint8Array): void {
    let offset = 0
    while (offset < chunk.length && !this.#stopped) {
      offset =
        this.#open === undefined ? this.#takeHead(chunk, offset) : this.#takePage(chunk, offset, this.#open)
    }
  }

  #takeHead(chunk: Uint8Array, offset: number): number {
    const available = chunk.length - offset
    if (this.#headFilled === 0 && available >= preludeBytes) {
      const bytes = this.#headLength(chunk, offset)
      if (bytes <= available) {
        this.#openFrame(chunk, offset)
        return offset + bytes
      }
    }
    return this.#gatherHead(chunk, offset)
  }

  #gatherHead(chunk: Uint8Array, offset: number): number {
    const wanted = this.#headBytes === 0 ? preludeBytes : this.#headBytes
    const taken = Math.min(wanted - this.#headFilled, chunk.length - offset)
    this.#head.set(chunk.subarray(offset, offset + taken), this.#headFilled)
    this.#headFilled += taken
    if (this.#headFilled === wanted) this.#gathered()
    return offset + taken
  }

  #gathered(): void {
    if (this.#headBytes === 0) {
      this.#headBytes = this.#headLength(this.#head, 0)
      if (this.#headBytes > this.#head.length) this.#replaceHead(this.#headBytes)
      return
    }
    this.#headFilled = 0
    this.#headBytes = 0
    this.#openFrame(this.#head, 0)
    if (this.#head.length > keptHeadBytesMax) this.#replaceHead(keptHeadBytesMax)
  }

  #replaceHead(bytes: number): void {
    const head = new Uint8Array(bytes)
    head.set(this.#head.subarray(0, this.#headFilled))
    this.#head = head
  }

  /** Bytes of prelude, message and page table. */
  #headLength(bytes: Uint8Array, at: number): number {
    if (u16(bytes, at) !== frameMark) throw malformed('not the beginning of a frame')
    const pageCount = u16(bytes, at + 2)
    const frameBytes = u32(bytes, at + 4)
    const messageBytes = u32(bytes, at + 8)
    if (frameBytes > this.#frameBytesMax) {
      throw malformed(`a frame of ${frameBytes} bytes, where ${this.#frameBytesMax} are the most`)
    }
    if (messageBytes > headerBytesMax) throw malformed(`a message of ${messageBytes} bytes without its pages`)
    const headBytes = preludeBytes + messageBytes + pageCount
    if (headBytes > frameBytes) {
      throw malformed('a frame is shorter than its parts')
    }
    return headBytes
  }

  #openFrame(bytes: Uint8Array, at: number): void {
    const pageCount = u16(bytes, at + 2)
    const frameBytes = u32(bytes, at + 4)
    const tableAt = at + preludeBytes + u32(bytes, at + 8)
    const sequence = u48(bytes, at + 12)
    const acknowledged = u48(bytes, at + 18)
    this.#reader.open(bytes, at + preludeBytes, tableAt)
    const message = messageLayout.read(this.#reader)
    if (this.#reader.remaining > 0) throw malformed(`${this.#reader.remaining} bytes are left of a message`)
    if (isSequenced(message) !== sequence > 0)
      throw malformed(`"${message.kind}" with the number ${sequence}`)
    if (payloadCount(message) !== pageCount)
      throw malformed('a frame carries other pages than its message names')
    const payloadBytes = frameBytes - (tableAt + pageCount - at)
    if (payloadBytesOf(bytes, tableAt, pageCount) !== payloadBytes) {
      throw malformed('the length of a frame is not the sum of its parts')
    }
    if (pageCount === 0) {
      this.#options.receive({ message, pages: [], sequence, acknowledged, bytes: frameBytes })
      return
    }
    const logs = bytes.slice(tableAt, tableAt + pageCount)
    this.#open = { message, sequence, acknowledged, bytes: frameBytes, logs, pages: [] }
    this.#goOn(this.#open)
  }

  /** The next page is one whose bytes are to arrive, or the frame is whole. */
  #goOn(open: OpenFrame): void {
    for (;;) {
      const log = open.logs[open.pages.length]
      if (log === undefined) {
        this.#open = undefined
        this.#options.receive(open)
        return
      }
      if ((log & zeroPageMark) === 0) return
      open.pages.push(zeroPage(2 ** (log & ~zeroPageMark)))
    }
  }

  #takePage(chunk: Uint8Array, offset: number, open: OpenFrame): number {
    const page = this.#page ?? this.#allocate(2 ** (open.logs[open.pages.length] ?? 0))
    const taken = Math.min(page.length - this.#pageFilled, chunk.length - offset)
    page.set(chunk.subarray(offset, offset + taken), this.#pageFilled)
    this.#pageFilled += taken
    if (this.#pageFilled < page.length) {
      this.#page = page
      return offset + taken
    }
    this.#page = undefined
    this.#pageFilled = 0
    open.pages.push(page)
    this.#goOn(open)
    return offset + taken
  }

  #allocate(bytes: number): Uint8Array {
    const page = this.#options.allocate(bytes)
    assert(page.length === bytes, 'a page buffer is as long as was asked')
    return page
  }
}

/** The sizes of the pages whose bytes are sent, added up. */
function payloadBytesOf(bytes: Uint8Array, at: number, pageCount: number): number {
  let sum = 0
  for (let index = at; index < at + pageCount; index++) {
    const log = (bytes[index] ?? 0) & ~zeroPageMark
    if (log < payloadLogMin || log > payloadLogMax) throw malformed(`a page of 2^${log} bytes`)
    if (log === bytes[index]) sum += 2 ** log
  }
  return sum
}

// By hand: the bytes lie in memory of others, and a `DataView` for each chunk costs more than this.

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) + u16(bytes, at + 2) * 2 ** 16
}

function u48(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) + u16(bytes, at + 4) * 2 ** 32
}

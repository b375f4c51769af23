import { assert } from '../stdx/assert.js'
import { isZeroPage } from '../stdx/zero-page.js'

/**
 * Page buffers that are used again: a new 4 KiB Uint8Array costs some 2 us on Node (its memory is fetched and zeroed
 * outside the JavaScript heap), more than copying a page into it. Whoever gives a buffer must be its only owner.
 */
export class BufferPool {
  #freeBytesMax: number
  readonly #free = new Map<number, Uint8Array[]>()
  #freeBytes = 0

  /** At most `freeBytesMax` bytes lie unused; what is given above that goes to the garbage collector. */
  constructor(freeBytesMax: number) {
    this.#freeBytesMax = freeBytesMax
  }

  /** Changes the bound; where more lies unused, all of it goes. */
  resize(freeBytesMax: number): void {
    this.#freeBytesMax = freeBytesMax
    if (this.#freeBytes <= freeBytesMax) return
    this.#free.clear()
    this.#freeBytes = 0
  }

  get freeBytes(): number {
    return this.#freeBytes
  }

  /** A buffer of this length. Its content is undefined: what somebody else left there must not be shown. */
  take(bytes: number): Uint8Array {
    const buffer = this.#free.get(bytes)?.pop()
    if (buffer === undefined) return new Uint8Array(bytes)
    this.#freeBytes -= bytes
    return buffer
  }

  give(buffer: Uint8Array): void {
    const bytes = buffer.length
    assert(buffer.buffer.byteLength === bytes, 'a pooled buffer is no view into a larger one')
    if (this.#freeBytes + bytes > this.#freeBytesMax || isZeroPage(buffer)) return
    const free = this.#free.get(bytes)
    if (free === undefined) this.#free.set(bytes, [buffer])
    else free.push(buffer)
    this.#freeBytes += bytes
  }
}

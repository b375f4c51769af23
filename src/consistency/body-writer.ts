import { assert } from '../stdx/assert.js'

/** Bytes to begin with: most messages of managers are shorter. */
const bytesAtFirst = 64

/**
 * Writes the body of a manager's message: whole numbers and texts, one after the other. For codecs of protocols; what it
 * writes a `BodyReader` reads.
 */
export class BodyWriter {
  #bytes = new Uint8Array(bytesAtFirst)
  #length = 0

  /** What was written. The writer is not to be used any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  /** A whole number from 0 to 2^53 - 1, in 1 to 8 bytes: seven bits each, lowest first. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'only safe whole numbers are written')
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  /** How many, then each. */
  varints(values: readonly number[]): void {
    this.varint(values.length)
    for (const value of values) this.varint(value)
  }

  /** Its length in UTF-8 bytes, then the bytes. */
  text(value: string): void {
    const bytes = new TextEncoder().encode(value)
    this.varint(bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return
    const larger = new Uint8Array(2 * (this.#length + length))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

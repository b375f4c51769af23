import { writeAddress, type Address } from '../address/address.js'
import { assert } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { headerBytesMax } from './limits.js'

/**
 * Appends values to a slab of memory. Each run of bytes from `begin` to `finish` is handed out as a view of the slab,
 * never written again, so that encoding neither copies nor allocates more than the view. A full slab is replaced, and
 * lives for as long as somebody keeps one of its runs. The rejected alternative, one scratch buffer that is copied out
 * of, costs a copy and an `ArrayBuffer` for each message.
 */
export class ByteWriter {
  readonly #slabBytes: number
  #bytes = new Uint8Array(0)
  #view = new DataView(this.#bytes.buffer)
  #start = 0
  #offset = 0
  // The last address written: most messages of a while are about one region.
  #address: Address | undefined
  readonly #addressView = new DataView(new ArrayBuffer(16))
  readonly #addressBytes = new Uint8Array(this.#addressView.buffer)
  readonly #numberView = new DataView(new ArrayBuffer(8))
  readonly #numberBytes = new Uint8Array(this.#numberView.buffer)
  readonly #encoder = new TextEncoder()

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes
  }

  /** Starts a run; one that was not finished is forgotten. */
  begin(): void {
    this.#offset = this.#start
  }

  /** Bytes written since `begin`. */
  get length(): number {
    return this.#offset - this.#start
  }

  /** The run. */
  finish(): Uint8Array {
    const run = this.#bytes.subarray(this.#start, this.#offset)
    this.#start = this.#offset
    return run
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#offset++] = value
  }

  /** A whole number from 0 to 2^53 - 1, in 1 to 8 bytes: seven bits each, lowest first. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'only safe whole numbers are written')
    this.#reserve(8)
    let rest = value
    while (rest > 0x7fffffff) {
      this.#bytes[this.#offset++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      this.#bytes[this.#offset++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#offset++] = rest
  }

  float(value: number): void {
    this.#numberView.setFloat64(0, value)
    this.bytes(this.#numberBytes)
  }

  address(value: Address): void {
    if (value !== this.#address) {
      writeAddress(this.#addressView, 0, value)
      this.#address = value
    }
    this.bytes(this.#addressBytes)
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#offset)
    this.#offset += value.length
  }

  /** Its length in UTF-8 bytes, then the bytes. Throws `invalid-argument` over `bytesMax`. */
  text(value: string, bytesMax: number): void {
    if (this.#asciiText(value, bytesMax)) return
    const bytes = this.#encoder.encode(value)
    if (bytes.length > bytesMax) {
      throw new KhazanaError(
        'invalid-argument',
        `a text of ${bytes.length} bytes, where ${bytesMax} are the most`,
      )
    }
    this.varint(bytes.length)
    this.bytes(bytes)
  }

  /** Puts `length` bytes of zeros, to be filled by the `patch` methods: little-endian, their place counted from `begin`. */
  skip(length: number): void {
    this.#reserve(length)
    this.#bytes.fill(0, this.#offset, this.#offset + length)
    this.#offset += length
  }

  patchU16(at: number, value: number): void {
    assert(value <= 0xffff, 'a patched number fits its field')
    this.#view.setUint16(this.#start + at, value, true)
  }

  patchU32(at: number, value: number): void {
    assert(value <= 0xffffffff, 'a patched number fits its field')
    this.#view.setUint32(this.#start + at, value, true)
  }

  patchU48(at: number, value: number): void {
    assert(value < 2 ** 48, 'a patched number fits its field')
    this.#view.setUint32(this.#start + at, value % 2 ** 32, true)
    this.#view.setUint16(this.#start + at + 4, Math.floor(value / 2 ** 32), true)
  }

  /** Most texts are short and plain: a loop beats the encoder's call. */
  #asciiText(value: string, bytesMax: number): boolean {
    const length = value.length
    if (length > 0x7f || length > bytesMax) return false
    this.#reserve(length + 1)
    const at = this.#offset + 1
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) return false
      this.#bytes[at + index] = unit
    }
    this.#bytes[this.#offset] = length
    this.#offset = at + length
    return true
  }

  #reserve(length: number): void {
    if (this.#offset + length > this.#bytes.length) this.#grow(length)
  }

  #grow(length: number): void {
    const used = this.length
    if (used + length > headerBytesMax * 2) {
      throw new KhazanaError(
        'invalid-argument',
        `a message of more than ${headerBytesMax} bytes without its pages`,
      )
    }
    const bytes = new Uint8Array(Math.max(this.#slabBytes, 2 * (used + length)))
    bytes.set(this.#bytes.subarray(this.#start, this.#offset))
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
    this.#start = 0
    this.#offset = used
  }
}

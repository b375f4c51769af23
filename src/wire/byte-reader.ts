import { readAddress, type Address } from '../address/address.js'
import { KhazanaError } from '../stdx/errors.js'

const lengthOfVarintMax = 8

/** Texts up to this length are worth a loop of their own. */
const plainTextMax = 32

/**
 * Takes values out of a run of bytes, from front to back. Everything it does is total: it gives a value, or throws
 * `protocol-error`; it never reads beyond the end, and never allocates more than the run is long.
 */
export class ByteReader {
  #bytes = new Uint8Array(0)
  #offset = 0
  #end = 0
  // The last address read: most messages of a while are about one region.
  #address: Address | undefined
  readonly #addressView = new DataView(new ArrayBuffer(16))
  readonly #addressBytes = new Uint8Array(this.#addressView.buffer)
  readonly #numberView = new DataView(new ArrayBuffer(8))
  readonly #numberBytes = new Uint8Array(this.#numberView.buffer)
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  /** Reads `bytes` from `start` to `end`; they must not change until read. */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes as Uint8Array<ArrayBuffer>
    this.#offset = start
    this.#end = end
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#offset
  }

  u8(): number {
    this.#need(1)
    return this.#bytes[this.#offset++] ?? 0
  }

  /** A whole number from 0 to 2^53 - 1, in its shortest form. */
  varint(): number {
    const first = this.u8()
    if (first < 0x80) return first
    let value = first & 0x7f
    let scale = 0x80
    for (let count = 2; count <= lengthOfVarintMax; count++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 || value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 0x80
    }
    throw malformed('a number is not in its shortest form, or over 2^53')
  }

  float(): number {
    this.#take(this.#numberBytes)
    return this.#numberView.getFloat64(0)
  }

  address(): Address {
    this.#need(16)
    const bytes = this.#bytes
    const last = this.#addressBytes
    let same = this.#address !== undefined
    for (let index = 0; index < 16; index++) {
      const byte = bytes[this.#offset + index] ?? 0
      if (last[index] !== byte) {
        last[index] = byte
        same = false
      }
    }
    this.#offset += 16
    if (same && this.#address !== undefined) return this.#address
    this.#address = readAddress(this.#addressView, 0)
    return this.#address
  }

  text(bytesMax: number): string {
    const length = this.varint()
    if (length > bytesMax) throw malformed(`a text of ${length} bytes, where ${bytesMax} are the most`)
    this.#need(length)
    const start = this.#offset
    this.#offset += length
    return this.#plainText(start, length) ?? this.#decode(start, length)
  }

  #plainText(start: number, length: number): string | undefined {
    if (length > plainTextMax) return undefined
    let text = ''
    for (let index = start; index < start + length; index++) {
      const byte = this.#bytes[index] ?? 0
      if (byte > 0x7f) return undefined
      text += String.fromCharCode(byte)
    }
    return text
  }

  #decode(start: number, length: number): string {
    try {
      return this.#decoder.decode(this.#bytes.subarray(start, start + length))
    } catch (cause) {
      throw new KhazanaError('protocol-error', 'a text is not UTF-8', { cause })
    }
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    this.#need(length)
    const start = this.#offset
    this.#offset += length
    return this.#bytes.slice(start, start + length)
  }

  #take(into: Uint8Array): void {
    this.#need(into.length)
    for (let index = 0; index < into.length; index++) into[index] = this.#bytes[this.#offset + index] ?? 0
    this.#offset += into.length
  }

  #need(length: number): void {
    if (length > this.#end - this.#offset) throw malformed('the message ends too early')
  }
}

export function malformed(message: string): KhazanaError {
  return new KhazanaError('protocol-error', message)
}

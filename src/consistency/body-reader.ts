import { KhazanaError } from '../stdx/errors.js'

const varintBytesMax = 8

/**
 * Reads the body of a manager's message, from front to back. Total: it gives a value or throws `protocol-error`, never
 * reads beyond the end, and never makes room for more than the bytes can hold.
 */
export class BodyReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  u8(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw malformed('the message ends too early')
    this.#offset += 1
    return byte
  }

  /** A whole number from 0 to 2^53 - 1, in its shortest form. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 1; count <= varintBytesMax; count++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if ((byte === 0 && count > 1) || value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 0x80
    }
    throw malformed('a number is not in its shortest form, or over 2^53')
  }

  /** A whole number up to `max`. */
  varintUpTo(max: number, what: string): number {
    const value = this.varint()
    if (value > max) throw malformed(`${what} is ${value}, where ${max} is the most`)
    return value
  }

  /** How many, then each by `read`. */
  list<T>(max: number, what: string, read: () => T): T[] {
    const count = this.varintUpTo(max, `the number of ${what}`)
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read())
    return items
  }

  text(bytesMax: number): string {
    const length = this.varintUpTo(bytesMax, 'the length of a text')
    if (length > this.#bytes.length - this.#offset) throw malformed('the message ends too early')
    const start = this.#offset
    this.#offset += length
    try {
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      return decoder.decode(this.#bytes.subarray(start, this.#offset))
    } catch (cause) {
      throw new KhazanaError('protocol-error', 'a text is not UTF-8', { cause })
    }
  }

  /** Throws where bytes are left. */
  end(): void {
    if (this.#offset < this.#bytes.length) throw malformed('bytes follow the end of the message')
  }
}

export function malformed(message: string): KhazanaError {
  return new KhazanaError('protocol-error', message)
}

import { KhazanaError } from '../../stdx/errors.js'

/** Reads the fields of a message of the kernel, one after the other: little-endian, as all machines are that we run on. */
export class FuseReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = at
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4), true)
  }

  /** A whole number below 2^53. Throws `protocol-error` for a larger one. */
  u53(): number {
    const at = this.#step(8)
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000
    if (value > Number.MAX_SAFE_INTEGER) throw new KhazanaError('protocol-error', 'a number is above 2^53')
    return value
  }

  /** The same where larger ones mean without end. */
  u53OrEnd(): number {
    const at = this.#step(8)
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000
    return Math.min(value, Number.MAX_SAFE_INTEGER)
  }

  /** A signed number whose size is below 2^53. */
  i53(): number {
    const at = this.#step(8)
    return this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 0x1_0000_0000
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#step(8), true)
  }

  skip(count: number): void {
    this.#step(count)
  }

  /** Bytes up to a byte 0, which is skipped. A copy. */
  name(): Uint8Array {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0) throw tooShort()
    const name = this.#bytes.slice(this.#at, end)
    this.#at = end + 1
    return name
  }

  /** The next bytes, where they are. */
  bytes(count: number): Uint8Array {
    const at = this.#step(count)
    return this.#bytes.subarray(at, at + count)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  #step(count: number): number {
    const at = this.#at
    if (at + count > this.#bytes.length) throw tooShort()
    this.#at += count
    return at
  }
}

function tooShort(): KhazanaError {
  return new KhazanaError('protocol-error', 'a message of the kernel is shorter than it should be')
}

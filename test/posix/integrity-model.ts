/** The bytes of one file, in memory: the plainest thing that could be right. */
export class FileModel {
  readonly #bytes: Buffer
  #size = 0

  constructor(sizeMax: number) {
    this.#bytes = Buffer.alloc(sizeMax)
  }

  get size(): number {
    return this.#size
  }

  /** What is there, to the end and no further. */
  read(offset: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(offset, Math.max(offset, Math.min(offset + length, this.#size))))
  }

  /** Writing nothing lengthens nothing. */
  write(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#bytes.set(bytes, offset)
    this.#size = Math.max(this.#size, offset + bytes.length)
  }

  /** What is cut off is zero when the file grows again. */
  resize(size: number): void {
    if (size < this.#size) this.#bytes.fill(0, size, this.#size)
    this.#size = size
  }

  /** Within the file alone. */
  zero(offset: number, length: number): void {
    this.#bytes.fill(0, offset, Math.max(offset, Math.min(offset + length, this.#size)))
  }
}

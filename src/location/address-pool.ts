import type { Address } from '../address/address.js'

/** A free part of the address space. */
export interface AddressRange {
  readonly start: bigint
  readonly size: bigint
}

/**
 * Address space that this node may reserve regions from without asking anybody (paper 3.1). Ranges are kept sorted;
 * neighbours are joined when they are given back.
 */
export class AddressPool {
  #free: AddressRange[] = []
  /** Where the last region was taken: the search goes on behind it. */
  #cursor = 0n

  /** Bytes. */
  get freeBytes(): bigint {
    return this.#free.reduce((sum, range) => sum + range.size, 0n)
  }

  /** Adds free space. It must not overlap what is free already. */
  give(start: bigint, size: bigint): void {
    const at = this.#free.findIndex((range) => range.start > start)
    const before = at < 0 ? this.#free : this.#free.slice(0, at)
    const after = at < 0 ? [] : this.#free.slice(at)
    const joined: AddressRange[] = []
    for (const range of [...before, { start, size }, ...after]) {
      const last = joined.at(-1)
      if (last !== undefined && last.start + last.size === range.start) {
        joined[joined.length - 1] = { start: last.start, size: last.size + range.size }
      } else joined.push(range)
    }
    this.#free = joined
  }

  /**
   * Takes `size` bytes that begin at a multiple of `alignment`; undefined where there are none. What was given back is
   * taken again only when all behind it was: an address that somebody still remembers should not soon mean something else.
   */
  take(size: bigint, alignment: bigint): Address | undefined {
    const start = this.#find(size, alignment, this.#cursor) ?? this.#find(size, alignment, 0n)
    if (start === undefined) return undefined
    this.#cursor = start + size
    this.#cut(start, size)
    return start as Address
  }

  #find(size: bigint, alignment: bigint, from: bigint): bigint | undefined {
    for (const range of this.#free) {
      const first = range.start > from ? range.start : from
      const start = ((first + alignment - 1n) / alignment) * alignment
      if (start + size <= range.start + range.size) return start
    }
    return undefined
  }

  /** Takes exactly this range out, where it is free; what of it is not is left alone. */
  remove(start: bigint, size: bigint): void {
    this.#cut(start, size)
  }

  #cut(start: bigint, size: bigint): void {
    const end = start + size
    const left: AddressRange[] = []
    for (const range of this.#free) {
      const rangeEnd = range.start + range.size
      if (rangeEnd <= start || range.start >= end) {
        left.push(range)
        continue
      }
      if (range.start < start) left.push({ start: range.start, size: start - range.start })
      if (rangeEnd > end) left.push({ start: end, size: rangeEnd - end })
    }
    this.#free = left
  }
}

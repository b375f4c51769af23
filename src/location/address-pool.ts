import type { Address } from '../address/address.js'
import type { AddressRange } from './ordered-ranges.js'

/**
 * The free parts of the address space that a node may reserve from (paper 3.1). Ranges are kept sorted; neighbours are
 * joined when they are given back.
 */
export class AddressPool {
  readonly #free: AddressRange[] = []
  /** Where the last region was taken: the search goes on behind it. */
  #cursor = 0n
  #freeBytes = 0n

  /** Bytes. */
  get freeBytes(): bigint {
    return this.#freeBytes
  }

  get largestFreeBytes(): bigint {
    return this.#free.reduce((largest, { size }) => (size > largest ? size : largest), 0n)
  }

  has(address: bigint): boolean {
    const range = this.#free[this.#after(address) - 1]
    return range !== undefined && address < endOf(range)
  }

  /** Adds free space. What is free already stays so, once. */
  give(start: bigint, size: bigint): void {
    if (size === 0n) return
    let from = start
    let to = start + size
    let first = this.#after(start)
    const before = this.#free[first - 1]
    if (before !== undefined && endOf(before) >= start) first -= 1
    let last = first
    for (let range = this.#free[last]; range !== undefined && range.start <= to; range = this.#free[last]) {
      if (range.start < from) from = range.start
      if (endOf(range) > to) to = endOf(range)
      this.#freeBytes -= range.size
      last += 1
    }
    this.#free.splice(first, last - first, { start: from, size: to - from })
    this.#freeBytes += to - from
  }

  /**
   * Takes `size` bytes that begin at a multiple of `alignment`; undefined where there are none. What was given back is
   * taken again only when all behind it was: an address that somebody still remembers should not soon mean something else.
   */
  take(size: bigint, alignment: bigint): Address | undefined {
    const start = this.#find(size, alignment, this.#cursor) ?? this.#find(size, alignment, 0n)
    if (start === undefined) return undefined
    this.#cursor = start + size
    this.remove(start, size)
    return start as Address
  }

  /** The same inside of one range: at its end, or else anywhere. The search for regions goes on as it was. */
  takeWithin(range: AddressRange, size: bigint, alignment: bigint): Address | undefined {
    const last = ((endOf(range) - size) / alignment) * alignment
    const start =
      last >= range.start && this.#isFree(last, size) ? last : this.#find(size, alignment, range.start)
    if (start === undefined || start + size > endOf(range)) return undefined
    this.remove(start, size)
    return start as Address
  }

  #isFree(start: bigint, size: bigint): boolean {
    const range = this.#free[this.#after(start) - 1]
    return range !== undefined && start + size <= endOf(range)
  }

  #find(size: bigint, alignment: bigint, from: bigint): bigint | undefined {
    for (let at = Math.max(0, this.#after(from) - 1); at < this.#free.length; at++) {
      const range = this.#free[at]
      if (range === undefined) break
      const first = range.start > from ? range.start : from
      const start = ((first + alignment - 1n) / alignment) * alignment
      if (start + size <= endOf(range)) return start
    }
    return undefined
  }

  /** Takes exactly this range out, where it is free; what of it is not is left alone. */
  remove(start: bigint, size: bigint): void {
    const end = start + size
    let first = this.#after(start)
    const before = this.#free[first - 1]
    if (before !== undefined && endOf(before) > start) first -= 1
    let last = first
    const left: AddressRange[] = []
    for (let range = this.#free[last]; range !== undefined && range.start < end; range = this.#free[last]) {
      if (range.start < start) left.push({ start: range.start, size: start - range.start })
      if (endOf(range) > end) left.push({ start: end, size: endOf(range) - end })
      this.#freeBytes -= range.size
      last += 1
    }
    for (const { size: bytes } of left) this.#freeBytes += bytes
    this.#free.splice(first, last - first, ...left)
  }

  /** How many begin at or before the address. */
  #after(address: bigint): number {
    let low = 0
    let high = this.#free.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#free[middle]?.start ?? 0n) <= address) low = middle + 1
      else high = middle
    }
    return low
  }
}

function endOf({ start, size }: AddressRange): bigint {
  return start + size
}

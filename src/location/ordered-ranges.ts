/** A part of the address space. */
export interface AddressRange {
  readonly start: bigint
  /** Bytes. */
  readonly size: bigint
}

/** Disjoint ranges in order of their addresses, found by any address in them. */
export class OrderedRanges<T extends AddressRange> {
  readonly #ranges: T[] = []

  get size(): number {
    return this.#ranges.length
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#ranges[Symbol.iterator]()
  }

  last(): T | undefined {
    return this.#ranges.at(-1)
  }

  /** Adds a range, in the place of one with the same start. It overlaps no other. */
  add(range: T): void {
    const at = this.#after(range.start)
    const isKnown = this.#ranges[at - 1]?.start === range.start
    this.#ranges.splice(isKnown ? at - 1 : at, isKnown ? 1 : 0, range)
  }

  remove(start: bigint): void {
    const at = this.#after(start) - 1
    if (this.#ranges[at]?.start === start) this.#ranges.splice(at, 1)
  }

  find(address: bigint): T | undefined {
    const range = this.#ranges[this.#after(address) - 1]
    return range !== undefined && address < range.start + range.size ? range : undefined
  }

  /** How many begin at or before the address. */
  #after(address: bigint): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const range = this.#ranges[middle]
      if (range === undefined) break
      if (range.start <= address) low = middle + 1
      else high = middle
    }
    return low
  }
}

import { LRUCache } from 'lru-cache'
import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'

/**
 * The region directory (paper 3.2): descriptors of regions used lately, found by any address inside them. It may be
 * stale: the home that it names then refuses, and the entry is forgotten.
 *
 * Entries are kept sorted by address and, in a second order, by their last use. The least recently used goes when
 * there are more than `entriesMax`.
 */
export class RegionDirectory {
  readonly #entries: Map<Address, RegionDescriptor> | LRUCache<Address, RegionDescriptor>
  readonly #starts: Address[] = []

  /** `entriesMax`: at least 1; `Infinity` where none is ever to go by itself. */
  constructor(entriesMax: number) {
    const dispose = (_: RegionDescriptor, start: Address, reason: LRUCache.DisposeReason): void => {
      if (reason === 'evict') this.#starts.splice(this.#after(start) - 1, 1)
    }
    this.#entries = entriesMax === Infinity ? new Map() : new LRUCache({ max: entriesMax, dispose })
  }

  get size(): number {
    return this.#entries.size
  }

  /** The descriptor of the region that holds the address. */
  find(address: Address): RegionDescriptor | undefined {
    const start = this.#starts[this.#after(address) - 1]
    const found = start === undefined ? undefined : this.#peek(start)
    if (found === undefined || address >= found.address + BigInt(found.size)) return undefined
    // A use.
    return this.#entries.get(found.address)
  }

  /** Remembers the descriptor, instead of all that overlap it; of one reservation, the newest that was heard of. */
  add(descriptor: RegionDescriptor): void {
    const before = this.#peek(descriptor.address)
    if (before?.generation === descriptor.generation && before.revision > descriptor.revision) return
    const end = descriptor.address + BigInt(descriptor.size)
    for (let at = this.#after(end as Address) - 1; at >= 0; at--) {
      const known = this.#peek(this.#starts[at] as Address)
      if (known === undefined || known.address + BigInt(known.size) <= descriptor.address) break
      if (known.address < end) this.forget(known.address)
    }
    this.#starts.splice(this.#after(descriptor.address), 0, descriptor.address)
    this.#entries.set(descriptor.address, descriptor)
  }

  forget(start: Address): void {
    if (!this.#entries.delete(start)) return
    this.#starts.splice(this.#after(start) - 1, 1)
  }

  /** Not a use. */
  #peek(start: Address): RegionDescriptor | undefined {
    const entries = this.#entries
    return entries instanceof Map ? entries.get(start) : entries.peek(start)
  }

  /** How many starts are at or before the address. */
  #after(address: Address): number {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] as Address) <= address) low = middle + 1
      else high = middle
    }
    return low
  }
}

import type { Address } from '../address/address.js'
import type { NodeId } from '../address/identity.js'
import type { PoolEntry } from '../wire/message.js'

/** Address space below this is the system's own: the address map will live there, from address 0. */
export const systemSpaceBytes = 1n << 32n

/** What a node gets at least when it asks for address space. */
export const poolBytesMin = 1n << 30n

/**
 * Which part of the address space was given to whom, sorted by address. The founder's is complete, and grows upwards:
 * nothing is given twice. Other nodes remember what they asked for.
 */
export class PoolTable {
  readonly #entries: PoolEntry[] = []

  get entries(): readonly PoolEntry[] {
    return this.#entries
  }

  /** The next entry for the node, large enough for `size` bytes; it counts once `add` has been told. */
  next(node: NodeId, size: bigint): PoolEntry {
    const last = this.#entries.at(-1)
    const start = last === undefined ? systemSpaceBytes : last.start + last.size
    const units = (size + poolBytesMin - 1n) / poolBytesMin
    return { start: start as Address, size: (units === 0n ? 1n : units) * poolBytesMin, node }
  }

  /** Adds an entry, which overlaps none but itself. */
  add(entry: PoolEntry): void {
    if (this.find(entry.start) !== undefined) return
    const at = this.#entries.findIndex((known) => known.start > entry.start)
    this.#entries.splice(at < 0 ? this.#entries.length : at, 0, entry)
  }

  find(address: Address): PoolEntry | undefined {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]
      if (entry === undefined) break
      if (address < entry.start) high = middle
      else if (address >= entry.start + entry.size) low = middle + 1
      else return entry
    }
    return undefined
  }
}

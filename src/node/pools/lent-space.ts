import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { Store } from '../../store/store.js'
import { addressKey, addressOf, decodeRecord, encodeRecord } from '../home/stored-descriptor.js'

const keyPrefix = 'lent/'
const recordFormat = 1

interface StoredRecord {
  readonly format: number
  readonly size: number
  readonly generation: number
}

interface Lent {
  readonly size: number
  readonly generation: number
}

/**
 * Address space of this node's that regions of home groups have: the regions go on without this node, and it may keep no copy of them one day, so
 * it remembers by itself that their addresses are taken.
 */
export class LentSpace {
  readonly #store: Pick<Store, 'list'>
  readonly #lent = new Map<Address, Lent>()

  constructor(store: Pick<Store, 'list'>) {
    this.#store = store
  }

  /** Reads what is lent; answers with it. Throws `bad-format`. */
  load(): readonly { readonly address: Address; readonly size: number }[] {
    for (const [key, value] of this.#store.list(keyPrefix)) {
      const { size, generation } = decodeRecord(key, value, recordFormat) as StoredRecord
      this.#lent.set(addressOf(keyPrefix, key), { size, generation })
    }
    return [...this.#lent].map(([address, { size }]) => ({ address, size }))
  }

  inRange(start: Address, size: bigint): { address: Address; size: number; generation: number }[] {
    return [...this.#lent]
      .filter(([address]) => address >= start && address < start + size)
      .map(([address, lent]) => ({ address, ...lent }))
  }

  /** What makes it durable: to be part of the commit that begins the region. */
  put({ address, size, generation }: RegionDescriptor): MetadataPut {
    return {
      key: addressKey(keyPrefix, address),
      value: encodeRecord({ format: recordFormat, size, generation }),
    }
  }

  /** The key to be deleted with the region. */
  keyOf(address: Address): string {
    return addressKey(keyPrefix, address)
  }

  /** That is durable, or may be. */
  begin({ address, size, generation }: RegionDescriptor): void {
    this.#lent.set(address, { size, generation })
  }

  /** The region that begins there has ended, and the key is deleted. */
  end(address: Address): void {
    this.#lent.delete(address)
  }

  /** The size of the region that begins there under that reservation. */
  sizeOf(address: Address, generation: number): number | undefined {
    const lent = this.#lent.get(address)
    return lent?.generation === generation ? lent.size : undefined
  }

  /** Whether a region of a home group has the address, whoever is its home. */
  has(address: Address): boolean {
    for (const [start, { size }] of this.#lent)
      if (address >= start && address < start + BigInt(size)) return true
    return false
  }
}

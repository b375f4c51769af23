import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import { nodeId } from '../../address/identity.js'
import { RegionDirectory } from '../../location/region-directory.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { Store } from '../../store/store.js'
import {
  addressKey,
  addressOf,
  decodeRecord,
  descriptorFrom,
  encodeRecord,
  storedDescriptor,
} from '../home/stored-descriptor.js'
import type { StoredDescriptor } from '../home/stored-descriptor.js'

const keyPrefix = 'lent/'
const recordFormat = 1

interface StoredRecord extends StoredDescriptor {
  readonly format: number
  readonly home: number
}

/**
 * Address space of this node's that regions of home groups have: the regions go on without this node, and it may keep no copy of them one day, so
 * it remembers by itself that their addresses are taken. What it remembers of a region is as it was when it was reserved.
 */
export class LentSpace {
  readonly #store: Pick<Store, 'list'>
  readonly #lent = new Map<Address, RegionDescriptor>()
  readonly #directory = new RegionDirectory(Infinity)

  constructor(store: Pick<Store, 'list'>) {
    this.#store = store
  }

  /** Reads what is lent. Throws `bad-format`. */
  load(): void {
    for (const [key, value] of this.#store.list(keyPrefix)) {
      const { home, ...stored } = decodeRecord(key, value, recordFormat) as StoredRecord
      this.begin(descriptorFrom(addressOf(keyPrefix, key), nodeId(home), stored))
    }
  }

  all(): Iterable<RegionDescriptor> {
    return this.#lent.values()
  }

  inRange(start: Address, size: bigint): RegionDescriptor[] {
    return [...this.#lent.values()].filter(({ address }) => address >= start && address < start + size)
  }

  /** What makes it durable: to be part of the commit that begins the region. */
  put(descriptor: RegionDescriptor): MetadataPut {
    const { address, home } = descriptor
    const record = { format: recordFormat, ...storedDescriptor(descriptor), home }
    return { key: addressKey(keyPrefix, address), value: encodeRecord(record) }
  }

  /** The key to be deleted with the region. */
  keyOf(address: Address): string {
    return addressKey(keyPrefix, address)
  }

  /** That is durable, or may be. */
  begin(descriptor: RegionDescriptor): void {
    this.#lent.set(descriptor.address, descriptor)
    this.#directory.add(descriptor)
  }

  /** The region that begins there has ended, and the key is deleted. */
  end(address: Address): void {
    this.#lent.delete(address)
    this.#directory.forget(address)
  }

  /** The region that begins there, under that reservation. */
  get(address: Address, generation: number): RegionDescriptor | undefined {
    const lent = this.#lent.get(address)
    return lent?.generation === generation ? lent : undefined
  }

  /** Whether a region of a home group has the address, whoever is its home. */
  has(address: Address): boolean {
    return this.#directory.find(address) !== undefined
  }
}

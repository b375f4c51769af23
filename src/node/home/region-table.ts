import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import { RegionDirectory } from '../../location/region-directory.js'
import { isSystemRegion } from '../map/system-regions.js'
import type { HomedRegion } from './homed-region.js'
import type { RegionRecord } from './region-record.js'

/** Bytes on disk that a page costs beside its own: its record's header, and the room its batch rounds up to. */
const pageOverheadBytes = 256

/** Bytes of storage for so many pages of the region, with what their records cost. */
export function bytesFor(pages: number, { pageSize }: RegionDescriptor): number {
  return pages * (pageSize + pageOverheadBytes)
}

/** Bytes of storage that the region is promised, with what its records cost. */
export function storageBytes({
  allocated,
  descriptor,
}: Pick<RegionRecord, 'allocated' | 'descriptor'>): number {
  return bytesFor(allocated.total, descriptor)
}

/** The regions that are served at this home, and the storage that they are promised. */
export class RegionTable {
  readonly #regions = new Map<Address, HomedRegion>()
  /** The same regions, found by any address in them. */
  readonly #directory = new RegionDirectory(Infinity)
  #bytes = 0

  /** In place of one that is there under the same address. */
  add(region: HomedRegion): void {
    const { descriptor } = region
    const before = this.#regions.get(descriptor.address)
    if (before !== undefined) this.#bytes -= storageBytes(before)
    this.#regions.set(descriptor.address, region)
    this.#directory.add(descriptor)
    this.#bytes += storageBytes(region)
  }

  /** It is not served any more, and has its storage still: until `promise` takes that away. */
  close(address: Address): void {
    this.#regions.delete(address)
    this.#directory.forget(address)
  }

  /** It is not served any more, and its storage is not promised here. */
  remove(region: HomedRegion): void {
    this.close(region.descriptor.address)
    this.#bytes -= storageBytes(region)
  }

  /** So many bytes more, or less. */
  promise(bytes: number): void {
    this.#bytes += bytes
  }

  /** The one that begins there. */
  get(address: Address): HomedRegion | undefined {
    return this.#regions.get(address)
  }

  /** The one that holds the address. */
  find(address: Address): HomedRegion | undefined {
    const start = this.#directory.find(address)?.address
    return start === undefined ? undefined : this.#regions.get(start)
  }

  isServed(region: HomedRegion): boolean {
    return this.#regions.get(region.descriptor.address) === region
  }

  /** They may change meanwhile. */
  all(): HomedRegion[] {
    return [...this.#regions.values()]
  }

  descriptors(): RegionDescriptor[] {
    return this.all().map(({ descriptor }) => descriptor)
  }

  /** Those that begin in the range, in order of their addresses. */
  inRange(start: Address, size: bigint): RegionDescriptor[] {
    const end = start + size
    return this.descriptors()
      .filter(({ address }) => address >= start && address < end)
      .sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  /** Of programs. */
  get programs(): number {
    let count = 0
    for (const { descriptor } of this.#regions.values()) if (!isSystemRegion(descriptor)) count += 1
    return count
  }

  /** Bytes promised, with what their records cost. */
  get bytes(): number {
    return this.#bytes
  }

  /** The part of them that no program has. */
  get systemBytes(): number {
    let bytes = 0
    for (const region of this.#regions.values())
      if (isSystemRegion(region.descriptor)) bytes += storageBytes(region)
    return bytes
  }
}

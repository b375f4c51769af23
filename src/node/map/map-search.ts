import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import { findInMap } from '../../location/address-map/find.js'
import type { SubtreeEntry } from '../../location/address-map/map-entry.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Replica } from '../replica/replica.js'
import { MapRegion } from './map-region.js'
import { pagesIn } from './pool-map.js'
import { rootPagesMax } from './root-map.js'
import { rootMapAddress, rootMapBytes } from './system-regions.js'

/** For how long a root whose home was not found is not looked for again. */
const rootLostMs = 5000

export interface MapSearchOptions {
  readonly clock: Clock
  /** Finds a region of the map, without the map's help where `homes` says who should have it. */
  readonly find: (map: Address, homes: readonly NodeId[], wait: WaitOptions) => Promise<RegionDescriptor>
  readonly replica: (descriptor: RegionDescriptor) => Replica
  /** A map was read that is not likely to be read again soon: its pages need not be kept, nor kept up to date. */
  readonly done: (replica: Replica) => void
}

/**
 * Searches the address map from its root (paper 3.2), loading its pages as those of any other region: what was loaded is kept
 * in step by the protocol, and costs nothing the next time. Of the root that is worth it, as it changes with pools; the maps
 * of pools change with every region, and copies of them are given up after use.
 */
export class MapSearch {
  readonly #options: MapSearchOptions
  #rootLostUntil = -Infinity

  constructor(options: MapSearchOptions) {
    this.#options = options
  }

  /**
   * Who has the region that holds the address, by what the map says, likeliest first; then who keeps the map of its part of the
   * address space, and so knows better. Empty where the map says nothing. Throws as locks do, `unreachable`, `damaged`.
   */
  async search(address: Address, wait: WaitOptions): Promise<readonly NodeId[]> {
    const { replica } = this.#options
    // The root would be found by itself.
    if (address < rootMapAddress + BigInt(rootMapBytes)) return []
    const root = await this.#findRoot(wait)
    const pages = new MapRegion(() => replica(root))
    const found = await pages.read(findInMap(address, rootPagesMax), wait)
    if (found.kind === 'reserved') return found.homes
    return found.kind === 'subtree' ? this.#searchPool(found, address, wait) : []
  }

  async #findRoot(wait: WaitOptions): Promise<RegionDescriptor> {
    const { clock, find } = this.#options
    if (clock.now() < this.#rootLostUntil) {
      throw new KhazanaError('unreachable', 'the root of the address map could not be reached lately')
    }
    try {
      return await find(rootMapAddress, [], wait)
    } catch (error) {
      this.#rootLostUntil = clock.now() + rootLostMs
      throw error
    }
  }

  async #searchPool(pool: SubtreeEntry, address: Address, wait: WaitOptions): Promise<readonly NodeId[]> {
    const { find, replica, done } = this.#options
    // The map itself is where the root says.
    if (address === pool.map) return pool.homes
    try {
      const descriptor = await find(pool.map, pool.homes, wait)
      const copy = replica(descriptor)
      const found = await new MapRegion(() => copy).read(findInMap(address, pagesIn(descriptor.size)), wait)
      done(copy)
      if (found.kind === 'reserved') return [...new Set([...found.homes, ...pool.homes])]
    } catch (reason) {
      // Whoever keeps the map may still be reached in another way.
      if (KhazanaError.from(reason).code === 'internal') throw reason
    }
    return pool.homes
  }
}

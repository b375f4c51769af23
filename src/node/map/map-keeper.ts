import type { Address } from '../../address/address.js'
import type { RegionDescriptor, TakenRange } from '../../address/descriptor.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { MapEntry, ReservedEntry } from '../../location/address-map/map-entry.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Home } from '../home/home.js'
import { mapBytesMax } from '../pools/own-pools.js'
import type { OwnPools, Pool } from '../pools/own-pools.js'
import { MapRegion } from './map-region.js'
import { PoolMap, pagesIn } from './pool-map.js'
import { mapAttributes, rootMapAddress, rootMapBytes } from './system-regions.js'
import { mapPageBytes } from '../../location/address-map/map-layout.js'
import { present } from '../../stdx/assert.js'

/** Of a pool, the share that its map may take, up to `mapBytesMax`; and the least that is of use, in bytes. */
const mapShare = 16n
const mapBytesMin = 64 * 1024

export interface MapKeeperOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly home: Home
  readonly pools: OwnPools
  /** Whether this node founded the cluster: the root of the map is homed there until it is moved. */
  readonly isFounder: boolean
}

/**
 * This node's part of the address map (paper 3.1): the maps of its pools, each in a region of its own at the end of the
 * pool, so that reserving changes only what is homed here.
 */
export class MapKeeper {
  readonly #options: MapKeeperOptions
  readonly #maps = new Map<Address, PoolMap>()
  #isStopped = false

  constructor(options: MapKeeperOptions) {
    this.#options = options
  }

  /** Makes what is missing, and begins to bring the maps up to date. */
  async start(): Promise<void> {
    const { home, pools, isFounder } = this.#options
    // It may have moved, or be about to come back.
    const wasMade = home.moves.find(rootMapAddress) ?? home.settled(rootMapAddress)
    if (isFounder && home.find(rootMapAddress) === undefined && wasMade === undefined) {
      const root = await home.reserveAt(rootMapAddress, rootMapBytes, mapPageBytes, mapAttributes)
      await home.allocate(root.address, { offset: 0, length: mapPageBytes })
      await home.allocate(root.address, { offset: root.size - mapPageBytes, length: mapPageBytes })
    }
    for (const pool of [...pools.all()]) await this.follow(pool)
  }

  stop(): void {
    this.#isStopped = true
    for (const map of this.#maps.values()) map.stop()
  }

  /** Whether all maps say what the records do. */
  get isCurrent(): boolean {
    return [...this.#maps.values()].every((map) => map.isCurrent)
  }

  /** A pool is this node's: its map is kept from now on, and made where there is none. Throws `no-space`, `storage-failed`. */
  async follow(pool: Pool): Promise<void> {
    if (this.#isStopped || this.#maps.has(pool.start)) return
    const map = pool.map ?? (await this.#make(pool))
    if (map === undefined) return
    const { home, clock, logger } = this.#options
    const region = home.find(map)
    // A map that is homed elsewhere is kept there.
    if (region === undefined) return
    const keeper = new PoolMap({
      clock,
      logger,
      range: pool,
      region: new MapRegion(() => present(home.replica(map), "the map of a node's own pool is homed there")),
      pagesMax: pagesIn(region.size),
      allocate: (pages) => home.allocate(map, { offset: 0, length: pages * mapPageBytes }),
      wanted: () => this.#wanted(pool),
    })
    this.#maps.set(pool.start, keeper)
    keeper.start()
  }

  /** The pool is another node's. */
  unfollow(pool: Pool): void {
    this.#maps.get(pool.start)?.stop()
    this.#maps.delete(pool.start)
  }

  /** A region for the map of the pool; undefined where the pool has no room for it: it goes without. */
  async #make(pool: Pool): Promise<Address | undefined> {
    const { home, pools } = this.#options
    const bytes = Number(min(BigInt(mapBytesMax), pool.size / mapShare))
    const size = Math.max(mapBytesMin, Math.floor(bytes / mapPageBytes) * mapPageBytes)
    const address = pools.takeFrom(pool, size, mapPageBytes)
    if (address === undefined) return undefined
    const { address: map } = await home.reserveAt(address, size, mapPageBytes, mapAttributes)
    await pools.add({ ...pool, map })
    return map
  }

  *#wanted(pool: Pool): Generator<MapEntry> {
    const { home } = this.#options
    const entries = new Map<Address, ReservedEntry>()
    for (const lent of home.space.lentInRange(pool.start, pool.size)) entries.set(lent.address, entryOf(lent))
    for (const known of home.knownInRange(pool.start, pool.size)) entries.set(known.address, entryOf(known))
    yield* [...entries.values()].sort((a, b) => (a.start < b.start ? -1 : 1))
  }

  // ---- what home and pools tell ---------------------------------------------------------------------------------------

  reserved(descriptor: RegionDescriptor): void {
    this.#mapOf(descriptor)?.add({ kind: 'reserve', entry: entryOf(descriptor) })
  }

  unreserved(descriptor: TakenRange): void {
    this.#mapOf(descriptor)?.add({ kind: 'unreserve', entry: entryOf(descriptor) })
  }

  moved(descriptor: RegionDescriptor): void {
    const pool = this.#options.pools.find(descriptor.address)
    // A map that went to another home is kept there.
    if (pool?.map === descriptor.address) this.unfollow(pool)
    this.#mapOf(descriptor)?.add({ kind: 'update', entry: entryOf(descriptor) })
  }

  #mapOf({ address }: TakenRange): PoolMap | undefined {
    const pool = this.#options.pools.find(address)
    return pool === undefined ? undefined : this.#maps.get(pool.start)
  }

  /** A pool that has just come: never rejects. */
  async begin(pool: Pool): Promise<void> {
    try {
      await this.follow(pool)
    } catch (reason) {
      // Without a map its regions are found by asking this node; the next start tries again.
      const { code, message } = KhazanaError.from(reason)
      this.#options.logger.log('warn', 'a pool goes without a map', { code, reason: message })
    }
  }
}

function entryOf({ address, size, generation, home }: TakenRange): ReservedEntry {
  return { kind: 'reserved', start: address, size: BigInt(size), generation, homes: [home] }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

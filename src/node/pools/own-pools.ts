import type { Address } from '../../address/address.js'
import { nodeId } from '../../address/identity.js'
import type { NodeId } from '../../address/identity.js'
import { AddressPool } from '../../location/address-pool.js'
import { OrderedRanges } from '../../location/ordered-ranges.js'
import { KhazanaError } from '../../stdx/errors.js'
import { poolsReportedMax } from '../../wire/limits.js'
import type { ReportedPool, SpaceReport } from '../../wire/message.js'
import type { Store } from '../../store/store.js'

const keyPrefix = 'pool/'

/** What the map of a pool takes of it, at most. Bytes. */
export const mapBytesMax = 64 * 1024 * 1024

/** Who reserves a large region mostly reserves more of the kind: a new pool has room for so many. */
const regionsPerPool = 256
/** Bytes that are asked for on their account at most: 4 PiB. */
const aheadBytesMax = 2 ** 52

/** Address space that was granted to this node. */
export type Pool = ReportedPool

interface Occupied {
  readonly address: Address
  readonly size: number
}

export interface OwnPoolsOptions {
  readonly store: Pick<Store, 'list' | 'commit'>
  /** More address space, at least `size` bytes, from the cluster manager. Throws `unreachable`, `no-space`. */
  readonly grantPool: (size: number) => Promise<{ readonly start: Address; readonly size: bigint }>
  /** A new pool has come, and nothing is taken from it on behalf of whoever asked for it before this has resolved. */
  readonly prepare: (pool: Pool) => Promise<void>
  /** A pool has come, or gone, or has another map. */
  readonly changed: () => void
}

/**
 * The address space that this node may reserve regions from without asking anybody (paper 3.1). A pool is used only when it
 * is durable that it is this node's, and nothing in it is free that anybody may still have.
 */
export class OwnPools {
  readonly #options: OwnPoolsOptions
  readonly #pools = new OrderedRanges<Pool>()
  readonly #free = new AddressPool()
  /** Pools that are being handed over, to whom: nothing in them is free here any more. */
  readonly #leaving = new Map<Address, NodeId>()
  /** Pools that other nodes hand over at the moment. */
  #adoptions = 0
  #isClosed = false
  /** A request for address space that is under way: one at a time. */
  #growing: Promise<void> | undefined

  constructor(options: OwnPoolsOptions) {
    this.#options = options
  }

  /** Reads the pools from the store, all of them free: `occupy` then says what is not. */
  load(): void {
    for (const [key, value] of this.#options.store.list(keyPrefix)) {
      const { to, ...pool } = decode(key, value)
      this.#pools.add(pool)
      if (to === undefined) this.#free.give(pool.start, pool.size)
      else this.#leaving.set(pool.start, to)
    }
  }

  all(): Iterable<Pool> {
    return this.#pools
  }

  find(address: Address): Pool | undefined {
    return this.#pools.find(address)
  }

  /** Whether the address could be reserved here, and is not. */
  isFree(address: Address): boolean {
    return this.#free.has(address)
  }

  /** Somebody has the range, or what of it is in these pools. */
  occupy(start: Address, size: number): void {
    this.#free.remove(start, BigInt(size))
  }

  /**
   * Takes `size` bytes that begin at a multiple of `alignment`, and asks for more address space where there are none. Throws
   * what `grantPool` does.
   */
  async take(size: number, alignment: number): Promise<Address> {
    for (;;) {
      const address = this.#free.take(BigInt(size), BigInt(alignment))
      if (address !== undefined) return address
      this.#growing ??= this.#grow(size + alignment)
      await this.#growing
    }
  }

  /** Takes `size` bytes of that pool; undefined where it has none. */
  takeFrom(pool: Pool, size: number, alignment: number): Address | undefined {
    return this.#free.takeWithin(pool, BigInt(size), BigInt(alignment))
  }

  /** Nobody has the range any more. Of another node's pool, or one that is being handed over, nothing becomes free here. */
  give(start: Address, size: number): void {
    const pool = this.find(start)
    if (pool !== undefined && !this.#leaving.has(pool.start)) this.#free.give(start, BigInt(size))
  }

  /** Whether the pool is being handed over: what is to be known of it is to be told to whoever has it next. */
  isLeaving(pool: Pool): boolean {
    return this.#leaving.has(pool.start)
  }

  /** To whom the pool is being handed over; undefined where it is not. */
  heirOf(pool: Pool): NodeId | undefined {
    return this.#leaving.get(pool.start)
  }

  /**
   * The pool is to be the other node's: when this resolves, nothing of it is reserved here ever again, also after a restart. It
   * cannot be taken back, as nobody could tell whether the other node has heard of it.
   */
  async beginLeaving(pool: Pool, to: NodeId): Promise<void> {
    this.#leaving.set(pool.start, to)
    this.#free.remove(pool.start, pool.size)
    await this.#options.store.commit({ puts: [{ key: keyOf(pool.start), value: encode(pool, to) }] })
  }

  /** The other node has it. */
  async endLeaving(pool: Pool): Promise<void> {
    await this.#options.store.commit({ deletes: [keyOf(pool.start)] })
    this.#pools.remove(pool.start)
    this.#leaving.delete(pool.start)
    this.#options.changed()
  }

  /** This node is about to have left: no pool comes to it any more. False, and nothing is changed, where it has one, or one is coming. */
  close(): boolean {
    if (this.#adoptions > 0 || [...this.#pools].length > 0) return false
    this.#isClosed = true
    return true
  }

  /** It goes on as a member. */
  reopen(): void {
    this.#isClosed = false
  }

  /**
   * A pool that another node hands over is this node's, all of it free but these ranges; resolves when that is durable. Throws
   * `closed` where this node leaves, or has left.
   */
  async adopt(pool: Pool, occupied: () => Iterable<Occupied>): Promise<void> {
    if (this.#isClosed)
      throw new KhazanaError('closed', 'this node is leaving the cluster, and takes nothing')
    this.#adoptions += 1
    try {
      await this.#adopt(pool, occupied)
    } finally {
      this.#adoptions -= 1
    }
  }

  async #adopt(pool: Pool, occupied: () => Iterable<Occupied>): Promise<void> {
    if (this.find(pool.start) !== undefined) return
    await this.#options.store.commit({ puts: [{ key: keyOf(pool.start), value: encode(pool) }] })
    if (this.find(pool.start) !== undefined) return
    this.#pools.add(pool)
    this.#free.give(pool.start, pool.size)
    for (const { address, size } of occupied()) this.occupy(address, size)
    this.#options.changed()
  }

  async #grow(size: number): Promise<void> {
    try {
      const wanted = Math.max(size, Math.min(size * regionsPerPool, aheadBytesMax))
      const { start, size: granted } = await this.#options.grantPool(wanted + mapBytesMax)
      const pool = { start, size: granted, map: undefined }
      await this.add(pool)
      await this.#options.prepare(pool)
    } finally {
      this.#growing = undefined
    }
  }

  /** A pool is this node's from now on, all of it free; resolves when that is durable. */
  async add(pool: Pool): Promise<void> {
    const isNew = this.find(pool.start) === undefined
    await this.#options.store.commit({ puts: [{ key: keyOf(pool.start), value: encode(pool) }] })
    this.#pools.add(pool)
    if (isNew) this.#free.give(pool.start, pool.size)
    this.#options.changed()
  }

  /** Bytes in all pools. */
  get bytes(): bigint {
    let sum = 0n
    for (const { size } of this.#pools) sum += size
    return sum
  }

  get freeBytes(): bigint {
    return this.#free.freeBytes
  }

  report(diskFreeBytes: number): SpaceReport {
    return {
      pools: [...this.#pools].filter((pool) => !this.isLeaving(pool)).slice(0, poolsReportedMax),
      freeBytes: this.#free.freeBytes,
      largestFreeBytes: this.#free.largestFreeBytes,
      diskFreeBytes: Math.max(0, Math.floor(diskFreeBytes)),
    }
  }
}

function keyOf(start: Address): string {
  return keyPrefix + start.toString(16).padStart(32, '0')
}

function encode({ size, map }: Pool, to?: NodeId): Uint8Array {
  const record = {
    size: size.toString(16),
    ...(map === undefined ? {} : { map: map.toString(16) }),
    ...(to === undefined ? {} : { to }),
  }
  return new TextEncoder().encode(JSON.stringify(record))
}

/** Throws `bad-format`. An earlier form is the size alone. */
function decode(key: string, value: Uint8Array): Pool & { readonly to: NodeId | undefined } {
  const start = BigInt(`0x${key.slice(keyPrefix.length)}`) as Address
  const text = new TextDecoder().decode(value)
  try {
    const { size, map, to } = (text.startsWith('{') ? JSON.parse(text) : { size: text }) as {
      readonly size: string
      readonly map?: string
      readonly to?: number
    }
    return {
      start,
      size: BigInt(`0x${size}`),
      map: map === undefined ? undefined : (BigInt(`0x${map}`) as Address),
      to: to === undefined ? undefined : nodeId(to),
    }
  } catch (error) {
    throw new KhazanaError('bad-format', `pool record ${key} cannot be read`, { cause: error })
  }
}

import type { Address } from '../../address/address.js'
import { formatAddress } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { RangeSet } from '../../address/range-set.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { CommitGroup } from '../../store/commit-group.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { TransferCall, TransferSign, TransferState } from '../../wire/transfer-message.js'
import { withResolvers } from '../../io/deadline.js'
import type { Resolvers } from '../../io/deadline.js'
import { pause } from '../pause.js'
import { backoffMs } from '../session/backoff.js'
import type { RegionMessage } from '../region-message.js'
import { unreserved } from '../unreserved.js'
import { arrivalKey, arrivalKeyPrefix, decodeArrival, encodeArrival } from './arrival-record.js'
import type { ArrivalRecord } from './arrival-record.js'
import { encodeRegion, regionKey } from './region-record.js'
import type { RegionRecord } from './region-record.js'

/** After so long without a word of the old home, it is asked. */
const silenceMs = 5000

export interface ArrivalsOptions {
  readonly self: NodeId
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Asks the old home what it has decided. */
  readonly ask: (node: NodeId, sign: TransferSign) => Promise<TransferState>
  /** Throws `unsupported` for a region that cannot be served here, `no-space` for one that there is no room for. */
  readonly check: (region: Omit<RegionRecord, 'space'>) => void
  /** A number for pages that this node has never used before, and what makes that durable. */
  readonly takeSpace: () => { readonly space: SpaceId; readonly puts: NonNullable<CommitGroup['puts']> }
  /** Whether this node is, or was, the region's home under this descriptor or a later one. */
  readonly hasSeen: (sign: TransferSign) => boolean
  /** What else goes, from an earlier time in which the region was homed here. */
  readonly leftovers: (address: Address) => CommitGroup
  /** The region is homed here, as is durable. */
  readonly arrived: (record: ArrivalRecord) => void
  /** It will not come. */
  readonly stayedAway: (address: Address) => void
}

interface Arrival {
  readonly record: ArrivalRecord
  /** When the old home was heard of last. */
  heardAt: number
  readonly settled: Resolvers<void>
  activating: Promise<void> | undefined
}

/**
 * Regions that this node is to become the home of (docs/adr/0016-homes-move.md). What is copied here means nothing until the old
 * home has decided that it does. Where it falls silent, or this node was started again, it is asked until it answers.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions
  readonly #arrivals = new Map<Address, Arrival>()
  readonly #closing = sharedAbortController()

  constructor(options: ArrivalsOptions) {
    this.#options = options
  }

  /** Throws `bad-format`. */
  load(): void {
    const { store, self } = this.#options
    for (const [key, value] of store.list(arrivalKeyPrefix))
      this.#add(decodeArrival(key, value, self), -Infinity)
  }

  /** Asks what has become of those that were under way. */
  start(): void {
    for (const arrival of this.#arrivals.values()) void this.#attend(arrival)
  }

  close(error: KhazanaError): void {
    this.#closing.abort(error)
    for (const { settled } of this.#arrivals.values()) settled.reject(error)
  }

  /** Pages that are promised room here. */
  *records(): Generator<RegionRecord> {
    for (const { record } of this.#arrivals.values()) yield record.region
  }

  /** Whether the message is for the home that this node may become: it is served if and when it does. */
  isFor({ region, generation, era }: RegionMessage): boolean {
    const descriptor = this.#arrivals.get(region)?.record.region.descriptor
    return descriptor?.generation === generation && era >= descriptor.era
  }

  /** Old homes of regions that may come to be homed here, one for each such region. */
  get sources(): NodeId[] {
    return [...this.#arrivals.values()].map(({ record }) => record.from)
  }

  has(region: Address): boolean {
    return this.#arrivals.has(region)
  }

  /** Resolves when it is decided whether the region that has the address is homed here; undefined where nothing is to be. */
  settled(address: Address): Promise<void> | undefined {
    for (const { record, settled } of this.#arrivals.values()) {
      if (holds(record.region.descriptor, address)) return settled.promise
    }
    return undefined
  }

  /** Throws `unsupported`, `no-space`, `invalid-argument`. */
  async adopt(from: NodeId, call: Extract<TransferCall, { op: 'adopt' }>): Promise<void> {
    const { self, store, check, takeSpace, hasSeen } = this.#options
    const { transfer, descriptor, floor } = call
    const { address, generation, era } = descriptor
    const allocated = new RangeSet()
    for (const { first, count } of call.allocated) allocated.add(first, count)
    if (descriptor.home !== self || from === self || hasSeen({ address, generation, era, transfer })) {
      throw new KhazanaError('invalid-argument', `no region can come here so: ${formatAddress(address)}`)
    }
    const before = this.#arrivals.get(address)
    if (before?.activating !== undefined) throw new KhazanaError('busy', 'an earlier move is being decided')
    check({ descriptor, allocated, floor })
    const { space, puts } = takeSpace()
    const record: ArrivalRecord = { region: { descriptor, allocated, floor, space }, from, transfer }
    // Before anything waits: what still comes of the earlier attempt is refused from now on.
    const arrival = this.#add(record, this.#options.clock.now())
    before?.settled.resolve()
    try {
      await store.commit({
        puts: [...puts, { key: arrivalKey(address), value: encodeArrival(record) }],
        drops: before === undefined ? [] : [before.record.region.space],
      })
    } catch (error) {
      if (this.#arrivals.get(address) === arrival) this.#end(arrival)
      throw error
    }
    void this.#attend(arrival)
  }

  /** Resolves when the pages are durable. Throws `no-such-region` where the attempt is over. */
  async adoptPages(
    { address, transfer, pages }: Extract<TransferCall, { op: 'adopt-pages' }>,
    payloads: readonly Uint8Array[],
  ): Promise<void> {
    const arrival = this.#arrivals.get(address)
    if (arrival?.record.transfer !== transfer || arrival.activating !== undefined) throw unreserved()
    arrival.heardAt = this.#options.clock.now()
    const { space, descriptor } = arrival.record.region
    const writes = pages.map(({ page, version }, index) => {
      const bytes = payloads[index]
      if (bytes?.length !== descriptor.pageSize || page >= descriptor.size / descriptor.pageSize) {
        throw new KhazanaError('protocol-error', 'a page of a region that moves is not one of it')
      }
      return { space, page, version, bytes }
    })
    await this.#options.store.commit({ pages: writes })
    arrival.heardAt = this.#options.clock.now()
  }

  /** It is decided: the region is homed here. Resolves when it is served. Throws `no-such-region`. */
  async activate(sign: TransferSign): Promise<void> {
    const arrival = this.#arrivals.get(sign.address)
    if (arrival?.record.transfer === sign.transfer) {
      arrival.activating ??= this.#activate(arrival)
      return arrival.activating
    }
    if (!this.#options.hasSeen(sign)) throw unreserved()
  }

  /** It is decided: the region is not homed here. */
  async discard({ address, transfer }: TransferSign): Promise<void> {
    const arrival = this.#arrivals.get(address)
    if (arrival?.record.transfer !== transfer || arrival.activating !== undefined) return
    this.#end(arrival)
    await this.#options.store.commit({
      deletes: [arrivalKey(address)],
      drops: [arrival.record.region.space],
    })
  }

  async #activate(arrival: Arrival): Promise<void> {
    const { store, leftovers, arrived } = this.#options
    const { record } = arrival
    const { address } = record.region.descriptor
    const { deletes = [], drops = [] } = leftovers(address)
    try {
      await store.commit({
        puts: [{ key: regionKey(address), value: encodeRegion(record.region) }],
        deletes: [...deletes, arrivalKey(address)],
        drops,
      })
    } catch (error) {
      arrival.activating = undefined
      throw error
    }
    this.#arrivals.delete(address)
    arrived(record)
    arrival.settled.resolve()
  }

  #add(record: ArrivalRecord, heardAt: number): Arrival {
    const arrival: Arrival = { record, heardAt, settled: withResolvers<void>(), activating: undefined }
    // Nobody need wait for it.
    arrival.settled.promise.catch(() => undefined)
    this.#arrivals.set(record.region.descriptor.address, arrival)
    return arrival
  }

  #end(arrival: Arrival): void {
    const { address } = arrival.record.region.descriptor
    this.#arrivals.delete(address)
    arrival.settled.resolve()
    this.#options.stayedAway(address)
  }

  /** Until it is decided. Never rejects. */
  async #attend(arrival: Arrival): Promise<void> {
    const { clock, random, ask, logger } = this.#options
    const { record } = arrival
    const { address, generation, era } = record.region.descriptor
    const sign = { address, generation, era, transfer: record.transfer }
    const { signal } = this.#closing
    let attempt = 0
    const isOpen = (): boolean => !signal.aborted && this.#arrivals.get(address) === arrival
    while (isOpen()) {
      const silentMs = clock.now() - arrival.heardAt
      if (silentMs < silenceMs) {
        attempt = 0
        await pause(clock, silenceMs - silentMs, signal)
        continue
      }
      attempt += 1
      try {
        const state = await ask(record.from, sign)
        if (!isOpen()) return
        if (state === 'activate') await this.activate(sign)
        else if (state === 'discard') await this.discard(sign)
        else arrival.heardAt = clock.now()
      } catch (reason) {
        if (attempt === 1 && !signal.aborted) {
          const { message } = KhazanaError.from(reason)
          const where = { region: formatAddress(address), node: record.from, reason: message }
          logger.log('warn', 'a region is to come here, and its home cannot be asked whether it does', where)
        }
      }
      if (isOpen()) await pause(clock, backoffMs(attempt, random), signal)
    }
  }
}

function holds({ address, size }: RegionDescriptor, at: Address): boolean {
  return at >= address && at < address + BigInt(size)
}

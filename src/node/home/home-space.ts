import type { Address } from '../../address/address.js'
import type { RegionDescriptor, TakenRange } from '../../address/descriptor.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Store } from '../../store/store.js'
import type { LentSpace } from '../pools/lent-space.js'
import type { OwnPools } from '../pools/own-pools.js'
import type { SpaceReturns } from '../pools/space-returns.js'
import type { HomeGroup } from './home-group.js'
import type { OwnRecords } from './region-log.js'

export interface HomeSpaceOptions {
  readonly store: Pick<Store, 'commit'>
  /** Where regions that are reserved here get their addresses. */
  readonly pools: OwnPools
  /** Address space of this node's that regions of home groups have. */
  readonly lent: LentSpace
  /** Tells the node that has the address space of a region that has ended here. */
  readonly returns: SpaceReturns
  /** Address space of this node's is free again. */
  readonly unreserved: (range: TakenRange) => void
  /** Forgets durably where the region went that is no more; answers whether it was known. */
  readonly forgetMoved: (address: Address, generation: number) => Promise<boolean>
  /** Whether something of a region there is here still, of which it is not known whether it is homed here. */
  readonly hasLeftover: (address: Address) => boolean
}

/** Addresses that regions have, as far as they are this node's to give: also of those that are homed elsewhere. */
export class HomeSpace {
  readonly #options: HomeSpaceOptions

  constructor(options: HomeSpaceOptions) {
    this.#options = options
  }

  /** Whether a region of a home group has the address, which is this node's to give. */
  isLent(address: Address): boolean {
    return this.#options.lent.has(address)
  }

  /** Whether a region of a home group that is homed elsewhere begins there under that reservation, in this node's address space. */
  isLentFor(address: Address, generation: number): boolean {
    return this.#options.lent.get(address, generation) !== undefined
  }

  /** What regions of home groups have of this node's address space, wherever they are homed, as they were when they were reserved; in no order. */
  lentInRange(start: Address, size: bigint): RegionDescriptor[] {
    return this.#options.lent.inRange(start, size)
  }

  /** What is durable with the end of a region that is homed here; `ended` follows. */
  endingOf({ address, generation }: RegionDescriptor): OwnRecords {
    const { pools, lent, returns } = this.#options
    const isOwn = pools.find(address) !== undefined
    return isOwn ? { deletes: [lent.keyOf(address)] } : { puts: [returns.intent(address, generation)] }
  }

  /** Its addresses are free again, here, or as soon as the node hears of it that has them. */
  ended(descriptor: RegionDescriptor): void {
    const { address, generation } = descriptor
    if (!this.#giveBack(descriptor)) this.#options.returns.begin(address, generation)
  }

  /** It is served no more: a region of a home group has nothing of this node's. */
  endLent(address: Address): void {
    this.#options.lent.end(address)
  }

  /** False for the address space of another node's, which is that node's to give again. */
  #giveBack(descriptor: RegionDescriptor): boolean {
    const { pools, unreserved } = this.#options
    const { address, size } = descriptor
    if (pools.find(address) === undefined) return false
    pools.give(address, size)
    unreserved(descriptor)
    return true
  }

  /**
   * Forgets where a region went that is no more, so that its addresses may mean something else; where they are this node's, it may
   * give them again. To be called when the region has ended at its home. Idempotent.
   */
  async letGo(descriptor: RegionDescriptor): Promise<void> {
    const { forgetMoved } = this.#options
    if (await forgetMoved(descriptor.address, descriptor.generation)) this.#giveBack(descriptor)
  }

  /** The same for a region of a home group that has ended at its home. Idempotent. Throws `busy`, `storage-failed`, `no-space`. */
  async takeBack(address: Address, generation: number): Promise<void> {
    const { lent, store, pools, unreserved, hasLeftover } = this.#options
    const region = lent.get(address, generation)
    if (region === undefined) return
    if (hasLeftover(address))
      throw new KhazanaError('busy', 'something of the region is here still: try again')
    await store.commit({ deletes: [lent.keyOf(address)] })
    if (lent.get(address, generation) !== region) return
    lent.end(address)
    pools.give(address, region.size)
    unreserved(region)
  }

  /** What this node notes of the address of a region that is kept so, with what makes it that. */
  recordsOf(descriptor: RegionDescriptor, group: HomeGroup | undefined): OwnRecords {
    const { pools, lent } = this.#options
    if (pools.find(descriptor.address) === undefined) return {}
    return group === undefined
      ? { deletes: [lent.keyOf(descriptor.address)] }
      : { puts: [lent.put(descriptor)] }
  }

  /** The same where it is, or may be, durable. What a region of this node alone has noted is of no harm, and goes some time. */
  keptIn(descriptor: RegionDescriptor, group: HomeGroup | undefined): void {
    const { pools, lent, store } = this.#options
    if (pools.find(descriptor.address) === undefined) return
    if (group !== undefined) {
      lent.begin(descriptor)
      return
    }
    if (!lent.has(descriptor.address)) return
    lent.end(descriptor.address)
    store.commit({ deletes: [lent.keyOf(descriptor.address)] }).catch(() => undefined)
  }
}

import { applyChanges } from '../../address/attributes.js'
import type { RegionAttributes, RegionDescriptor } from '../../address/descriptor.js'
import { waitFrom } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { AttributeChanges } from '../../wire/message.js'
import { isKeptAlike } from '../kept-alike.js'
import type { ReplicaSet } from '../replica-set.js'
import type { HandoverEnvironment, Handovers } from './handovers.js'
import type { HomeGroup } from './home-group.js'
import type { HomedRegion } from './homed-region.js'
import { storageBytes } from './region-table.js'

export interface RegionChangesOptions {
  readonly replicas: ReplicaSet
  readonly handovers: Handovers
  readonly clock: HandoverEnvironment['clock']
  /** Throws `unsupported`. */
  readonly checkSupported: (attributes: RegionAttributes) => void
  /** Throws `no-space`. */
  readonly checkRoom: (bytes: number) => void
  /** Whether it is served here still. Throws `no-such-region`, `unreachable`, `closed`. */
  readonly checkCurrent: (region: HomedRegion) => void
  /** The home group of that many members that this node leads, or makes. Throws `unreachable`, `timeout`. */
  readonly lead: (replicas: number, wait: WaitOptions) => Promise<HomeGroup>
  /** The region's root replica is there from then on, where it can be used here. */
  readonly openReplica: (region: HomedRegion) => void
}

/** Changes of regions' attributes, while they are used. */
export class RegionChanges {
  readonly #options: RegionChangesOptions

  constructor(options: RegionChangesOptions) {
    this.#options = options
  }

  /**
   * Where it changes how the region is kept consistent, or by how many nodes, the region comes to rest first, and goes on under a new era. Throws
   * `timeout` where locks are held too long, and nothing has changed then; with another number of replicas also what `Handovers.begin` does.
   */
  set(region: HomedRegion, changes: AttributeChanges, options: WaitOptions): Promise<RegionDescriptor> {
    const { checkCurrent, checkSupported } = this.#options
    return new Promise((resolve, reject) => {
      const change = async (): Promise<void> => {
        checkCurrent(region)
        const before = region.descriptor
        const attributes = applyChanges(before.attributes, changes)
        checkSupported(attributes)
        if (attributes.minReplicas === before.attributes.minReplicas) {
          resolve(await this.#changeAttributes(region, attributes, options))
          return
        }
        const { answer, over } = await this.#changeReplicas(region, attributes, options)
        answer.then(resolve, reject)
        // Other changes wait until nothing is left to be done, which may be later.
        await over
      }
      region.exclusively(change).catch(reject)
    })
  }

  async #changeAttributes(
    region: HomedRegion,
    attributes: RegionAttributes,
    options: WaitOptions,
  ): Promise<RegionDescriptor> {
    const before = region.descriptor
    const isSwitch = !isKeptAlike(before.attributes, attributes)
    const era = isSwitch ? before.era + 1 : before.era
    const after = { ...before, attributes, revision: before.revision + 1, era }
    if (isSwitch) await this.#switch(region, after, options)
    else await saveAs(region, after)
    return after
  }

  async #changeReplicas(
    region: HomedRegion,
    attributes: RegionAttributes,
    options: WaitOptions,
  ): Promise<ReturnType<Handovers['begin']>> {
    const { handovers, clock, lead, checkCurrent, checkRoom } = this.#options
    const { descriptor: before } = region
    const { minReplicas } = attributes
    const wait = waitFrom(clock, options)
    const group = minReplicas > 1 ? await lead(minReplicas, wait()) : undefined
    checkCurrent(region)
    const bytes = storageBytes(region)
    checkRoom(bytes)
    const after = { ...before, attributes, revision: before.revision + 1, era: before.era + 1 }
    return handovers.begin(region, after, group, bytes, wait())
  }

  async #switch(region: HomedRegion, after: RegionDescriptor, options: WaitOptions): Promise<void> {
    const before = region.descriptor
    const { replicas, openReplica } = this.#options
    const { switches } = replicas
    openReplica(region)
    await switches.suspend(before, options)
    try {
      await saveAs(region, after)
    } catch (error) {
      switches.resume(before)
      throw error
    }
    openReplica(region)
    switches.resume(after)
  }
}

/** Nobody hears of it before it is durable. */
async function saveAs(region: HomedRegion, after: RegionDescriptor): Promise<void> {
  await region.commit({ record: { ...region.record, descriptor: after } })
  region.descriptor = after
}

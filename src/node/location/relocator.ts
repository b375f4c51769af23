import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId, SiteId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { ReplicaSet } from '../replica-set.js'
import type { ReplicaRole } from '../replica/role.js'
import { unreserved } from '../unreserved.js'

/** How long a home may be out of reach before its regions are looked for elsewhere, and again and again from then on. */
const lostMs = 2000
/** The same where it has left for good: between two attempts. */
const goneMs = 100
/** Regions that are looked for at a time. */
const widthMax = 8

export interface RelocatorOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly replicas: ReplicaSet
  readonly hasSession: (node: SiteId) => boolean
  /** Whether it is known that the node has left the cluster, and so has no region any more. */
  readonly hasLeft: (node: NodeId) => boolean
  /** Looks for the region anew, whatever was known of it. Throws as `Location.find`. */
  readonly find: (address: Address, wait: WaitOptions) => Promise<RegionDescriptor>
}

/**
 * Copies whose home cannot be reached (P6): the region may have got another home meanwhile, of which this node has not heard,
 * as it was cut off, and from which nobody will tell it. So what is in use, or wanted, is looked for again. Where it has no
 * other home, the one that is known is waited for, as before.
 */
export class Relocator {
  readonly #options: RelocatorOptions
  readonly #lost = new Map<NodeId, Timer>()
  #isStopped = false

  constructor(options: RelocatorOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#lost.values()) timer.cancel()
    this.#lost.clear()
  }

  /** Something here needs the node as a home, and there is no session with it. */
  missed(node: NodeId): void {
    if (this.#isStopped || this.#lost.has(node)) return
    this.#wait(node)
  }

  #wait(node: NodeId): void {
    const { clock, hasLeft } = this.#options
    const timer = clock.after(hasLeft(node) ? goneMs : lostMs, () => {
      void this.#lookFor(node)
    })
    this.#lost.set(node, timer)
  }

  /** Never rejects. */
  async #lookFor(node: NodeId): Promise<void> {
    const { hasSession } = this.#options
    const regions = hasSession(node) ? [] : this.#regionsOf(node)
    let next = 0
    const oneAfterTheOther = async (): Promise<void> => {
      for (let one = regions[next++]; one !== undefined && !this.#isStopped; one = regions[next++]) {
        await this.#relocate(one)
      }
    }
    await Promise.all(Array.from({ length: Math.min(widthMax, regions.length) }, oneAfterTheOther))
    this.#lost.delete(node)
    if (!this.#isStopped && !hasSession(node) && this.#regionsOf(node).length > 0) this.#wait(node)
  }

  /** In use here, with that node as their home. */
  #regionsOf(node: NodeId): RegionDescriptor[] {
    const regions: RegionDescriptor[] = []
    for (const replica of this.#options.replicas.all()) {
      const { role, descriptor } = replica
      if (isCopyOf(role, node) && replica.needsParent) regions.push(descriptor)
    }
    return regions
  }

  /** Never rejects. */
  async #relocate({ address, home, era, generation }: RegionDescriptor): Promise<void> {
    const { replicas, find, logger } = this.#options
    const replica = replicas.get(address)
    try {
      const found = await find(address, { timeoutMs: lostMs * 2 })
      if (replica === undefined || replicas.get(address) !== replica || !isCopyOf(replica.role, home)) return
      if (found.generation !== generation) replicas.close(replica, unreserved())
      else if (found.era > era) replicas.open(found, { kind: 'copy', parent: found.home })
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code === 'no-such-region' && replica !== undefined) replicas.close(replica, error)
      else if (error.code === 'internal') {
        logger.log('error', 'a region could not be looked for', { reason: error.stack })
      }
    }
  }
}

function isCopyOf(role: ReplicaRole, node: NodeId): boolean {
  return role.kind === 'copy' && role.parent === node
}

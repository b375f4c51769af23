import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { ReplicaSet } from '../replica-set.js'
import { unreserved } from '../unreserved.js'

/** How long a home may be out of reach before its regions are looked for elsewhere, and again and again from then on. */
const lostMs = 2000
/** The same where it has left for good: between two attempts. */
const goneMs = 100
/** The same where a backup may have taken its place. */
const backedMs = 250
/** How long one search may take. */
const searchMs = 4000
/** Regions that are looked for at a time. */
const widthMax = 8

export interface RelocatorOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly replicas: ReplicaSet
  /** What is known of the region without a question to anybody. */
  readonly known: (address: Address) => RegionDescriptor | undefined
  /** Whether it is known that the node has left the cluster, and so has no region any more. */
  readonly hasLeft: (node: NodeId) => boolean
  /** Looks for the region once, whatever was known of it. Throws as `Location.find`. */
  readonly find: (address: Address, home: NodeId, wait: WaitOptions) => Promise<RegionDescriptor>
}

interface Search {
  readonly timer: Timer
  readonly at: number
}

/**
 * Regions in use here whose home cannot be reached (P6), or says that it is not: the region may have got another home meanwhile, of which this node has
 * not heard, as it was cut off, and from which nobody will tell it. So what is in use, or wanted, is looked for again. Where it has no
 * other home, the one that is known is waited for, as before.
 */
export class Relocator {
  readonly #options: RelocatorOptions
  readonly #lost = new Map<NodeId, Search>()
  readonly #looking = new Set<NodeId>()
  #isStopped = false

  constructor(options: RelocatorOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
    for (const { timer } of this.#lost.values()) timer.cancel()
    this.#lost.clear()
  }

  /** Something here needs the node as a home, and cannot talk to it as such. */
  missed(node: NodeId): void {
    if (!this.#isStopped && !this.#looking.has(node)) this.#wait(node)
  }

  /** Of two times, the earlier counts. */
  #wait(node: NodeId): void {
    const { clock } = this.#options
    const delayMs = this.#delayMs(node)
    const before = this.#lost.get(node)
    const at = clock.now() + delayMs
    if (before !== undefined && before.at <= at) return
    before?.timer.cancel()
    const timer = clock.after(delayMs, () => {
      this.#lost.delete(node)
      void this.#lookFor(node)
    })
    this.#lost.set(node, { timer, at })
  }

  #delayMs(node: NodeId): number {
    const { hasLeft, replicas, known } = this.#options
    if (hasLeft(node)) return goneMs
    const isBacked = replicas.knownAt(node).some((region) => (known(region)?.attributes.minReplicas ?? 1) > 1)
    return isBacked ? backedMs : lostMs
  }

  /** Never rejects. */
  async #lookFor(node: NodeId): Promise<void> {
    const { replicas } = this.#options
    const regions = replicas.strandedAt(node)
    let next = 0
    const oneAfterTheOther = async (): Promise<void> => {
      for (let one = regions[next++]; one !== undefined && !this.#isStopped; one = regions[next++]) {
        await this.#relocate(one, node)
      }
    }
    this.#looking.add(node)
    await Promise.all(Array.from({ length: Math.min(widthMax, regions.length) }, oneAfterTheOther))
    this.#looking.delete(node)
    if (!this.#isStopped && replicas.strandedAt(node).length > 0) this.#wait(node)
  }

  /** Never rejects. */
  async #relocate(address: Address, home: NodeId): Promise<void> {
    const { replicas, find, logger } = this.#options
    const replica = replicas.get(address)
    const isAsBefore = (): boolean => replicas.get(address) === replica && isCopyOf(replica?.role, home)
    try {
      const found = await find(address, home, { timeoutMs: searchMs })
      if (replica === undefined) replicas.found(found)
      else if (!isAsBefore()) return
      else if (found.generation !== replica.descriptor.generation) replicas.close(replica, unreserved())
      else if (found.era > replica.descriptor.era) replicas.found(found)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code === 'no-such-region' && replica !== undefined && isAsBefore()) {
        replicas.close(replica, error)
      } else if (error.code === 'internal') {
        logger.log('error', 'a region could not be looked for', { reason: error.stack })
      }
    }
  }
}

function isCopyOf(
  role: { readonly kind: string; readonly parent?: unknown } | undefined,
  node: NodeId,
): boolean {
  return role?.kind === 'copy' && role.parent === node
}

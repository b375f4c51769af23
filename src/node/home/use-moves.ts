import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import { isNode, relayOf } from '../../address/identity.js'
import type { NodeId, SiteId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { MovePolicy } from '../../location/move-policy.js'
import type { MoveAdvice } from '../../location/move-policy.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { WaitOptions } from '../../io/deadline.js'
import { isSystemRegion } from '../map/system-regions.js'

/** How often it is looked which regions would better be homed elsewhere. */
const lookMs = 5000
/** How long one move may take: what takes longer is left where it is. */
const moveMsMax = 120_000
/** What a lock at the home counts as. At another node it takes two or three messages where anybody else uses the page. */
const usesPerLock = 2

export interface UseMovesOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Locks that were granted at the home itself, since it was opened; undefined where it is not open. */
  readonly locksTaken: (region: Address) => number | undefined
  /** As `Home.migrate`. */
  readonly migrate: (region: Address, to: NodeId, options: WaitOptions) => Promise<unknown>
  /** Whether the node leaves the cluster: it has moves of its own then. */
  readonly isLeaving: () => boolean
}

/**
 * Moves regions that are homed here to the nodes that use them most. What counts as use is what would be saved by it: messages
 * of consistency managers that come to the home. A hit, which needs none, is not seen, unless it is the home's own, which might need
 * one if the home were elsewhere. Clients count for the node that they are connected to.
 */
export class UseMoves {
  readonly #options: UseMovesOptions
  readonly #policy = new MovePolicy()
  readonly #stopped = new AbortController()
  /** At the last look. */
  #locksTaken = new Map<Address, number>()
  #timer: Timer | undefined
  #isMoving = false
  #moved = 0

  constructor(options: UseMovesOptions) {
    this.#options = options
  }

  /** Regions that were moved since the node's start. */
  get moved(): number {
    return this.#moved
  }

  start(): void {
    if (this.#stopped.signal.aborted) return
    this.#timer = this.#options.clock.after(lookMs, () => {
      this.#look()
      this.start()
    })
  }

  stop(error: KhazanaError): void {
    this.#stopped.abort(error)
    this.#timer?.cancel()
  }

  /** A message of the site's manager came to the region's home, which is here. */
  served(descriptor: RegionDescriptor, site: SiteId): void {
    if (isSystemRegion(descriptor)) return
    const node = isNode(site) ? site : relayOf(site)?.node
    if (node === undefined) this.#policy.usedHere(descriptor.address, 1)
    else this.#policy.used(descriptor.address, node)
  }

  #look(): void {
    this.#countOwn()
    const isFree = !this.#isMoving && !this.#options.isLeaving()
    const advice = this.#policy.look(isFree ? 'to-move' : 'to-count')
    if (advice !== undefined) void this.#move(advice)
  }

  #countOwn(): void {
    const now = new Map<Address, number>()
    for (const region of this.#policy.regions) {
      const taken = this.#options.locksTaken(region) ?? 0
      const before = this.#locksTaken.get(region) ?? taken
      now.set(region, taken)
      this.#policy.usedHere(region, usesPerLock * Math.max(0, taken - before))
    }
    this.#locksTaken = now
  }

  /** Never rejects. */
  async #move({ region, to, uses, ownUses }: MoveAdvice): Promise<void> {
    const { migrate, logger } = this.#options
    const what = {
      region: formatAddress(region),
      node: to,
      uses: Math.round(uses),
      usesHere: Math.round(ownUses),
    }
    this.#isMoving = true
    try {
      await migrate(region, to, { timeoutMs: moveMsMax, signal: this.#stopped.signal })
      this.#moved += 1
      logger.log('info', 'a region was moved to the node that uses it most', what)
    } catch (reason) {
      const { code, message } = KhazanaError.from(reason)
      const level = code === 'internal' ? 'error' : 'info'
      logger.log(level, 'a region stays, or is still moving, though another node uses it more', {
        ...what,
        code,
        reason: message,
      })
    }
    this.#isMoving = false
    this.#policy.forget(region)
  }
}

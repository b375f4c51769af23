import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { WaitOptions } from '../../io/deadline.js'

/** Between two looks. */
const lookEveryMs = 60_000
/** Records that one look goes through: each may take a few questions. */
const perLookMax = 32
const findMs = 2000

export interface MoveReviewOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Regions that went from here for good, whose address space is another node's; in order of their addresses. */
  readonly gone: () => readonly RegionDescriptor[]
  /** Looks for the region anew, whatever is cached. Throws as `Location.find`. */
  readonly find: (address: Address, wait: WaitOptions) => Promise<RegionDescriptor>
  /** The region is no more: what is kept of it may go. */
  readonly letGo: (descriptor: RegionDescriptor) => Promise<void>
}

/**
 * Forgets where regions went that have ended since. Whoever unreserves a region tells the node that has its address space, and not all
 * that were its home: without this, their records would only ever become more. Some are looked up each minute, one after the other.
 */
export class MoveReview {
  readonly #options: MoveReviewOptions
  #timer: Timer | undefined
  /** The last one that was looked up. */
  #cursor = -1n
  #isStopped = false

  constructor(options: MoveReviewOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#isStopped) return
    this.#timer = this.#options.clock.after(lookEveryMs, () => {
      void this.#look()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const all = this.#options.gone()
    const next = all.filter(({ address }) => address > this.#cursor).slice(0, perLookMax)
    this.#cursor = next.length < perLookMax ? -1n : (next.at(-1)?.address ?? -1n)
    for (const descriptor of next) {
      if (this.#isStopped) return
      await this.#review(descriptor)
    }
    this.start()
  }

  /** Never rejects. */
  async #review(descriptor: RegionDescriptor): Promise<void> {
    const { find, letGo, logger } = this.#options
    try {
      if (await this.#isThere(descriptor, find)) return
      await letGo(descriptor)
    } catch (reason) {
      const { code, message } = KhazanaError.from(reason)
      if (code === 'internal')
        logger.log('error', 'looking for a region that went from here', { reason: message })
    }
  }

  /** Throws where that cannot be said now. */
  async #isThere(
    { address, generation }: RegionDescriptor,
    find: MoveReviewOptions['find'],
  ): Promise<boolean> {
    try {
      return (await find(address, { timeoutMs: findMs })).generation === generation
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code === 'no-such-region') return false
      throw error
    }
  }
}

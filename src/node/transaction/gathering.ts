import type { Clock, Timer } from '../../io/clock.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { CommitDone } from '../../store/store.js'
import type { HomedRegion } from '../home/homed-region.js'
import type { RegionLog } from '../home/region-log.js'
import type { HomeWrite } from '../replica/home-backing.js'
import { gatheringMs } from './transaction-limits.js'

/** What was written under one lock context. */
export interface TransactionPart {
  readonly region: HomedRegion
  readonly pages: readonly HomeWrite[]
  readonly done: CommitDone
}

export interface GatheringOptions {
  /** Parts that make it whole. */
  readonly count: number
  readonly clock: Clock
  readonly whole: (parts: readonly TransactionPart[]) => void
  /** Not all came in time, or one of them is void. Those that came have been told. */
  readonly failed: () => void
}

/** Parts of one transaction that come to one home, until all are there. */
export class Gathering {
  readonly #options: GatheringOptions
  readonly #parts: TransactionPart[] = []
  readonly #timer: Timer

  constructor(options: GatheringOptions) {
    this.#options = options
    this.#timer = options.clock.after(gatheringMs, () => {
      this.fail(
        new KhazanaError('timeout', 'not all that was to be released together came in time: nothing was'),
      )
    })
  }

  /** Whether any of its regions is in that log. */
  isIn(log: RegionLog): boolean {
    return this.#parts.some((part) => part.region.log === log)
  }

  has(region: HomedRegion): boolean {
    return this.#parts.some((part) => part.region === region)
  }

  add(part: TransactionPart): void {
    this.#parts.push(part)
    if (this.#parts.length < this.#options.count) return
    this.#timer.cancel()
    this.#options.whole(this.#parts)
  }

  fail(error: KhazanaError): void {
    this.#timer.cancel()
    this.#options.failed()
    for (const { done } of this.#parts) done(error)
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.#timer.cancel()
  }
}

import type { PageIndex, PageRange } from '../../address/page.js'

/** Why a hold is to end: others wait to write, or the right is gone already. */
export type HoldEnd = 'wanted' | 'lost'

/**
 * The right to read pages, kept at this site without a lock, for what keeps copies of their bytes where Khazana does not see them: until it ends, nobody elsewhere has
 * written to the pages, or will. Who has it is told when it is to end: `wanted`, whoever waits does so until `release` is called, by when no copy is
 * in use any more; `lost`, the lease has ended, or the region has changed, and nobody waits.
 *
 * It is no lock: what is done under locks at this same site goes on.
 */
export class RightHold {
  readonly #pages: PageRange
  readonly #ended: (why: HoldEnd) => void
  readonly #letGo: () => void
  #state: 'held' | 'ending' | 'over' = 'held'

  constructor(pages: PageRange, ended: (why: HoldEnd) => void, letGo: () => void) {
    this.#pages = pages
    this.#ended = ended
    this.#letGo = letGo
  }

  has(page: PageIndex): boolean {
    return page >= this.#pages.first && page < this.#pages.first + this.#pages.count
  }

  /** Whether copies may be used: nobody has asked for the end of it. */
  get isHeld(): boolean {
    return this.#state === 'held'
  }

  /** Ends it. Idempotent. */
  release(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#letGo()
  }

  /** It is to end. Not for users. */
  tell(why: HoldEnd): void {
    if (this.#state !== 'held') return
    this.#state = 'ending'
    void Promise.resolve().then(() => {
      if (this.#state === 'ending') this.#ended(why)
    })
  }
}

import type { PageIndex, PageRange } from '../../address/page.js'
import type { CmEffect, CmOptions, CmSite, CommitId } from '../contract.js'
import { Backoff } from './backoff.js'
import { HomeOutbox } from './home-outbox.js'
import { newHomePage } from './home-page.js'
import type { HomePage, Write } from './home-page.js'
import { HybridClock } from './hybrid-clock.js'
import type { Stamp } from './hybrid-clock.js'
import { LocalLocks } from './local-locks.js'
import type { LockablePages } from './local-locks.js'
import type { EventualMessage } from './message.js'
import type { EventualBug } from './planted-bug.js'

/**
 * The state of the home, shared by the parts that each handle one side of it. They change pages and `mark` them; at the end
 * of the step every marked page is looked at once more. So no part calls another.
 */
export class HomeState {
  readonly site: CmSite
  readonly merges: boolean
  readonly bug: EventualBug | undefined
  readonly clock = new HybridClock()
  readonly pages = new Map<PageIndex, HomePage>()
  readonly locks: LocalLocks
  readonly outbox = new HomeOutbox()
  /** Of the home's own writes. Children have their own patience. */
  readonly storing = new Backoff()
  readonly loading = new Backoff()
  effects: CmEffect<EventualMessage>[] = []
  readonly #marked = new Set<PageIndex>()
  #commit = 0

  constructor(
    site: CmSite,
    options: CmOptions,
    { bug, admits }: { readonly bug: EventualBug | undefined; readonly admits: LockablePages['admits'] },
  ) {
    this.site = site
    this.merges = options.merges
    this.bug = bug
    this.locks = new LocalLocks({
      has: (page) => this.isStored(page),
      admits,
      baseOf: (page) => this.pages.get(page)?.stamp ?? site.versionOf(page),
    })
  }

  /** The page's state, made where there is none. Only for pages that have storage. */
  page(page: PageIndex): HomePage {
    const known = this.pages.get(page)
    if (known !== undefined) return known
    const made = newHomePage(page, this.site.versionOf(page))
    this.pages.set(page, made)
    return made
  }

  isStored(page: PageIndex): boolean {
    return this.site.isAllocated({ first: page, count: 1 })
  }

  mark(page: PageIndex): void {
    this.#marked.add(page)
  }

  markRange({ first, count }: PageRange): void {
    for (let page = first; page < first + count; page++) this.#marked.add(page)
  }

  markAll(): void {
    for (const page of this.pages.keys()) this.#marked.add(page)
  }

  /** Looks at each marked page. */
  pump(look: (state: HomePage) => void): void {
    for (const page of this.#marked) {
      const state = this.pages.get(page)
      if (state !== undefined) look(state)
    }
    this.#marked.clear()
  }

  nextCommit(): CommitId {
    return ++this.#commit as CommitId
  }

  /** A stamp for something that happens here and now. */
  nextStamp(above: Stamp): Stamp {
    return this.clock.next(this.site.wallTime, above)
  }

  forget(write: Write): void {
    this.effects.push({ kind: 'forget', parcel: write.parcel })
  }

  setAlarm(): void {
    this.effects.push({ kind: 'alarm', at: Math.min(this.storing.until, this.loading.until) })
  }
}

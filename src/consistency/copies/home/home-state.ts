import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { SiteId } from '../../../address/identity.js'
import type { PageIndex, PageRange } from '../../../address/page.js'
import type { Attachment, CmEffect, CmOptions, CmSite, CommitId, LockId, ParcelId } from '../../contract.js'
import { overlaps } from '../message.js'
import type { CopiesMessage, HomeMessage } from '../message.js'
import type { CopiesPolicy } from '../policy.js'
import { TermsTable } from '../terms-table.js'
import { isIdle, newHomePage } from './home-page.js'
import type { HomePage } from './home-page.js'
import { LockTable } from './lock-table.js'
import type { TableLock } from './lock-table.js'

/** A section that has ended, of the home itself or of a child, on its way to storage. Its parcels are kept. */
export interface Commit {
  /** `orphan`: of a child that was lost since. */
  origin:
    | { readonly kind: 'local'; readonly ticket: number }
    | { readonly kind: 'child'; readonly child: SiteId; readonly number: number }
    | { readonly kind: 'orphan' }
  readonly pages: readonly PageIndex[]
  readonly parcels: readonly ParcelId[]
  /** The lock that ends with it. */
  readonly turn: TableLock | undefined
}

/** Commits that are made durable as one. */
export interface Batch {
  readonly id: CommitId
  readonly commits: readonly Commit[]
  /** What it makes of its pages; known once it is durable. */
  readonly changes: readonly BatchChange[]
  /** Serials of what holders have yet to acknowledge. */
  readonly unacknowledged: Set<number>
  state: 'persisting' | 'durable'
}

export interface BatchChange {
  readonly page: HomePage
  readonly base: number
  readonly version: number
  readonly parts: readonly { readonly commit: Commit; readonly parcel: ParcelId }[]
}

/** A message that a child has to acknowledge, and who waits for that. */
export interface Owed {
  readonly child: SiteId
  readonly unacknowledged: Set<number>
  /** Copies that the child has let go of when it answers. Until then they are in use, and commits wait for their holder. */
  readonly drops: readonly PageIndex[]
}

/** What a child is to be sent as soon as its frames are in memory. */
export interface Delivery {
  readonly child: SiteId
  readonly serial: number
  readonly range: PageRange
  readonly known: readonly number[]
  /** The lock that it grants; undefined for an answer to a fetch. */
  readonly turn: TableLock | undefined
}

/** A local lock that waits. */
export interface LocalLock {
  readonly lock: LockId
  readonly range: PageRange
  readonly mode: LockMode
  readonly terms: LockTerms
  turn: TableLock | undefined
  /** How many of its pages were brought to memory; `idle`: none is being brought. */
  loaded: number
  state: 'idle' | 'loading'
}

export interface Seizure {
  readonly turn: TableLock
  readonly unacknowledged: Set<number>
  state: 'closing' | 'held'
}

/** The parts of a child's commit that came, until the final one. */
export interface PartialCommit {
  readonly number: number
  readonly pages: PageIndex[]
  readonly parcels: ParcelId[]
}

export type Load =
  | { readonly kind: 'delivery'; readonly delivery: Delivery; readonly range: PageRange }
  | { readonly kind: 'local'; readonly local: LocalLock; readonly range: PageRange }

/** The state of the manager at the home, shared by the files that each handle a part of it. */
export class HomeState {
  readonly site: CmSite
  readonly policy: CopiesPolicy
  readonly pages = new Map<PageIndex, HomePage>()
  readonly table: LockTable
  /** Local locks held that take turns. */
  readonly turns = new TermsTable<TableLock>()
  readonly locals = new Map<LockId, LocalLock>()
  /** In the order of arrival. */
  queue: Commit[] = []
  readonly batches = new Map<CommitId, Batch>()
  readonly partial = new Map<SiteId, PartialCommit>()
  readonly owed = new Map<number, Owed>()
  readonly loads = new Map<number, Load>()
  /** Fetches of pages whose storage is about to be taken away. */
  blocked: Delivery[] = []
  readonly seizures: Seizure[] = []
  inGrace: boolean
  effects: CmEffect<CopiesMessage>[] = []
  /** Whether commits and local locks that wait are to be looked at once more. */
  isStirred = false
  #commit = 0
  #serial = 0
  #load = 0

  constructor(site: CmSite, options: CmOptions, policy: CopiesPolicy) {
    this.site = site
    this.policy = policy
    this.table = new LockTable(policy)
    this.inGrace = options.grace === 'until-ended'
  }

  /** Whether it is so; then not any more. */
  takeStirred(): boolean {
    const was = this.isStirred
    this.isStirred = false
    return was
  }

  page(page: PageIndex): HomePage {
    const known = this.pages.get(page)
    if (known !== undefined) return known
    const made = newHomePage(page, this.site.versionOf(page))
    this.pages.set(page, made)
    return made
  }

  forgetIfIdle(page: HomePage): void {
    if (isIdle(page)) this.pages.delete(page.page)
  }

  /** The pages of the range that are in use, in no order: a range may be far larger than what is known of it. */
  known(range: PageRange): HomePage[] {
    const found: HomePage[] = []
    if (range.count > this.pages.size) {
      for (const page of this.pages.values()) {
        if (page.page >= range.first && page.page < range.first + range.count) found.push(page)
      }
      return found
    }
    for (let offset = 0; offset < range.count; offset++) {
      const page = this.pages.get((range.first + offset) as PageIndex)
      if (page !== undefined) found.push(page)
    }
    return found
  }

  /** Whether the storage of some of the pages is about to be taken away: nobody begins to use them. */
  isSeized(range: PageRange): boolean {
    return this.seizures.some(({ turn }) => overlaps(turn.range, range))
  }

  send(to: SiteId, message: HomeMessage, attach?: readonly Attachment[]): void {
    this.effects.push({ kind: 'send', to, message, ...(attach === undefined ? {} : { attach }) })
  }

  /** Counts on the child's acknowledgement. */
  owe(child: SiteId, unacknowledged: Set<number>, drops: readonly PageIndex[]): number {
    const serial = ++this.#serial
    unacknowledged.add(serial)
    this.owed.set(serial, { child, unacknowledged, drops })
    return serial
  }

  load(load: Load): void {
    const number = ++this.#load
    this.loads.set(number, load)
    this.effects.push({ kind: 'load', load: number, range: load.range })
  }

  nextCommit(): CommitId {
    return ++this.#commit as CommitId
  }
}

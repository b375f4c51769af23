import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { SiteId } from '../../../address/identity.js'
import type { PageIndex, PageRange } from '../../../address/page.js'
import type { Attachment, CmEffect, CmSite, CommitId, LockId, ParcelId } from '../../contract.js'
import { TermsTable } from '../terms-table.js'
import type { ChildMessage, CopiesMessage, PageChange } from '../message.js'
import type { CopiesPolicy } from '../policy.js'
import { isIdle, newChildPage } from './child-page.js'
import type { ChildPage } from './child-page.js'
import { noBytes } from '../message.js'

/** A local lock that waits. */
export interface WaitingLock {
  readonly lock: LockId
  readonly range: PageRange
  readonly mode: LockMode
  readonly terms: LockTerms
  /** On this site's clock. */
  readonly askedAt: number
  readonly takesTurn: boolean
  /** Of its question for a turn; 0: not asked. */
  serial: number
  /** What that question said to be here, page by page. */
  known: readonly number[]
  hasTurn: boolean
  /** Answers from this serial on are good enough for it; 0: any copy that the policy finds usable. */
  validFrom: number
}

/** A lock held that has its turn at the home. */
export interface HeldTurn {
  /** 0: the home knows nothing of it any more. */
  serial: number
  readonly range: PageRange
  readonly mode: LockMode
}

export interface Fetch {
  readonly range: PageRange
  /** What it said to be here, page by page. */
  readonly known: readonly number[]
  readonly sentAt: number
  /** The lock that it is for, which a refusal ends. */
  readonly lock: LockId
  /** What the copies that it brings have in common: see `ChildPage.moment`. */
  readonly moment: number
}

/** A section on its way to the home. Its parcels are kept, to be applied to the copies when it is durable. */
export interface OwnCommit {
  readonly number: CommitId
  readonly ticket: number
  readonly lock: number
  readonly pages: readonly PageIndex[]
  readonly parcels: readonly ParcelId[]
  /** On this site's clock. */
  readonly sentAt: number
}

/** Parts of an `update` or `committed` that came, until the final one. Their parcels are kept. */
export interface PendingChanges {
  readonly numbers: number[]
  readonly changes: PageChange[]
  readonly parcels: ParcelId[]
}

/** Pages whose invalidation is to be acknowledged once no open lock uses them. */
export interface OwedAck {
  readonly serial: number
  readonly pages: readonly PageIndex[]
}

/** The state of a manager that is not at the home, shared by the files that each handle a part of it. */
export class ChildState {
  readonly site: CmSite
  readonly policy: CopiesPolicy
  readonly home: SiteId
  readonly pages = new Map<PageIndex, ChildPage>()
  readonly waiting = new Map<LockId, WaitingLock>()
  readonly turns = new TermsTable<HeldTurn>()
  readonly fetches = new Map<number, Fetch>()
  readonly commits = new Map<number, OwnCommit>()
  owedAcks: OwedAck[] = []
  pending: PendingChanges | undefined
  isConnected = false
  effects: CmEffect<CopiesMessage>[] = []
  /** Whether waiting locks are to be looked at once more. */
  isStirred = false
  #serial = 0
  #commit = 0

  constructor(site: CmSite, home: SiteId, policy: CopiesPolicy) {
    this.site = site
    this.home = home
    this.policy = policy
  }

  page(page: PageIndex): ChildPage {
    const known = this.pages.get(page)
    if (known !== undefined) return known
    const made = newChildPage(page)
    this.pages.set(page, made)
    return made
  }

  forgetIfIdle(page: ChildPage): void {
    if (page.version === noBytes && page.floor === 0 && isIdle(page)) this.pages.delete(page.page)
  }

  send(message: ChildMessage, attach?: readonly Attachment[]): void {
    this.effects.push({ kind: 'send', to: this.home, message, ...(attach === undefined ? {} : { attach }) })
  }

  nextSerial(): number {
    return ++this.#serial
  }

  nextCommit(): CommitId {
    return ++this.#commit as CommitId
  }
}

import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { CrewMessage, StoredPage } from '../../wire/crew-message.js'
import type { CmEffect, CmOptions, CmSite, CommitId, CommitOrigin, LockId } from '../contract.js'
import { Doubts, Overtakings, versionsSkipped } from './doubts.js'
import { Fences } from './fences.js'
import { Outbox } from './outbox.js'
import { exclusive, newPageState, noBytes, none, setChild } from './page-state.js'
import type { LockRequest, PageState, Right } from './page-state.js'
import type { PlantedBug } from './planted-bug.js'

/** Pages on their way to stable storage, and who is told of the end. */
export interface Commit {
  readonly origin: CommitOrigin
  readonly pages: readonly PageIndex[]
  /** The number that each page got. */
  readonly versions: readonly number[]
  /** It is part of a transaction: its pages are held, and nothing rests on it before it has ended. */
  readonly isTogether: boolean
}

/**
 * The state of one manager, shared by the files that each handle one side of it. They change pages and `mark` them;
 * at the end of the step `pump` looks at every marked page once more. So no handler calls another, and the order in
 * which a step looks at pages does not depend on who marked them first: it is the order of marking.
 */
export class CrewState {
  readonly pages = new Map<PageIndex, PageState>()
  /** Local locks that wait. */
  readonly locks = new Map<LockId, LockRequest>()
  readonly commits = new Map<CommitId, Commit>()
  readonly doubts = new Doubts()
  /** Commits of before this manager that are to be asked about. */
  readonly inherited: CommitId[] = []
  /** Root. */
  readonly overtakings = new Overtakings()
  readonly outbox = new Outbox()
  readonly fences: Fences
  readonly site: CmSite
  readonly plantedBug: PlantedBug | undefined
  /** Root: whether no right may be given yet: holders of others, from before a restart, may use them still. */
  inGrace: boolean
  connected: boolean
  effects: CmEffect[] = []
  readonly #marked = new Set<PageIndex>()
  #taking: SetIterator<PageIndex> | undefined
  /** Pages of which a child holds a right or waits for one: a superset. */
  readonly #pagesOfChild = new Map<SiteId, Set<PageIndex>>()
  /** How many pages of a child are void. */
  readonly #voidedPages = new Map<SiteId, number>()
  #serial = 0
  /** The newest question when this site last gave an exclusive token up of its own accord. */
  #surrenderedAt = -1
  /** The newest question that the parent itself has answered. */
  #answered = 0
  #commit = 0
  /** Commits up to this one. */
  #barred = 0

  constructor(site: CmSite, options: CmOptions, plantedBug: PlantedBug | undefined) {
    this.site = site
    this.plantedBug = plantedBug
    this.fences = new Fences(options.fences ?? noFences, plantedBug)
    this.inGrace = options.grace === 'until-ended'
    this.connected = site.parent === undefined
  }

  get isRoot(): boolean {
    return this.site.parent === undefined
  }

  /** The page's state, made where there is none. At the root only for pages that have storage. */
  page(page: PageIndex): PageState {
    const known = this.pages.get(page)
    if (known !== undefined) return known
    const made = this.isRoot
      ? newPageState(page, exclusive, this.site.versionOf(page))
      : newPageState(page, none, noBytes)
    if (this.isRoot && this.site.isInDoubt?.(page) === true) made.held += 1
    this.pages.set(page, made)
    return made
  }

  mark(state: PageState): void {
    this.#marked.add(state.page)
  }

  get hasMarked(): boolean {
    return this.#marked.size > 0
  }

  /** Takes the next page to look at. */
  takeMarked(): PageState | undefined {
    // One iteration for all of a step: to begin anew for each page would step over all that have been taken.
    const taking = (this.#taking ??= this.#marked.values())
    for (let next = taking.next(); next.done !== true; next = taking.next()) {
      this.#marked.delete(next.value)
      const state = this.pages.get(next.value)
      if (state !== undefined) return state
    }
    this.#taking = undefined
    return undefined
  }

  send(to: SiteId, message: CrewMessage): void {
    this.effects.push({ kind: 'send', to, message })
  }

  /** Asks for more fences before there are none. */
  askForFences(): void {
    const { fences } = this
    const { parent } = this.site
    if (!fences.isLow || fences.isAsking || !this.connected) return
    if (parent === undefined) {
      fences.learn({ used: 0, limit: this.site.fenceLimit(fences.used) })
      return
    }
    fences.isAsking = true
    this.send(parent, { kind: 'ask-fences', used: fences.used })
  }

  nextSerial = (): number => ++this.#serial

  noteSurrender(): void {
    this.#surrenderedAt = this.#serial
  }

  noteAnswer(serial: number): void {
    if (serial > this.#answered) this.#answered = serial
  }

  /** The parent and this site begin anew: nothing is on its way. */
  forgetSurrender(): void {
    this.#surrenderedAt = -1
  }

  /**
   * Whether no order about a token that this site gave up of its own accord can still be on its way from the parent. A
   * sibling's token may overtake such an order. This site would then obey it with the new token, and hand that to whom
   * nobody expects to have it. What the parent has answered since the surrender came after all such orders.
   */
  get isPastSurrender(): boolean {
    return this.#answered > this.#surrenderedAt
  }

  nextCommit(): CommitId {
    return ++this.#commit as CommitId
  }

  /** Numbers up to this one are of commits of before this manager. */
  skipCommits(to: CommitId): void {
    if (to > this.#commit) this.#commit = to
  }

  /** A commit of this site has not happened, or may not have: those on their way may have read it, so none of them is done again. */
  bar(): void {
    this.#barred = this.#commit
  }

  isBarred(commit: CommitId): boolean {
    return commit <= this.#barred
  }

  /** Looks at the page that commits in doubt need next. */
  markDoubt(): void {
    const { next } = this.doubts
    if (next !== undefined) this.mark(this.page(next))
  }

  /** Root: what storage has of the page, for those who are in doubt. */
  storedOf(page: PageIndex): StoredPage | undefined {
    const version = this.site.storedVersion?.(page)
    return version === undefined ? undefined : { version, ...this.overtakings.of(page, version) }
  }

  /** Root: numbers that a child may have given, and of which nothing has come here, are given to nobody else. */
  skipVersions(state: PageState): void {
    if (!this.#leavesNumbersOut) return
    state.version += versionsSkipped
    this.useVersions(state.version)
  }

  /** Root: none up to this one is given any more to a page whose version is that of storage. */
  useVersions(to: number): void {
    if (this.#leavesNumbersOut) this.site.skipVersions?.(to)
  }

  get #leavesNumbersOut(): boolean {
    return this.isRoot && this.site.keepsDoubts === true && this.plantedBug !== 'numbers-given-again'
  }

  /** Notes that the child has something to do with the page, so that its loss finds it. */
  involve(child: SiteId, page: PageIndex): void {
    const pages = this.#pagesOfChild.get(child)
    if (pages === undefined) this.#pagesOfChild.set(child, new Set([page]))
    else pages.add(page)
  }

  involved(child: SiteId): Iterable<PageIndex> {
    return this.#pagesOfChild.get(child) ?? []
  }

  forgetChild(child: SiteId): void {
    this.#pagesOfChild.delete(child)
  }

  /**
   * What the child holds, if anything, is void. The caller tells it; the child answers by a yield of what it had. Until
   * then it counts as exclusive, so that nobody uses the page beside it, whose bytes may be others.
   */
  voidChild(state: PageState, child: SiteId): void {
    if (state.children?.has(child) !== true || state.voided?.has(child) === true) return
    if (state.children.get(child) === exclusive) this.skipVersions(state)
    setChild(state, child, exclusive)
    state.voided ??= new Set<SiteId>()
    state.voided.add(child)
    state.recalling ??= new Map<SiteId, Right>()
    state.recalling.set(child, none)
    this.#voidedPages.set(child, (this.#voidedPages.get(child) ?? 0) + 1)
  }

  /** Whether the child has yet to hear that something it held, and may have read, is void. */
  hasVoided(child: SiteId): boolean {
    return this.#voidedPages.has(child)
  }

  #unvoid(state: PageState, child: SiteId): void {
    if (state.voided?.delete(child) !== true) return
    const left = (this.#voidedPages.get(child) ?? 0) - 1
    if (left > 0) this.#voidedPages.set(child, left)
    else this.#voidedPages.delete(child)
  }

  /** Sets what a child holds. */
  lend(state: PageState, child: SiteId, right: Right): void {
    if (right === none) this.#unvoid(state, child)
    setChild(state, child, right)
    if (right !== none) this.involve(child, state.page)
    else if (
      state.handing?.from !== child &&
      !state.queue.some((waiter) => waiter.kind === 'child' && waiter.child === child)
    ) {
      this.#pagesOfChild.get(child)?.delete(state.page)
    }
  }
}

const noFences = { used: 0, limit: 0 } as const

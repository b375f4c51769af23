import { mayWrite } from '../../address/lock-mode.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { present, unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type {
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
  CommitId,
  CommittedPage,
  ConsistencyManager,
  EvictAnswer,
  PageView,
  ParcelId,
} from '../contract.js'
import { Backoff } from './backoff.js'
import { HomeOutbox } from './home-outbox.js'
import { disown, holderOf, isIdle, isUpToDate, newHomePage } from './home-page.js'
import type { Holder, HomePage, Write } from './home-page.js'
import { HybridClock, isFarAhead } from './hybrid-clock.js'
import type { Stamp } from './hybrid-clock.js'
import { LocalLocks } from './local-locks.js'
import { checkAttached, isForHome, pagesPerMessageMax } from './message.js'
import type { EventualMessage, HeldPage, PushedPage } from './message.js'
import type { EventualBug } from './planted-bug.js'

const noEffects: readonly CmEffect<EventualMessage>[] = []

/** Updates that one child may have to acknowledge. */
export const updatesUnderWayMax = 64

const notAllocated = {
  code: 'not-allocated',
  message: 'the range has no storage: allocate it first',
} as const

/**
 * The home. Writes of a page come from its own locks and from pushes; they are made durable one at a time, and each that
 * prevails gives the page a higher stamp. What is durable is sent to all who hold a copy, one update a page and child under
 * way, always the newest; so no copy ever has bytes of the home's that a crash could take back.
 *
 * What is accepted here shows in the frame at once, ahead of what is durable. The frame cannot be sent while it does: a
 * page that holders wait for takes no new local writer until they were sent one. Without that, one who writes the page
 * again and again at the home would keep it from everybody else.
 *
 * A write of the home's own that cannot be stored stays in memory, is seen here and nowhere else, and is tried again.
 */
export class HomeSite implements ConsistencyManager<EventualMessage> {
  readonly #site: CmSite
  readonly #merges: boolean
  readonly #bug: EventualBug | undefined
  readonly #clock = new HybridClock()
  readonly #pages = new Map<PageIndex, HomePage>()
  readonly #locks: LocalLocks
  readonly #outbox = new HomeOutbox()
  /** Of the home's own writes. Children have their own patience. */
  readonly #storing = new Backoff()
  readonly #loading = new Backoff()
  readonly #commits = new Map<CommitId, readonly HomePage[]>()
  readonly #loads = new Map<number, HomePage>()
  /** How many updates each child has to acknowledge. */
  readonly #underWay = new Map<SiteId, number>()
  readonly #marked = new Set<PageIndex>()
  /** Pages that have to wait for children with too much under way. */
  readonly #crowded = new Map<SiteId, Set<PageIndex>>()
  #starting: HomePage[] = []
  #commit = 0
  #load = 0
  #effects: CmEffect<EventualMessage>[] = []

  constructor(site: CmSite, options: CmOptions, bug: EventualBug | undefined) {
    this.#site = site
    this.#merges = options.merges
    this.#bug = bug
    this.#locks = new LocalLocks({
      has: (page) => this.#site.isAllocated({ first: page, count: 1 }),
      admits: (page, mode, terms) => this.#admits(page, mode, terms),
      baseOf: (page) => this.#pages.get(page)?.stamp ?? this.#site.versionOf(page),
    })
  }

  #admits(page: PageIndex, mode: LockMode, terms: LockTerms): boolean {
    const state = this.#pages.get(page)
    if (state === undefined) return true
    // Storage is taken away only when nothing is on its way to it.
    if (terms.seize) return state.commit === undefined
    return !mayWrite(mode) || !state.isOwed
  }

  #page(page: PageIndex): HomePage {
    const known = this.#pages.get(page)
    if (known !== undefined) return known
    const made = newHomePage(page, this.#site.versionOf(page))
    this.#pages.set(page, made)
    return made
  }

  tryAcquire(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): boolean {
    return this.#locks.tryAcquire(first, count, mode, terms)
  }

  release(
    first: PageIndex,
    count: number,
    mode: LockMode,
    terms: LockTerms,
  ): readonly CmEffect<EventualMessage>[] {
    this.#locks.release(first, count, mode, terms)
    // What was pushed meanwhile has waited.
    if (terms.seize) this.#markRange({ first, count })
    return this.#finish()
  }

  step(event: CmEvent<EventualMessage>): readonly CmEffect<EventualMessage>[] {
    this.#handle(event)
    return this.#finish()
  }

  #finish(): readonly CmEffect<EventualMessage>[] {
    // Whoever takes a page's storage away comes before what would be written to it next.
    this.#locks.serve(this.#effects)
    for (const page of this.#marked) this.#pump(page)
    this.#marked.clear()
    this.#persistStarting()
    this.#outbox.flush(this.#effects)
    this.#locks.serve(this.#effects)
    if (this.#effects.length === 0) return noEffects
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #handle(event: CmEvent<EventualMessage>): void {
    switch (event.kind) {
      case 'lock':
        return this.#onLock(event)
      case 'cancel':
        return this.#locks.cancel(event.lock)
      case 'unlock':
        return this.#onUnlock(event)
      case 'message':
        return this.#onMessage(event.from, event.message, event.parcels)
      case 'child-lost':
        return this.#onChildLost(event.child)
      case 'durable':
        return this.#onDurable(event.commit)
      case 'not-durable':
        return this.#onNotDurable(event.commit)
      case 'loaded':
        return this.#onLoaded(event.load, event.failure)
      case 'freed':
        return this.#onFreed(event.range, event)
      case 'alarm':
        return this.#onAlarm()
      case 'quiesce':
        this.#storing.tryAgain()
        return this.#markAll()
      case 'parent-lost':
      case 'parent-ready':
      case 'sibling-lost':
      case 'grace-ended':
      case 'resume':
        return
      default:
        return unreachable(event)
    }
  }

  #markRange({ first, count }: PageRange): void {
    for (let page = first; page < first + count; page++) this.#marked.add(page)
  }

  #markAll(): void {
    for (const page of this.#pages.keys()) this.#marked.add(page)
  }

  #setAlarm(): void {
    this.#effects.push({ kind: 'alarm', at: Math.min(this.#storing.until, this.#loading.until) })
  }

  #onAlarm(): void {
    const { now } = this.#site
    this.#storing.expire(now)
    if (this.#loading.expire(now)) {
      for (const state of this.#pages.values()) state.isUnreadable = false
    }
    this.#setAlarm()
    this.#markAll()
  }

  // ---- local locks ------------------------------------------------------------------------------------------------

  #onLock(event: Extract<CmEvent<EventualMessage>, { kind: 'lock' }>): void {
    const { lock, range } = event
    if (this.#site.isAllocated(range)) this.#locks.add(event)
    else this.#effects.push({ kind: 'refuse', lock, ...notAllocated })
  }

  #onUnlock(event: Extract<CmEvent<EventualMessage>, { kind: 'unlock' }>): void {
    const { range, mode, terms, written, parcels, ticket } = event
    written.forEach((page, index) => this.#accept(page, parcels[index]))
    this.#locks.release(range.first, range.count, mode, terms)
    const commit = this.#nextCommit()
    this.#effects.push({ kind: 'ended', commit, ticket, failure: undefined })
  }

  /** Shows what was written here, and sees to it that it becomes durable. */
  #accept(page: PageIndex, given: ParcelId | undefined): void {
    const parcel = present(given, 'what is written comes with an unlock')
    const state = this.#page(page)
    const base = this.#locks.pins(page)?.base ?? state.stamp
    this.#effects.push({ kind: 'keep', parcel })
    // The writer did not see what has become durable meanwhile: its page must not undo it.
    this.#effects.push({ kind: this.#merges && base !== state.stamp ? 'merge' : 'apply', page, parcel })
    // It was written upon what was accepted before, and has all of it.
    if (state.accepted !== undefined) this.#forget(state.accepted)
    const above = Math.max(state.stamp, state.commit?.result ?? 0) as Stamp
    const stamp = this.#clock.next(this.#site.wallTime, above)
    state.accepted = { by: undefined, parcel, stamp, base, isAwaited: false }
    this.#marked.add(page)
  }

  #forget(write: Write): void {
    this.#effects.push({ kind: 'forget', parcel: write.parcel })
  }

  // ---- what children say ------------------------------------------------------------------------------------------

  #onMessage(from: SiteId, message: EventualMessage, parcels: readonly ParcelId[]): void {
    if (!isForHome(message)) {
      throw new KhazanaError('protocol-error', `"${message.kind}" is only for the home to say`)
    }
    checkAttached(message, parcels.length)
    switch (message.kind) {
      case 'hold':
        return this.#onHold(from, message.pages)
      case 'push':
        return this.#onPush(from, message.pages, parcels)
      case 'ack':
        for (const { page, stamp } of message.pages) this.#onAck(from, page, stamp)
        return
      case 'drop':
        for (const page of message.pages) this.#removeHolder(from, page)
        return
      default:
        return unreachable(message)
    }
  }

  #onHold(from: SiteId, pages: readonly HeldPage[]): void {
    const missing: PageIndex[] = []
    for (const { page, stamp } of pages) {
      if (!this.#isStored(page)) {
        missing.push(page)
        continue
      }
      const state = this.#page(page)
      // What it has pushed before was from a copy that it has no more: the answer would not be understood.
      disown(state, from)
      holderOf(state, from).sent = stamp
      this.#marked.add(page)
    }
    this.#outbox.gone(this.#effects, from, missing, notAllocated)
  }

  #isStored(page: PageIndex): boolean {
    return this.#site.isAllocated({ first: page, count: 1 })
  }

  #onPush(from: SiteId, pages: readonly PushedPage[], parcels: readonly ParcelId[]): void {
    const missing: PageIndex[] = []
    pages.forEach(({ page, stamp, base }, index) => {
      const parcel = parcels[index]
      if (parcel === undefined) return
      if (!this.#isStored(page)) {
        missing.push(page)
        return
      }
      const state = this.#page(page)
      holderOf(state, from)
      if (!isFarAhead(stamp, this.#site.wallTime)) this.#clock.observe(stamp)
      // A child that is in order pushes a page again only when it was answered.
      const earlier = state.queue.findIndex((write) => write.by === from && write.isAwaited)
      for (const write of earlier < 0 ? [] : state.queue.splice(earlier, 1)) this.#forget(write)
      this.#effects.push({ kind: 'keep', parcel })
      state.queue.push({ by: from, parcel, stamp, base, isAwaited: true })
      this.#marked.add(page)
    })
    this.#outbox.gone(this.#effects, from, missing, notAllocated)
  }

  #onAck(from: SiteId, page: PageIndex, stamp: Stamp): void {
    const holder = this.#pages.get(page)?.holders.get(from)
    if (holder?.underWay !== stamp) return
    this.#endUpdate(from, holder)
    this.#marked.add(page)
  }

  #endUpdate(child: SiteId, holder: Holder): void {
    if (holder.underWay === undefined) return
    holder.underWay = undefined
    this.#underWay.set(child, (this.#underWay.get(child) ?? 1) - 1)
    // One of those that waited for room has it now.
    const crowded = this.#crowded.get(child)
    for (const page of crowded ?? []) {
      crowded?.delete(page)
      this.#marked.add(page)
      return
    }
  }

  #removeHolder(child: SiteId, page: PageIndex): void {
    const state = this.#pages.get(page)
    const holder = state?.holders.get(child)
    if (state === undefined || holder === undefined) return
    this.#endUpdate(child, holder)
    state.holders.delete(child)
    this.#marked.add(page)
  }

  /** What it has pushed stands; nobody waits for the answer. */
  #onChildLost(child: SiteId): void {
    this.#crowded.delete(child)
    this.#underWay.delete(child)
    for (const state of this.#pages.values()) {
      disown(state, child)
      if (state.holders.delete(child)) this.#marked.add(state.page)
    }
  }

  // ---- a page after a change --------------------------------------------------------------------------------------

  #pump(page: PageIndex): void {
    const state = this.#pages.get(page)
    if (state === undefined) return
    this.#startCommit(state)
    this.#serve(state)
    if (isIdle(state)) this.#pages.delete(page)
  }

  #startCommit(state: HomePage): void {
    const { page } = state
    if (this.#locks.pins(page)?.seized === true) return
    while (state.commit === undefined) {
      const write = this.#takeNext(state)
      if (write === undefined) return
      if (this.#merges || write.stamp > state.stamp) this.#commitWrite(state, write)
      else this.#overrule(state, write)
    }
  }

  /** The write whose turn it is: of several the last one, which spares the others the way; for merging, in any order. */
  #takeNext(state: HomePage): Write | undefined {
    const { accepted, queue } = state
    let next = this.#storing.isWaiting ? undefined : accepted
    for (const write of queue) {
      if (next === undefined || (!this.#merges && write.stamp > next.stamp)) next = write
    }
    if (next === undefined) return undefined
    if (next === accepted) state.accepted = undefined
    else queue.splice(queue.indexOf(next), 1)
    return next
  }

  #commitWrite(state: HomePage, write: Write): void {
    const { wallTime } = this.#site
    const isMerged = this.#merges && write.base !== state.stamp
    // A stamp of the far future is not followed: the write counts as of now.
    const isUsable =
      write.stamp > state.stamp && (write.by === undefined || !isFarAhead(write.stamp, wallTime))
    const result = isMerged || !isUsable ? this.#clock.next(wallTime, state.stamp) : write.stamp
    state.commit = { write, result, isMerged }
    this.#starting.push(state)
  }

  /** It is older than what is durable. Its writer gets that. */
  #overrule(state: HomePage, write: Write): void {
    this.#forget(write)
    if (write.by === undefined || !write.isAwaited) return
    holderOf(state, write.by).overruled = write.stamp
  }

  /** Sends the durable state to those who have another, if the frame is that. */
  #serve(state: HomePage): void {
    state.isOwed = false
    if (state.isUnreadable) return
    for (const [child, holder] of state.holders) {
      if (isUpToDate(state, holder)) continue
      if (holder.overruled === undefined && !this.#hasRoom(state, child, holder)) continue
      state.isOwed = true
    }
    if (!state.isOwed || state.isLoading || isAhead(state)) return
    const load = ++this.#load
    this.#loads.set(load, state)
    state.isLoading = true
    this.#effects.push({ kind: 'load', load, range: { first: state.page, count: 1 } })
  }

  #hasRoom(state: HomePage, child: SiteId, holder: Holder): boolean {
    if (holder.underWay !== undefined) return false
    if ((this.#underWay.get(child) ?? 0) < updatesUnderWayMax) return true
    let crowded = this.#crowded.get(child)
    if (crowded === undefined) this.#crowded.set(child, (crowded = new Set()))
    crowded.add(state.page)
    return false
  }

  // ---- storage ----------------------------------------------------------------------------------------------------

  #nextCommit(): CommitId {
    return ++this.#commit as CommitId
  }

  #persistStarting(): void {
    if (this.#starting.length === 0) return
    for (let start = 0; start < this.#starting.length; start += pagesPerMessageMax) {
      const states = this.#starting.slice(start, start + pagesPerMessageMax)
      const commit = this.#nextCommit()
      this.#commits.set(commit, states)
      this.#effects.push({ kind: 'persist', commit, pages: states.map(committedPage) })
    }
    this.#starting = []
  }

  #onDurable(commit: CommitId): void {
    const states = this.#commits.get(commit) ?? []
    this.#commits.delete(commit)
    this.#storing.succeeded()
    for (const state of states) this.#settle(state)
  }

  #settle(state: HomePage): void {
    const { write, result, isMerged } = present(state.commit, 'a commit ends once')
    state.commit = undefined
    // A writer that saw all there was, and this, which was accepted before its lock began, sees all there is.
    const pins = this.#locks.pins(state.page)
    if (write.by === undefined) {
      if (pins?.base === state.stamp) pins.base = result
      // The same holds for what was written since.
      if (state.accepted?.base === state.stamp) state.accepted = { ...state.accepted, base: result }
    }
    state.stamp = result
    this.#forget(write)
    this.#restoreAccepted(state)
    this.#tellWriter(state, write, isMerged)
    this.#marked.add(state.page)
  }

  /** The frame is what is durable now: what was accepted meanwhile, and is to prevail, shows again. */
  #restoreAccepted(state: HomePage): void {
    const { page, accepted } = state
    if (accepted === undefined) return
    if (!this.#merges && accepted.stamp <= state.stamp) {
      state.accepted = undefined
      this.#forget(accepted)
      return
    }
    const isMerged = this.#merges && accepted.base !== state.stamp
    this.#effects.push({ kind: isMerged ? 'merge' : 'apply', page, parcel: accepted.parcel })
  }

  #tellWriter(state: HomePage, write: Write, isMerged: boolean): void {
    if (write.by === undefined || !write.isAwaited) return
    const holder = holderOf(state, write.by)
    if (isMerged) {
      holder.overruled = write.stamp
      return
    }
    holder.sent = state.stamp
    const { page, stamp } = state
    this.#outbox.answer(write.by, { page, pushed: write.stamp, stamp, result: 'kept' })
  }

  /** Nothing of it happened. Who pushed it has it still, and so has the home. Those behind it are told of, too. */
  #onNotDurable(commit: CommitId): void {
    const states = this.#commits.get(commit)
    if (states === undefined) return
    this.#commits.delete(commit)
    for (const state of states) this.#unsettle(state)
    this.#storing.failed(this.#site.now)
    this.#setAlarm()
  }

  #unsettle(state: HomePage): void {
    const { write } = present(state.commit, 'a commit ends once')
    state.commit = undefined
    this.#marked.add(state.page)
    if (write.by === undefined && state.accepted === undefined) {
      state.accepted = write
      return
    }
    this.#forget(write)
    if (write.by === undefined || !write.isAwaited) return
    const { page, stamp } = state
    this.#outbox.answer(write.by, { page, pushed: write.stamp, stamp, result: 'failed' })
  }

  #onLoaded(load: number, failure: { readonly code: ErrorCode; readonly message: string } | undefined): void {
    const state = this.#loads.get(load)
    if (state === undefined) return
    this.#loads.delete(load)
    state.isLoading = false
    this.#marked.add(state.page)
    if (failure !== undefined) return this.#onUnreadable(state, failure)
    this.#loading.succeeded()
    if (!isAhead(state)) this.#send(state)
  }

  #send(state: HomePage): void {
    const { page, stamp } = state
    const forgotten = this.#bug === 'forget-a-holder' ? lastHolder(state) : undefined
    for (const [child, holder] of state.holders) {
      if (holder === forgotten) holder.sent = stamp
      if (isUpToDate(state, holder)) continue
      const { overruled } = holder
      if (overruled !== undefined) {
        holder.overruled = undefined
        holder.sent = stamp
        this.#outbox.answer(child, { page, pushed: overruled, stamp, result: 'replaced' })
      } else if (holder.sent !== stamp && this.#hasRoom(state, child, holder)) {
        holder.sent = stamp
        holder.underWay = stamp
        this.#underWay.set(child, (this.#underWay.get(child) ?? 0) + 1)
        this.#outbox.update(child, { page, stamp })
      }
    }
  }

  /** Who has no bytes is told why there are none; who has some keeps them, and it is tried again. */
  #onUnreadable(state: HomePage, failure: { readonly code: ErrorCode; readonly message: string }): void {
    const { page, stamp } = state
    state.isUnreadable = true
    for (const [child, holder] of state.holders) {
      if (holder.overruled !== undefined) {
        this.#outbox.answer(child, { page, pushed: holder.overruled, stamp, result: 'failed' })
        holder.overruled = undefined
      } else if (holder.sent === undefined) {
        state.holders.delete(child)
        this.#outbox.gone(this.#effects, child, [page], failure)
      }
    }
    this.#loading.failed(this.#site.now)
    this.#setAlarm()
  }

  #onFreed(
    { first, count }: PageRange,
    failure: { readonly code: ErrorCode; readonly message: string },
  ): void {
    const gone = new Map<SiteId, PageIndex[]>()
    for (let index = first; index < first + count; index++) {
      const page = index
      const { code, message } = failure
      this.#locks.refuse(page, code, message, this.#effects)
      const state = this.#pages.get(page)
      if (state === undefined) continue
      this.#pages.delete(page)
      for (const write of [...state.queue, state.accepted]) if (write !== undefined) this.#forget(write)
      for (const [child, holder] of state.holders) {
        this.#endUpdate(child, holder)
        state.holders.delete(child)
        const pages = gone.get(child)
        if (pages === undefined) gone.set(child, [page])
        else pages.push(page)
      }
    }
    for (const [child, pages] of gone) this.#outbox.gone(this.#effects, child, pages, failure)
  }

  // ---- what the driver asks ---------------------------------------------------------------------------------------

  evict(page: PageIndex): EvictAnswer<EventualMessage> {
    const isNeeded = this.#locks.pins(page) !== undefined || this.isUnsettled(page)
    return { kind: isNeeded ? 'refused' : 'allowed', effects: noEffects }
  }

  isUnsettled(page: PageIndex): boolean {
    const state = this.#pages.get(page)
    return state !== undefined && isAhead(state)
  }

  needsLease(): boolean {
    return false
  }

  isQuiet(): boolean {
    for (const state of this.#pages.values()) {
      if (state.accepted !== undefined || state.commit !== undefined || state.queue.length > 0) return false
      if (state.isUnreadable) continue
      for (const holder of state.holders.values()) {
        if (holder.underWay !== undefined || !isUpToDate(state, holder)) return false
      }
    }
    return true
  }

  inspect(page: PageIndex): PageView {
    const state = this.#pages.get(page)
    const pins = this.#locks.pins(page)
    const children = new Map<SiteId, 'shared'>()
    for (const child of state?.holders.keys() ?? []) children.set(child, 'shared')
    return {
      right: 'shared',
      version: state === undefined ? this.#site.versionOf(page) : newestStamp(state),
      children,
      readers: pins?.readers ?? 0,
      writing: pins?.writing ?? false,
      waiting: this.#locks.waitingAt(page),
      unsettled: this.isUnsettled(page),
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#pages.keys()
  }
}

/** Whether the frame has what is not durable. */
function isAhead(state: HomePage): boolean {
  return state.accepted !== undefined || (state.commit !== undefined && state.commit.write.by === undefined)
}

/** Of the frame. */
function newestStamp({ accepted, commit, stamp }: HomePage): Stamp {
  if (accepted !== undefined) return accepted.stamp
  return commit !== undefined && commit.write.by === undefined ? commit.result : stamp
}

/** The one that a home with a bug forgets: the last of several that have the page already. */
function lastHolder(state: HomePage): Holder | undefined {
  const holders = [...state.holders.values()].filter(({ sent }) => sent !== undefined)
  return holders.length > 1 ? holders.at(-1) : undefined
}

function committedPage(state: HomePage): CommittedPage {
  const { write, result, isMerged } = present(state.commit, 'it was started in this step')
  const how = isMerged ? 'merge' : 'apply'
  return { page: state.page, version: result, parcels: [write.parcel], how, by: write.by }
}

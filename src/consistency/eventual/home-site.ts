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
  ConsistencyManager,
  EvictAnswer,
  PageView,
  ParcelId,
} from '../contract.js'
import { HomeCommits } from './home-commits.js'
import { disown, holderOf, isAhead, isIdle, isUpToDate, newestStamp } from './home-page.js'
import { HomeState } from './home-state.js'
import { HomeUpdates } from './home-updates.js'
import { isFarAhead } from './hybrid-clock.js'
import type { Stamp } from './hybrid-clock.js'
import { checkAttached, isForHome } from './message.js'
import type { EventualMessage, HeldPage, PushedPage } from './message.js'
import type { EventualBug } from './planted-bug.js'

const noEffects: readonly CmEffect<EventualMessage>[] = []

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
  readonly #home: HomeState
  readonly #commits: HomeCommits
  readonly #updates: HomeUpdates

  constructor(site: CmSite, options: CmOptions, bug: EventualBug | undefined) {
    this.#home = new HomeState(site, options, {
      bug,
      admits: (page, mode, terms) => this.#admits(page, mode, terms),
    })
    this.#commits = new HomeCommits(this.#home)
    this.#updates = new HomeUpdates(this.#home)
  }

  #admits(page: PageIndex, mode: LockMode, terms: LockTerms): boolean {
    const state = this.#home.pages.get(page)
    if (state === undefined) return true
    // Storage is taken away only when nothing is on its way to it.
    if (terms.seize) return state.commit === undefined
    return !mayWrite(mode) || !state.isOwed
  }

  tryAcquire(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): boolean {
    return this.#home.locks.tryAcquire(first, count, mode, terms)
  }

  release(
    first: PageIndex,
    count: number,
    mode: LockMode,
    terms: LockTerms,
  ): readonly CmEffect<EventualMessage>[] {
    this.#home.locks.release(first, count, mode, terms)
    // What was pushed meanwhile has waited.
    if (terms.seize) this.#home.markRange({ first, count })
    return this.#finish()
  }

  step(event: CmEvent<EventualMessage>): readonly CmEffect<EventualMessage>[] {
    this.#handle(event)
    return this.#finish()
  }

  #finish(): readonly CmEffect<EventualMessage>[] {
    const home = this.#home
    // Whoever takes a page's storage away comes before what would be written to it next.
    home.locks.serve(home.effects)
    home.pump((state) => {
      if (home.locks.pins(state.page)?.seized !== true) this.#commits.start(state)
      this.#updates.serve(state)
      if (isIdle(state)) home.pages.delete(state.page)
    })
    this.#commits.flush()
    home.outbox.flush(home.effects)
    home.locks.serve(home.effects)
    if (home.effects.length === 0) return noEffects
    const { effects } = home
    home.effects = []
    return effects
  }

  #handle(event: CmEvent<EventualMessage>): void {
    switch (event.kind) {
      case 'lock':
        return this.#onLock(event)
      case 'cancel':
        return this.#home.locks.cancel(event.lock)
      case 'unlock':
        return this.#onUnlock(event)
      case 'message':
        return this.#onMessage(event.from, event.message, event.parcels)
      case 'child-lost':
        return this.#onChildLost(event.child)
      case 'durable':
        return this.#commits.onDurable(event.commit)
      case 'not-durable':
        return this.#commits.onNotDurable(event.commit)
      case 'loaded':
        return this.#updates.onLoaded(event.load, event.failure)
      case 'freed':
        return this.#onFreed(event.range, event)
      case 'alarm':
        return this.#onAlarm()
      case 'quiesce':
        this.#home.storing.tryAgain()
        return this.#home.markAll()
      case 'parent-lost':
      case 'parent-ready':
      case 'sibling-lost':
      case 'doubt-ended':
      case 'grace-ended':
      case 'resume':
        return
      default:
        return unreachable(event)
    }
  }

  #onAlarm(): void {
    const { now } = this.#home.site
    this.#home.storing.expire(now)
    if (this.#home.loading.expire(now)) {
      for (const state of this.#home.pages.values()) state.isUnreadable = false
    }
    this.#home.setAlarm()
    this.#home.markAll()
  }

  // ---- local locks ------------------------------------------------------------------------------------------------

  #onLock(event: Extract<CmEvent<EventualMessage>, { kind: 'lock' }>): void {
    const { lock, range } = event
    if (this.#home.site.isAllocated(range)) this.#home.locks.add(event)
    else this.#home.effects.push({ kind: 'refuse', lock, ...notAllocated })
  }

  #onUnlock(event: Extract<CmEvent<EventualMessage>, { kind: 'unlock' }>): void {
    const { range, mode, terms, written, parcels, ticket } = event
    written.forEach((page, index) => this.#accept(page, parcels[index]))
    this.#home.locks.release(range.first, range.count, mode, terms)
    const commit = this.#home.nextCommit()
    this.#home.effects.push({ kind: 'ended', commit, ticket, failure: undefined })
  }

  /** Shows what was written here, and sees to it that it becomes durable. */
  #accept(page: PageIndex, given: ParcelId | undefined): void {
    const parcel = present(given, 'what is written comes with an unlock')
    const state = this.#home.page(page)
    const base = this.#home.locks.pins(page)?.base ?? state.stamp
    this.#home.effects.push({ kind: 'keep', parcel })
    // The writer did not see what has become durable meanwhile: its page must not undo it.
    this.#home.effects.push({
      kind: this.#home.merges && base !== state.stamp ? 'merge' : 'apply',
      page,
      parcel,
    })
    // It was written upon what was accepted before, and has all of it.
    if (state.accepted !== undefined) this.#home.forget(state.accepted)
    const above = Math.max(state.stamp, state.commit?.result ?? 0) as Stamp
    const stamp = this.#home.nextStamp(above)
    state.accepted = { by: undefined, parcel, stamp, base, isAwaited: false }
    this.#home.mark(page)
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
        for (const { page, stamp } of message.pages) this.#updates.onAck(from, page, stamp)
        return
      case 'drop':
        for (const page of message.pages) this.#updates.removeHolder(from, page)
        return
      default:
        return unreachable(message)
    }
  }

  #onHold(from: SiteId, pages: readonly HeldPage[]): void {
    const missing: PageIndex[] = []
    for (const { page, stamp } of pages) {
      if (!this.#home.isStored(page)) {
        missing.push(page)
        continue
      }
      const state = this.#home.page(page)
      // What it has pushed before was from a copy that it has no more: the answer would not be understood.
      disown(state, from)
      const isCurrent = stamp !== undefined && this.#home.site.isCurrent?.(page, stamp) === true
      holderOf(state, from).sent = isCurrent ? state.stamp : stamp
      this.#home.mark(page)
    }
    this.#home.outbox.gone(this.#home.effects, from, missing, notAllocated)
  }

  #onPush(from: SiteId, pages: readonly PushedPage[], parcels: readonly ParcelId[]): void {
    const missing: PageIndex[] = []
    pages.forEach(({ page, stamp, base }, index) => {
      const parcel = parcels[index]
      if (parcel === undefined) return
      if (!this.#home.isStored(page)) {
        missing.push(page)
        return
      }
      const state = this.#home.page(page)
      holderOf(state, from)
      if (!isFarAhead(stamp, this.#home.site.wallTime)) this.#home.clock.observe(stamp)
      // A child that is in order pushes a page again only when it was answered.
      const earlier = state.queue.findIndex((write) => write.by === from && write.isAwaited)
      for (const write of earlier < 0 ? [] : state.queue.splice(earlier, 1)) this.#home.forget(write)
      this.#home.effects.push({ kind: 'keep', parcel })
      state.queue.push({ by: from, parcel, stamp, base, isAwaited: true })
      this.#home.mark(page)
    })
    this.#home.outbox.gone(this.#home.effects, from, missing, notAllocated)
  }

  /** What it has pushed stands; nobody waits for the answer. */
  #onChildLost(child: SiteId): void {
    this.#updates.forgetChild(child)
    for (const state of this.#home.pages.values()) {
      disown(state, child)
      if (state.holders.delete(child)) this.#home.mark(state.page)
    }
  }

  #onFreed(
    { first, count }: PageRange,
    failure: { readonly code: ErrorCode; readonly message: string },
  ): void {
    const gone = new Map<SiteId, PageIndex[]>()
    for (let index = first; index < first + count; index++) {
      const page = index
      const { code, message } = failure
      this.#home.locks.refuse(page, code, message, this.#home.effects)
      const state = this.#home.pages.get(page)
      if (state === undefined) continue
      this.#home.pages.delete(page)
      for (const write of [...state.queue, state.accepted]) if (write !== undefined) this.#home.forget(write)
      for (const [child, holder] of state.holders) {
        this.#updates.end(child, holder)
        state.holders.delete(child)
        const pages = gone.get(child)
        if (pages === undefined) gone.set(child, [page])
        else pages.push(page)
      }
    }
    for (const [child, pages] of gone) this.#home.outbox.gone(this.#home.effects, child, pages, failure)
  }

  // ---- what the driver asks ---------------------------------------------------------------------------------------

  evict(page: PageIndex): EvictAnswer<EventualMessage> {
    const isNeeded = this.#home.locks.pins(page) !== undefined || this.isUnsettled(page)
    return { kind: isNeeded ? 'refused' : 'allowed', effects: noEffects }
  }

  isUnsettled(page: PageIndex): boolean {
    const state = this.#home.pages.get(page)
    return state !== undefined && isAhead(state)
  }

  needsLease(): boolean {
    return false
  }

  isQuiet(): boolean {
    for (const state of this.#home.pages.values()) {
      if (state.accepted !== undefined || state.commit !== undefined || state.queue.length > 0) return false
      if (state.isUnreadable) continue
      for (const holder of state.holders.values()) {
        if (holder.underWay !== undefined || !isUpToDate(state, holder)) return false
      }
    }
    return true
  }

  inspect(page: PageIndex): PageView {
    const state = this.#home.pages.get(page)
    const pins = this.#home.locks.pins(page)
    const children = new Map<SiteId, 'shared'>()
    for (const child of state?.holders.keys() ?? []) children.set(child, 'shared')
    return {
      right: 'shared',
      version: state === undefined ? this.#home.site.versionOf(page) : newestStamp(state),
      children,
      readers: pins?.readers ?? 0,
      writing: pins?.writing ?? false,
      waiting: this.#home.locks.waitingAt(page),
      unsettled: this.isUnsettled(page),
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#home.pages.keys()
  }
}

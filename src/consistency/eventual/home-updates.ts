import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { isAhead, isUpToDate } from './home-page.js'
import type { Holder, HomePage } from './home-page.js'
import type { HomeState } from './home-state.js'
import type { Stamp } from './hybrid-clock.js'

/** Updates that one child may have to acknowledge. */
const updatesUnderWayMax = 64

/** Sends what is durable to those who have something else: from memory, to which it is brought first. */
export class HomeUpdates {
  readonly #home: HomeState
  readonly #loads = new Map<number, HomePage>()
  /** How many updates each child has to acknowledge. */
  readonly #underWay = new Map<SiteId, number>()
  /** Pages that have to wait for children with too much under way. */
  readonly #crowded = new Map<SiteId, Set<PageIndex>>()
  #load = 0

  constructor(home: HomeState) {
    this.#home = home
  }

  /** Sends the durable state to those who have another, if the frame is that. */
  serve(state: HomePage): void {
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
    this.#home.effects.push({ kind: 'load', load, range: { first: state.page, count: 1 } })
  }

  #hasRoom(state: HomePage, child: SiteId, holder: Holder): boolean {
    if (holder.underWay !== undefined) return false
    if ((this.#underWay.get(child) ?? 0) < updatesUnderWayMax) return true
    let crowded = this.#crowded.get(child)
    if (crowded === undefined) this.#crowded.set(child, (crowded = new Set()))
    crowded.add(state.page)
    return false
  }

  onLoaded(load: number, failure: { readonly code: ErrorCode; readonly message: string } | undefined): void {
    const state = this.#loads.get(load)
    if (state === undefined) return
    this.#loads.delete(load)
    state.isLoading = false
    this.#home.mark(state.page)
    if (failure !== undefined) return this.#onUnreadable(state, failure)
    this.#home.loading.succeeded()
    if (!isAhead(state)) this.#send(state)
  }

  #send(state: HomePage): void {
    const { page, stamp } = state
    const forgotten = this.#home.bug === 'forget-a-holder' ? lastHolder(state) : undefined
    for (const [child, holder] of state.holders) {
      if (holder === forgotten) holder.sent = stamp
      if (isUpToDate(state, holder)) continue
      const { overruled } = holder
      if (overruled !== undefined) {
        holder.overruled = undefined
        holder.sent = stamp
        this.#home.outbox.answer(child, { page, pushed: overruled, stamp, result: 'replaced' })
      } else if (holder.sent !== stamp && this.#hasRoom(state, child, holder)) {
        holder.sent = stamp
        holder.underWay = stamp
        this.#underWay.set(child, (this.#underWay.get(child) ?? 0) + 1)
        this.#home.outbox.update(child, { page, stamp })
      }
    }
  }

  /** Who has no bytes is told why there are none; who has some keeps them, and it is tried again. */
  #onUnreadable(state: HomePage, failure: { readonly code: ErrorCode; readonly message: string }): void {
    const { page, stamp } = state
    state.isUnreadable = true
    for (const [child, holder] of state.holders) {
      if (holder.overruled !== undefined) {
        this.#home.outbox.answer(child, { page, pushed: holder.overruled, stamp, result: 'failed' })
        holder.overruled = undefined
      } else if (holder.sent === undefined) {
        state.holders.delete(child)
        this.#home.outbox.gone(this.#home.effects, child, [page], failure)
      }
    }
    this.#home.loading.failed(this.#home.site.now)
    this.#home.setAlarm()
  }

  onAck(from: SiteId, page: PageIndex, stamp: Stamp): void {
    const holder = this.#home.pages.get(page)?.holders.get(from)
    if (holder?.underWay !== stamp) return
    this.end(from, holder)
    this.#home.mark(page)
  }

  /** Nothing is on its way to the child any more, of this page. */
  end(child: SiteId, holder: Holder): void {
    if (holder.underWay === undefined) return
    holder.underWay = undefined
    this.#underWay.set(child, (this.#underWay.get(child) ?? 1) - 1)
    // One of those that waited for room has it now.
    const crowded = this.#crowded.get(child)
    for (const page of crowded ?? []) {
      crowded?.delete(page)
      this.#home.mark(page)
      return
    }
  }

  removeHolder(child: SiteId, page: PageIndex): void {
    const state = this.#home.pages.get(page)
    const holder = state?.holders.get(child)
    if (state === undefined || holder === undefined) return
    this.end(child, holder)
    state.holders.delete(child)
    this.#home.mark(page)
  }

  forgetChild(child: SiteId): void {
    this.#crowded.delete(child)
    this.#underWay.delete(child)
  }
}

/** The one that a home with a bug forgets: the last of several that have the page already. */
function lastHolder(state: HomePage): Holder | undefined {
  const holders = [...state.holders.values()].filter(({ sent }) => sent !== undefined)
  return holders.length > 1 ? holders.at(-1) : undefined
}

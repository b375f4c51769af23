import { present } from '../../stdx/assert.js'
import type { CommitId, CommittedPage } from '../contract.js'
import { holderOf } from './home-page.js'
import type { HomePage, Write } from './home-page.js'
import type { HomeState } from './home-state.js'
import { isFarAhead } from './hybrid-clock.js'
import { pagesPerMessageMax } from './message.js'

/** The writes of the home's pages on their way to stable storage: one a page at a time. */
export class HomeCommits {
  readonly #home: HomeState
  readonly #open = new Map<CommitId, readonly HomePage[]>()
  #starting: HomePage[] = []

  constructor(home: HomeState) {
    this.#home = home
  }

  /** Starts what can be started of the page's writes, and answers those that are too late. */
  start(state: HomePage): void {
    while (state.commit === undefined) {
      const write = this.#takeNext(state)
      if (write === undefined) return
      if (this.#home.merges || write.stamp > state.stamp) this.#commitWrite(state, write)
      else this.#overrule(state, write)
    }
  }

  /** The write whose turn it is: of several the last one, which spares the others the way; for merging, in any order. */
  #takeNext(state: HomePage): Write | undefined {
    const { accepted, queue } = state
    let next = this.#home.storing.isWaiting ? undefined : accepted
    for (const write of queue) {
      if (next === undefined || (!this.#home.merges && write.stamp > next.stamp)) next = write
    }
    if (next === undefined) return undefined
    if (next === accepted) state.accepted = undefined
    else queue.splice(queue.indexOf(next), 1)
    return next
  }

  #commitWrite(state: HomePage, write: Write): void {
    const { wallTime } = this.#home.site
    const isMerged = this.#home.merges && write.base !== state.stamp
    // A stamp of the far future is not followed: the write counts as of now.
    const isUsable =
      write.stamp > state.stamp && (write.by === undefined || !isFarAhead(write.stamp, wallTime))
    const result = isMerged || !isUsable ? this.#home.nextStamp(state.stamp) : write.stamp
    state.commit = { write, result, isMerged }
    this.#starting.push(state)
  }

  /** It is older than what is durable. Its writer gets that. */
  #overrule(state: HomePage, write: Write): void {
    this.#home.forget(write)
    if (write.by === undefined || !write.isAwaited) return
    holderOf(state, write.by).overruled = write.stamp
  }

  /** Hands what was started in this step to storage. */
  flush(): void {
    if (this.#starting.length === 0) return
    for (let start = 0; start < this.#starting.length; start += pagesPerMessageMax) {
      const states = this.#starting.slice(start, start + pagesPerMessageMax)
      const commit = this.#home.nextCommit()
      this.#open.set(commit, states)
      this.#home.effects.push({ kind: 'persist', commit, pages: states.map(committedPage) })
    }
    this.#starting = []
  }

  onDurable(commit: CommitId): void {
    const states = this.#open.get(commit) ?? []
    this.#open.delete(commit)
    this.#home.storing.succeeded()
    for (const state of states) this.#settle(state)
  }

  #settle(state: HomePage): void {
    const { write, result, isMerged } = present(state.commit, 'a commit ends once')
    state.commit = undefined
    // A writer that saw all there was, and this, which was accepted before its lock began, sees all there is.
    const pins = this.#home.locks.pins(state.page)
    if (write.by === undefined) {
      if (pins?.base === state.stamp) pins.base = result
      // The same holds for what was written since.
      if (state.accepted?.base === state.stamp) state.accepted = { ...state.accepted, base: result }
    }
    state.stamp = result
    this.#home.forget(write)
    this.#restoreAccepted(state)
    this.#tellWriter(state, write, isMerged)
    this.#home.mark(state.page)
  }

  /** The frame is what is durable now: what was accepted meanwhile, and is to prevail, shows again. */
  #restoreAccepted(state: HomePage): void {
    const { page, accepted } = state
    if (accepted === undefined) return
    if (!this.#home.merges && accepted.stamp <= state.stamp) {
      state.accepted = undefined
      this.#home.forget(accepted)
      return
    }
    const isMerged = this.#home.merges && accepted.base !== state.stamp
    this.#home.effects.push({ kind: isMerged ? 'merge' : 'apply', page, parcel: accepted.parcel })
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
    this.#home.outbox.answer(write.by, { page, pushed: write.stamp, stamp, result: 'kept' })
  }

  /** Nothing of it happened. Who pushed it has it still, and so has the this.#home. Those behind it are told of, too. */
  onNotDurable(commit: CommitId): void {
    const states = this.#open.get(commit)
    if (states === undefined) return
    this.#open.delete(commit)
    for (const state of states) this.#unsettle(state)
    this.#home.storing.failed(this.#home.site.now)
    this.#home.setAlarm()
  }

  #unsettle(state: HomePage): void {
    const { write } = present(state.commit, 'a commit ends once')
    state.commit = undefined
    this.#home.mark(state.page)
    if (write.by === undefined && state.accepted === undefined) {
      state.accepted = write
      return
    }
    this.#home.forget(write)
    if (write.by === undefined || !write.isAwaited) return
    const { page, stamp } = state
    this.#home.outbox.answer(write.by, { page, pushed: write.stamp, stamp, result: 'failed' })
  }
}

function committedPage(state: HomePage): CommittedPage {
  const { write, result, isMerged } = present(state.commit, 'it was started in this step')
  const how = isMerged ? 'merge' : 'apply'
  return { page: state.page, version: result, parcels: [write.parcel], how, by: write.by }
}

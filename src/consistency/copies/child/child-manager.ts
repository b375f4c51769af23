import type { LockMode } from '../../../address/lock-mode.js'
import { plainTerms } from '../../../address/lock-terms.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { SiteId } from '../../../address/identity.js'
import type { PageIndex } from '../../../address/page.js'
import { assert, unreachable } from '../../../stdx/assert.js'
import type {
  CmEffect,
  CmEvent,
  CmSite,
  ConsistencyManager,
  EvictAnswer,
  KeptPage,
  PageView,
  ParcelId,
} from '../../contract.js'
import { chunksOf, noBytes } from '../message.js'
import type { CopiesMessage } from '../message.js'
import type { CopiesPolicy } from '../policy.js'
import { endCommit, loseCommits, onUnlock, sentAtOf } from './child-commits.js'
import {
  applyGathered,
  dropIdle,
  gather,
  isInUse,
  letGo,
  onCopies,
  onGranted,
  onInvalidate,
} from './child-copies.js'
import {
  isAtHand,
  onCancel,
  onLock,
  onRefused,
  payOwedAcks,
  pin,
  serveWaiting,
  unpin,
} from './child-locks.js'
import { isLocked, newChildPage } from './child-page.js'
import type { ChildPage } from './child-page.js'
import { ChildState } from './child-state.js'

type Effects = readonly CmEffect<CopiesMessage>[]

const noEffects: Effects = []

/**
 * A site that holds copies of pages. The frame of a copy is always a state that was durable at the home: what is written
 * here reaches it when the home has made it durable. So nothing is ever to be taken back. The price is that after a write
 * this site's own locks on the page wait for the home, as else they would not see it.
 *
 * Whatever the home sends comes in order. So a copy is as the home believes it to be, but for what is on its way: this site
 * gives a copy up only while it has no question open whose answer might speak of the page, or the home would take what it
 * said last for what holds.
 */
export class ChildManager implements ConsistencyManager<CopiesMessage> {
  readonly #child: ChildState

  constructor(site: CmSite, home: SiteId, policy: CopiesPolicy, kept: readonly KeptPage[] = []) {
    this.#child = new ChildState(site, home, policy)
    for (const { page, version, freshAt, isUnsettled } of kept) {
      assert(!isUnsettled, 'frames are durable states')
      Object.assign(this.#child.page(page), { version, freshAt } satisfies Partial<ChildPage>)
    }
  }

  tryAcquire(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): boolean {
    const child = this.#child
    if (!isAtHand(child, { first, count }, mode, terms, child.site.now)) return false
    pin(child, first, count, mode, 'no-turn')
    return true
  }

  release(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): Effects {
    const child = this.#child
    const turn = child.turns.take(terms, first, count, mode)
    unpin(child, first, count, mode, turn === undefined ? 'no-turn' : 'turn')
    if (turn !== undefined && turn.serial !== 0) child.send({ kind: 'unlock', serial: turn.serial })
    return this.#finish()
  }

  step(event: CmEvent<CopiesMessage>): Effects {
    this.#handle(event)
    return this.#finish()
  }

  #finish(): Effects {
    const child = this.#child
    serveWaiting(child)
    payOwedAcks(child)
    if (child.effects.length === 0) return noEffects
    const { effects } = child
    child.effects = []
    return effects
  }

  #handle(event: CmEvent<CopiesMessage>): void {
    const child = this.#child
    switch (event.kind) {
      case 'lock':
        return onLock(child, event.lock, event.range, event.mode, event.terms)
      case 'cancel':
        return onCancel(child, event.lock)
      case 'unlock':
        return onUnlock(child, event)
      case 'message':
        if (event.from === child.home) this.#onMessage(event.message, event.parcels)
        return
      case 'parent-lost':
        return this.#onParentLost(event.isBack === true)
      case 'parent-ready':
        child.isConnected = true
        child.isStirred = true
        return
      case 'child-lost':
      case 'sibling-lost':
      case 'durable':
      case 'not-durable':
      case 'loaded':
      case 'grace-ended':
      case 'freed':
      case 'doubt-ended':
      case 'alarm':
      case 'quiesce':
      case 'resume':
        return
      default:
        return unreachable(event)
    }
  }

  #onMessage(message: CopiesMessage, parcels: readonly ParcelId[]): void {
    const child = this.#child
    switch (message.kind) {
      case 'granted':
        return onGranted(child, message.serial, message.copies, parcels)
      case 'copies':
        return onCopies(child, message.serial, message.copies, parcels)
      case 'refused':
        return onRefused(child, message.serial, message.code, message.message)
      case 'update':
        gather(child, [], message.changes, parcels)
        if (message.final) this.#onUpdated(message.serial)
        return
      case 'committed':
        gather(child, message.numbers, message.changes, parcels)
        if (message.final) this.#onCommitted()
        return
      case 'uncommitted':
        return endCommit(child, message.number, { code: message.code, message: message.message })
      case 'invalidate':
        return onInvalidate(child, message.serial, message.pages, message.when)
      // What only children say.
      case 'lock':
      case 'unlock':
      case 'fetch':
      case 'commit':
      case 'ack':
      case 'drop':
        return
      default:
        return unreachable(message)
    }
  }

  #onUpdated(serial: number): void {
    const child = this.#child
    const changes = child.pending?.changes ?? []
    applyGathered(child, child.site.now)
    const [dropped = [], ...more] = chunksOf(dropIdle(child, changes))
    for (const pages of more) child.send({ kind: 'drop', pages })
    child.send({ kind: 'ack', serial, dropped })
  }

  #onCommitted(): void {
    const child = this.#child
    const numbers = child.pending?.numbers ?? []
    applyGathered(child, sentAtOf(child, numbers))
    for (const number of numbers) endCommit(child, number, undefined)
  }

  #onParentLost(isBack: boolean): void {
    const child = this.#child
    child.isConnected = false
    child.owedAcks = []
    for (const parcel of child.pending?.parcels ?? []) child.effects.push({ kind: 'forget', parcel })
    child.pending = undefined
    child.fetches.clear()
    for (const page of child.pages.values()) {
      page.isTracked = false
      page.fetching = 0
    }
    for (const waiting of child.waiting.values()) {
      waiting.serial = 0
      waiting.hasTurn = false
      waiting.validFrom = 0
    }
    this.#breakLocks()
    loseCommits(child)
    for (const page of [...child.pages.values()]) child.forgetIfIdle(page)
    // Where copies may be read while cut off, whoever waits for newer ones is served: but not if this site is not.
    child.isStirred = !isBack
  }

  /**
   * Locks whose rights rested on the session: the home will not know of them when this site is back, and would take the
   * storage away under them; and one that is granted and waits for the lease must not begin on what is old by then.
   */
  #breakLocks(): void {
    const child = this.#child
    for (const turn of child.turns) {
      if (turn.serial !== 0) child.effects.push({ kind: 'break', page: turn.range.first })
      turn.serial = 0
    }
    if (!child.policy.needsLease('read', plainTerms)) return
    for (const page of child.pages.values()) {
      if (isLocked(page) && page.turns === 0) child.effects.push({ kind: 'break', page: page.page })
    }
  }

  evict(page: PageIndex): EvictAnswer<CopiesMessage> {
    const child = this.#child
    const known = child.pages.get(page)
    if (known === undefined) return { kind: 'allowed', effects: noEffects }
    if (isInUse(child, known)) return { kind: 'refused', effects: noEffects }
    if (child.isConnected && known.version !== noBytes) child.send({ kind: 'drop', pages: [page] })
    letGo(child, known)
    return { kind: 'allowed', effects: this.#finish() }
  }

  /** Frames are durable states. */
  isUnsettled(): boolean {
    return false
  }

  needsLease(mode: LockMode, terms: LockTerms): boolean {
    return this.#child.policy.needsLease(mode, terms)
  }

  isQuiet(): boolean {
    return this.#child.commits.size === 0
  }

  inspect(page: PageIndex): PageView {
    const child = this.#child
    const known = child.pages.get(page) ?? newChildPage(page)
    const isHeld = known.isTracked && child.isConnected
    return {
      right: known.turns > 0 ? 'exclusive' : isHeld ? 'shared' : 'none',
      version: known.version,
      children: new Map(),
      readers: known.readers,
      writing: known.writers > 0,
      waiting: known.waiting,
      unsettled: false,
      freshAt:
        known.version === noBytes || (isHeld && child.policy.holders.kind === 'update')
          ? undefined
          : known.freshAt,
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#child.pages.keys()
  }
}

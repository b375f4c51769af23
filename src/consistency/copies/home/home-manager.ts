import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { SiteId } from '../../../address/identity.js'
import type { PageIndex } from '../../../address/page.js'
import { unreachable } from '../../../stdx/assert.js'
import type {
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
  ConsistencyManager,
  EvictAnswer,
  LockId,
  PageView,
  ParcelId,
} from '../../contract.js'
import { includes, noBytes } from '../message.js'
import type { CopiesMessage } from '../message.js'
import type { CopiesPolicy } from '../policy.js'
import { finishIfAcknowledged, onDurable, onNotDurable, startBatches } from './batches.js'
import { onAck, onChildLock, onChildLost, onChildUnlock, onDrop, onFetch } from './children.js'
import { enqueue, onCommitPart } from './commits.js'
import { deliver, onDelivered, refuseDelivery } from './deliveries.js'
import { newHomePage } from './home-page.js'
import { HomeState } from './home-state.js'
import type { TableLock } from './lock-table.js'
import {
  leave,
  mayHold,
  onLocalLoaded,
  onLocalLock,
  refuseLocal,
  serveLocals,
  tryLocal,
  unpin,
} from './local-locks.js'
import { advanceSeizures, beginSeizure, endSeizure, onFreed } from './seizures.js'

type Effects = readonly CmEffect<CopiesMessage>[]

const noEffects: Effects = []

/**
 * The home of a region of copies: it alone orders what is written. A section comes as parcels, becomes durable in a batch
 * with what else came for its pages, then holders of copies are told as the policy wants, and only when they have answered
 * is the writer. So what is unlocked is in every copy that may be used, or that copy's site is known to be dead.
 *
 * Locks that wait for others do so in one table here, first come first served. Nothing that a child says is believed
 * beyond what concerns its own locks and copies.
 */
export class HomeManager implements ConsistencyManager<CopiesMessage> {
  readonly #home: HomeState

  constructor(site: CmSite, options: CmOptions, policy: CopiesPolicy) {
    this.#home = new HomeState(site, options, policy)
  }

  tryAcquire(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): boolean {
    return tryLocal(this.#home, { first, count }, mode, terms)
  }

  release(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): Effects {
    const home = this.#home
    const turn = home.turns.take(terms, first, count, mode)
    if (turn !== undefined) home.table.remove(turn)
    if (turn?.isSeizure === true) endSeizure(home, turn)
    else unpin(home, { first, count }, mode)
    return this.#finish()
  }

  step(event: CmEvent<CopiesMessage>): Effects {
    this.#handle(event)
    return this.#finish()
  }

  /** Looks at all that waits, until nothing moves any more. */
  #finish(): Effects {
    const home = this.#home
    do {
      for (const turn of home.table.takeReady((lock) => mayHold(home, lock))) this.#hold(turn)
      for (const batch of [...home.batches.values()]) finishIfAcknowledged(home, batch)
      startBatches(home)
      serveLocals(home)
      advanceSeizures(home)
    } while (home.takeStirred())
    if (home.effects.length === 0) return noEffects
    const { effects } = home
    home.effects = []
    return effects
  }

  #hold(turn: TableLock): void {
    const home = this.#home
    if (turn.isSeizure) return beginSeizure(home, turn)
    if (turn.owner.kind === 'local') return
    const { child, serial, known } = turn.owner
    deliver(home, { child, serial, range: turn.range, known, turn })
  }

  #handle(event: CmEvent<CopiesMessage>): void {
    const home = this.#home
    switch (event.kind) {
      case 'lock':
        return onLocalLock(home, event.lock, event.range, event.mode, event.terms)
      case 'cancel':
        return this.#onCancel(event.lock)
      case 'unlock':
        return this.#onUnlock(event)
      case 'message':
        return this.#onMessage(event.from, event.message, event.parcels)
      case 'child-lost':
        return onChildLost(home, event.child)
      case 'durable':
        return onDurable(home, event.commit)
      case 'not-durable':
        return onNotDurable(home, event.commit, event.code, event.message)
      case 'loaded':
        return this.#onLoaded(event.load, event.failure)
      case 'grace-ended':
        home.inGrace = false
        return home.table.stir()
      case 'freed':
        return onFreed(home, event.range, event.code, event.message)
      case 'parent-lost':
      case 'parent-ready':
      case 'sibling-lost':
      case 'doubt-ended':
      case 'alarm':
      case 'quiesce':
      case 'resume':
        return
      default:
        return unreachable(event)
    }
  }

  #onMessage(from: SiteId, message: CopiesMessage, parcels: readonly ParcelId[]): void {
    const home = this.#home
    switch (message.kind) {
      case 'lock':
        return onChildLock(home, from, message)
      case 'unlock':
        return onChildUnlock(home, from, message.serial)
      case 'fetch':
        return onFetch(home, from, message)
      case 'commit':
        return onCommitPart(home, from, message, parcels)
      case 'ack':
        return onAck(home, from, message.serial, message.dropped)
      case 'drop':
        return onDrop(home, from, message.pages)
      // What only the home says.
      case 'granted':
      case 'copies':
      case 'refused':
      case 'update':
      case 'committed':
      case 'uncommitted':
      case 'invalidate':
        return
      default:
        return unreachable(message)
    }
  }

  #onCancel(lock: LockId): void {
    const home = this.#home
    const local = home.locals.get(lock)
    if (local === undefined) return
    leave(home, local)
    if (local.turn === undefined) return
    home.table.remove(local.turn)
    endSeizure(home, local.turn)
  }

  #onUnlock(event: CmEvent<CopiesMessage> & { readonly kind: 'unlock' }): void {
    const home = this.#home
    const { range, mode, terms, written, parcels, ticket } = event
    const turn = home.turns.take(terms, range.first, range.count, mode)
    for (const parcel of parcels) home.effects.push({ kind: 'keep', parcel })
    for (const page of written) home.page(page).commits += 1
    enqueue(home, { origin: { kind: 'local', ticket }, pages: written, parcels, turn }, undefined)
    unpin(home, range, mode)
  }

  #onLoaded(
    number: number,
    failure: (CmEvent<CopiesMessage> & { readonly kind: 'loaded' })['failure'],
  ): void {
    const home = this.#home
    const load = home.loads.get(number)
    if (load === undefined) return
    home.loads.delete(number)
    if (load.kind === 'delivery') {
      if (failure === undefined) onDelivered(home, load.delivery, load.range)
      else refuseDelivery(home, load.delivery, failure.code, failure.message)
      return
    }
    if (failure === undefined) onLocalLoaded(home, load.local, load.range.count)
    else if (home.locals.has(load.local.lock)) refuseLocal(home, load.local, failure.code, failure.message)
  }

  evict(page: PageIndex): EvictAnswer<CopiesMessage> {
    const known = this.#home.pages.get(page)
    const isUsed = known !== undefined && (known.readers > 0 || known.writers > 0 || known.waiting > 0)
    return { kind: isUsed ? 'refused' : 'allowed', effects: noEffects }
  }

  /** Frames are durable states. */
  isUnsettled(): boolean {
    return false
  }

  needsLease(mode: LockMode, terms: LockTerms): boolean {
    return this.#home.policy.needsLease(mode, terms)
  }

  isQuiet(): boolean {
    const { batches, queue, owed } = this.#home
    return batches.size === 0 && queue.length === 0 && owed.size === 0
  }

  inspect(page: PageIndex): PageView {
    const home = this.#home
    const known = home.pages.get(page) ?? newHomePage(page, home.site.versionOf(page))
    const children = new Map<SiteId, 'shared' | 'exclusive'>()
    for (const [child, version] of known.holders) if (version !== noBytes) children.set(child, 'shared')
    let waiting = known.waiting
    for (const { owner, range, mode, state } of home.table) {
      if (owner.kind !== 'child' || !includes(range, page)) continue
      if (state === 'waiting') waiting += 1
      else children.set(owner.child, mode === 'read' ? 'shared' : 'exclusive')
    }
    return {
      right: children.size === 0 ? 'exclusive' : 'shared',
      version: known.version,
      children,
      readers: known.readers,
      writing: known.writers > 0,
      waiting,
      unsettled: false,
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#home.pages.keys()
  }
}

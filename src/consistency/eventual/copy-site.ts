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
  ConsistencyManager,
  EvictAnswer,
  KeptPage,
  PageView,
  ParcelId,
} from '../contract.js'
import { Backoff } from './backoff.js'
import { isDirty } from './copy.js'
import type { Copy } from './copy.js'
import { CopyOutbox } from './copy-outbox.js'
import { HybridClock, never } from './hybrid-clock.js'
import type { Stamp } from './hybrid-clock.js'
import { LocalLocks } from './local-locks.js'
import { checkAttached, isForHome, pagesPerMessageMax } from './message.js'
import type { EventualMessage, PushAnswer, StampedPage } from './message.js'
import type { EventualBug } from './planted-bug.js'

const noEffects: readonly CmEffect<EventualMessage>[] = []

/** How many bytes of pages may be on their way to the home from one site, if more than one page. */
const pushedBytesMax = 4 * 1024 * 1024

/**
 * A site that is not the home. It takes and ends locks by itself on what it has copies of, and owes the home what was
 * written: a dirty page is pushed, and stays until the home has answered that it has it, or something later.
 *
 * A copy that is not dirty is the home's: whatever the home says of the page replaces it. What the home says of a dirty
 * one is weighed, or merged, as the class comment in `eventual.ts` has it. Merging what the home has does not make a page
 * dirty: that gives the home nothing new. Else two sites that push at one time would go on telling each other for ever.
 */
export class CopySite implements ConsistencyManager<EventualMessage> {
  readonly #site: CmSite
  readonly #merges: boolean
  readonly #bug: EventualBug | undefined
  readonly #clock = new HybridClock()
  readonly #copies = new Map<PageIndex, Copy>()
  readonly #locks: LocalLocks
  readonly #outbox: CopyOutbox
  readonly #backoff = new Backoff()
  /** Pages without a copy that the home was asked for, and when. */
  readonly #asked = new Map<PageIndex, number>()
  /** Pages with writes that are not on their way. */
  readonly #unpushed = new Set<PageIndex>()
  readonly #pushesMax: number
  #pushes = 0
  #isConnected = false
  #hasConnected = false
  #commits = 0
  #effects: CmEffect<EventualMessage>[] = []

  constructor(site: CmSite, options: CmOptions, bug: EventualBug | undefined) {
    this.#site = site
    this.#merges = options.merges
    this.#bug = bug
    this.#locks = new LocalLocks({
      has: (page) => this.#copies.has(page),
      admits: () => true,
      baseOf: (page) => this.#copies.get(page)?.base ?? never,
    })
    this.#outbox = new CopyOutbox(present(site.parent, 'a copy has a home'))
    for (const kept of options.kept ?? []) this.#keep(kept)
    this.#pushesMax = Math.max(1, Math.min(pagesPerMessageMax, Math.floor(pushedBytesMax / options.pageSize)))
  }

  /**
   * What the home now has takes its place, whatever its stamp, unless it is the same. But what was accepted here as the home, and may never have become durable, is
   * owed to that one, as any write of a copy's.
   */
  #keep({ page, version, isUnsettled, freshAt }: KeptPage): void {
    if (version < 0) {
      this.#effects.push({ kind: 'drop', page })
      return
    }
    const stamp = version as Stamp
    this.#clock.observe(stamp)
    const copy: Copy = {
      page,
      stamp,
      base: isUnsettled ? never : stamp,
      isWritten: isUnsettled,
      pushing: undefined,
      pushedAt: freshAt,
      toldAt: freshAt,
      freshAt,
    }
    this.#copies.set(page, copy)
    this.#noteDirty(copy)
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
    return this.#finish()
  }

  step(event: CmEvent<EventualMessage>): readonly CmEffect<EventualMessage>[] {
    this.#handle(event)
    return this.#finish()
  }

  #finish(): readonly CmEffect<EventualMessage>[] {
    this.#locks.serve(this.#effects)
    this.#pushAll()
    this.#outbox.flush(this.#effects)
    if (this.#effects.length === 0) return noEffects
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #handle(event: CmEvent<EventualMessage>): void {
    switch (event.kind) {
      case 'lock':
        this.#locks.add(event)
        return this.#askFor(event.range)
      case 'cancel':
        return this.#locks.cancel(event.lock)
      case 'unlock':
        return this.#onUnlock(event)
      case 'message':
        return this.#onMessage(event.from, event.message, event.parcels)
      case 'parent-ready':
        return this.#onParentReady()
      case 'parent-lost':
        return this.#onParentLost()
      case 'alarm':
        this.#backoff.expire(this.#site.now)
        return
      case 'quiesce':
        this.#backoff.tryAgain()
        return
      case 'child-lost':
      case 'sibling-lost':
      case 'durable':
      case 'not-durable':
      case 'loaded':
      case 'grace-ended':
      case 'freed':
      case 'doubt-ended':
      case 'resume':
        return
      default:
        return unreachable(event)
    }
  }

  #askFor({ first, count }: PageRange): void {
    for (let page = first; page < first + count; page++) this.#ask(page)
  }

  #ask(page: PageIndex): void {
    if (!this.#isConnected || this.#copies.has(page) || this.#asked.has(page)) return
    this.#asked.set(page, this.#site.now)
    this.#outbox.hold(page, undefined)
  }

  #onUnlock(event: Extract<CmEvent<EventualMessage>, { kind: 'unlock' }>): void {
    const { range, mode, terms, written, parcels, ticket } = event
    // Where one of the pages has lost its storage, its lock was broken: nothing of it is kept.
    const isWhole = written.every((page) => this.#copies.has(page))
    if (isWhole) written.forEach((page, index) => this.#write(page, parcels[index]))
    this.#locks.release(range.first, range.count, mode, terms)
    const failure = isWhole ? undefined : ({ code: 'context-broken', message: noStorage } as const)
    this.#effects.push({ kind: 'ended', commit: ++this.#commits as CommitId, ticket, failure })
  }

  #write(page: PageIndex, parcel: ParcelId | undefined): void {
    const copy = present(this.#copies.get(page), 'what is written has a copy')
    const bytes = present(parcel, 'what is written comes with an unlock')
    const seen = this.#locks.pins(page)?.base
    // The writer did not see what has come from the home meanwhile: its page must not undo it.
    const how = this.#merges && seen !== copy.base ? 'merge' : 'apply'
    this.#effects.push({ kind: how, page, parcel: bytes })
    copy.stamp = this.#clock.next(this.#site.wallTime, copy.stamp)
    copy.isWritten = true
    this.#noteDirty(copy)
  }

  #noteDirty(copy: Copy): void {
    if (copy.isWritten && copy.pushing === undefined) this.#unpushed.add(copy.page)
  }

  /** Pushes what is dirty, as far as there is room on the way. */
  #pushAll(): void {
    if (!this.#isConnected || this.#backoff.isWaiting) return
    for (const page of this.#unpushed) {
      if (this.#pushes >= this.#pushesMax) return
      this.#unpushed.delete(page)
      const copy = this.#copies.get(page)
      if (copy === undefined || !copy.isWritten || copy.pushing !== undefined) continue
      copy.isWritten = false
      copy.pushing = copy.stamp
      copy.pushedAt = this.#site.now
      this.#pushes += 1
      this.#outbox.push({ page, stamp: copy.stamp, base: copy.base })
    }
  }

  // ---- what the home says -----------------------------------------------------------------------------------------

  /*
   * What is said of a page that is not here, and that nobody asked for, has crossed a word of either side that there is no
   * copy. The home may count on one all the same, where a push was on its way: it is told again.
   */

  #onMessage(from: SiteId, message: EventualMessage, parcels: readonly ParcelId[]): void {
    if (from !== this.#site.parent || isForHome(message)) {
      throw new KhazanaError('protocol-error', `"${message.kind}" is not for a copy, or not from its home`)
    }
    checkAttached(message, parcels.length)
    switch (message.kind) {
      case 'update':
        message.pages.forEach((stamped, index) => this.#onUpdate(stamped, parcels[index]))
        return
      case 'pushed': {
        let attached = 0
        for (const answer of message.pages) {
          this.#onPushed(answer, answer.result === 'replaced' ? parcels[attached++] : undefined)
        }
        return
      }
      case 'gone':
        for (const page of message.pages) this.#onGone(page, message.code, message.message)
        return
      default:
        return unreachable(message)
    }
  }

  #onUpdate({ page, stamp }: StampedPage, parcel: ParcelId | undefined): void {
    if (parcel === undefined) return
    this.#clock.observe(stamp)
    const { now } = this.#site
    const known = this.#copies.get(page)
    const asked = this.#asked.get(page)
    if (known === undefined && asked === undefined) return this.#outbox.drop(page)
    this.#outbox.ack({ page, stamp })
    if (known !== undefined) {
      known.freshAt = known.toldAt
      known.toldAt = now
      return this.#takeIn(known, stamp, parcel)
    }
    this.#asked.delete(page)
    this.#copies.set(page, {
      page,
      stamp,
      base: stamp,
      isWritten: false,
      pushing: undefined,
      pushedAt: now,
      toldAt: now,
      freshAt: asked ?? now,
    })
    this.#effects.push({ kind: 'apply', page, parcel })
  }

  /** What the home has of a page that is here. */
  #takeIn(copy: Copy, stamp: Stamp, parcel: ParcelId): void {
    const { page } = copy
    if (isDirty(copy) && this.#merges) {
      this.#effects.push({ kind: 'merge', page, parcel })
      copy.stamp = this.#clock.next(this.#site.wallTime, copy.stamp)
      copy.base = stamp
      return
    }
    if (isDirty(copy) && !this.#losesTo(copy, stamp)) return
    this.#effects.push({ kind: 'apply', page, parcel })
    copy.stamp = stamp
    copy.base = stamp
    copy.isWritten = false
    this.#unpushed.delete(page)
  }

  /** Of two writes the later stands; of two with one stamp, what the home has. */
  #losesTo(copy: Copy, stamp: Stamp): boolean {
    return this.#bug === 'lower-stamp-wins' ? stamp < copy.stamp : stamp >= copy.stamp
  }

  #onPushed(answer: PushAnswer, parcel: ParcelId | undefined): void {
    const { page, stamp, result } = answer
    const copy = this.#copies.get(page)
    if (copy === undefined && !this.#asked.has(page)) return this.#outbox.drop(page)
    if (copy?.pushing !== answer.pushed) return
    this.#endPush(copy)
    if (result === 'failed') {
      copy.isWritten = true
      this.#noteDirty(copy)
      this.#backoff.failed(this.#site.now)
      this.#effects.push({ kind: 'alarm', at: this.#backoff.until })
      return
    }
    this.#backoff.succeeded()
    this.#clock.observe(stamp)
    copy.freshAt = copy.pushedAt
    if (parcel !== undefined) this.#takeIn(copy, stamp, parcel)
    else this.#noteKept(copy, stamp)
    this.#noteDirty(copy)
  }

  /** The home has what was pushed, so what has been written upon it here is made from a state of the home's. */
  #noteKept(copy: Copy, stamp: Stamp): void {
    const pins = this.#locks.pins(copy.page)
    if (pins?.base === copy.base) pins.base = stamp
    copy.base = stamp
    if (!copy.isWritten) copy.stamp = stamp
  }

  #endPush(copy: Copy): void {
    if (copy.pushing === undefined) return
    copy.pushing = undefined
    this.#pushes -= 1
  }

  #onGone(page: PageIndex, code: ErrorCode, message: string): void {
    this.#asked.delete(page)
    this.#locks.refuse(page, code, message, this.#effects)
    const copy = this.#copies.get(page)
    if (copy === undefined) return
    this.#endPush(copy)
    this.#forget(page)
    if (this.#locks.pins(page) !== undefined) this.#effects.push({ kind: 'break', page })
    this.#effects.push({ kind: 'drop', page })
  }

  #forget(page: PageIndex): void {
    this.#copies.delete(page)
    this.#unpushed.delete(page)
  }

  // ---- the home lost and found ------------------------------------------------------------------------------------

  #onParentLost(): void {
    this.#isConnected = false
    this.#asked.clear()
    this.#pushes = 0
    for (const copy of this.#copies.values()) {
      if (copy.pushing === undefined) continue
      // Whether it has come to the home is not known: it is pushed again, which changes nothing if it has.
      copy.pushing = undefined
      copy.isWritten = true
      this.#noteDirty(copy)
    }
  }

  #onParentReady(): void {
    const { now } = this.#site
    this.#isConnected = true
    this.#backoff.tryAgain()
    const isForgetful = this.#bug === 'no-sync-after-loss' && this.#hasConnected
    this.#hasConnected = true
    // Dirty pages are pushed, and what the home has newer comes with the answer.
    for (const copy of this.#copies.values()) {
      copy.toldAt = now
      if (!isDirty(copy) && !isForgetful) this.#outbox.hold(copy.page, copy.stamp)
    }
    for (const page of this.#locks.wanted()) this.#ask(page)
  }

  // ---- what the driver asks ---------------------------------------------------------------------------------------

  evict(page: PageIndex): EvictAnswer<EventualMessage> {
    const copy = this.#copies.get(page)
    if (copy === undefined) return { kind: 'allowed', effects: noEffects }
    const isNeeded = isDirty(copy) && this.#bug !== 'drop-a-dirty-page'
    if (isNeeded || this.#locks.pins(page) !== undefined || this.#locks.waitingAt(page) > 0) {
      return { kind: 'refused', effects: noEffects }
    }
    this.#endPush(copy)
    this.#forget(page)
    if (this.#isConnected) this.#outbox.drop(page)
    return { kind: 'allowed', effects: this.#finish() }
  }

  isUnsettled(page: PageIndex): boolean {
    const copy = this.#copies.get(page)
    return copy !== undefined && isDirty(copy)
  }

  needsLease(): boolean {
    return false
  }

  isQuiet(): boolean {
    return this.#unpushed.size === 0 && this.#pushes === 0
  }

  inspect(page: PageIndex): PageView {
    const copy = this.#copies.get(page)
    const pins = this.#locks.pins(page)
    return {
      right: copy === undefined ? 'none' : 'shared',
      version: copy?.stamp ?? -1,
      children: new Map(),
      readers: pins?.readers ?? 0,
      writing: pins?.writing ?? false,
      waiting: this.#locks.waitingAt(page),
      unsettled: copy !== undefined && isDirty(copy),
      // What was never heard of can be as old as time.
      freshAt: copy?.freshAt ?? -Infinity,
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#copies.keys()
  }
}

const noStorage = 'a page of the lock has lost its storage'

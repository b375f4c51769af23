import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { pagesOf } from '../../address/range.js'
import type { ByteRange } from '../../address/range.js'
import type { CmEvent, LockId } from '../../consistency/contract.js'
import type { Clock } from '../../io/clock.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { Deadline, withResolvers } from '../../io/deadline.js'
import type { Resolvers, WaitOptions } from '../../io/deadline.js'
import type { RegionFrame } from '../page-memory.js'
import type { FrameTable } from './frame-table.js'
import type { LockContext } from './lock-context.js'
import type { LockMemory } from './site-environment.js'
import type { WaitingLock } from './waiting-lock.js'

export interface LockDeskOptions {
  readonly clock: Clock
  readonly lockMemory: LockMemory
  readonly pageSize: number
  readonly frames: FrameTable
  /** Tells the manager, and performs what it answers. */
  readonly step: (event: CmEvent) => void
  /** Ends a lock that the manager has granted. */
  readonly release: (pages: PageRange, mode: LockMode, terms: LockTerms) => void
  /** Resolves when rights may be used: at once, or when the lease is renewed. Rejects where they are lost. */
  readonly whenUsable: (mode: LockMode, terms: LockTerms) => Promise<void>
  /** Undefined where a lock of this mode need not wait for the disk. */
  readonly whenCaughtUp: (mode: LockMode) => Promise<void> | undefined
  readonly makeContext: (
    mode: LockMode,
    range: ByteRange,
    terms: LockTerms,
    first: PageIndex,
    pinned: PinnedPages,
  ) => LockContext
}

/** The pages of a granted lock, in page order. */
export interface PinnedPages {
  readonly frames: readonly RegionFrame[]
  /** Their bytes as they were when the lock was granted, or when they had come from the disk. */
  readonly seen: readonly Uint8Array[]
}

/** Whether the manager that granted the lock is no more. */
function isVoid(waiting: WaitingLock): boolean {
  return waiting.isVoid
}

/** Whether the right is lost that it was granted. */
function isLost(waiting: WaitingLock): boolean {
  return waiting.isLost
}

function rightLost(): KhazanaError {
  return new KhazanaError('context-broken', 'the right was lost while pages were being fetched')
}

/** A lock for taking storage away. */
interface Seizure extends Omit<LockWish, 'mode'> {
  readonly outcome: Resolvers<void>
}

/** What is asked of the manager. */
interface LockWish {
  readonly pages: PageRange
  readonly mode: LockMode
  readonly terms: LockTerms
}

/** Pages that one lock loads from the disk at a time. */
const loadsMax = 32

/**
 * The locks of one replica that have to wait: from the miss until the caller has its context, or its error and nothing
 * left behind. How many may wait is bounded by the memory that they will need, which is set aside first.
 */
export class LockDesk {
  readonly #options: LockDeskOptions
  readonly #waiting = new Map<LockId, WaitingLock>()
  /** Locks for taking storage away, which need no frames. */
  readonly #seizures = new Map<LockId, Seizure>()
  /** Locks that the manager has not been asked for, or not any more, as its protocol is about to change; else undefined. */
  #parked: Map<LockId, LockWish> | undefined
  #lockId = 0

  constructor(options: LockDeskOptions) {
    this.#options = options
  }

  async lock(mode: LockMode, range: ByteRange, terms: LockTerms, options: WaitOptions): Promise<LockContext> {
    const { clock, pageSize } = this.#options
    const pages = pagesOf(range, pageSize)
    const waiting: WaitingLock = {
      id: this.#nextId(),
      mode,
      range,
      terms,
      pages,
      outcome: withResolvers<LockContext>(),
      deadline: undefined,
      state: 'asked',
      isWithManager: false,
      wanted: undefined,
      isLost: false,
      isVoid: false,
      failure: undefined,
    }
    const what = `${mode} lock on ${range.length} bytes at offset ${range.offset}`
    const deadline = Deadline.start(clock, what, options, (error) => {
      this.#giveUp(waiting, error)
    })
    waiting.deadline = deadline
    try {
      this.#setMemoryAside(pages.count * pageSize)
    } catch (error) {
      deadline.stop()
      throw error
    }
    void this.#ask(waiting)
    return waiting.outcome.promise
  }

  /** Resolves when the write lock on the pages is had, for `release` to end it. */
  async seize(pages: PageRange, terms: LockTerms, options: WaitOptions): Promise<void> {
    const { clock, step } = this.#options
    const id = this.#nextId()
    const outcome = withResolvers<void>()
    const deadline = Deadline.start(clock, 'free', options, (error) => {
      if (!this.#seizures.delete(id)) return
      outcome.reject(error)
      if (this.#parked?.delete(id) !== true) step({ kind: 'cancel', lock: id })
    })
    this.#seizures.set(id, { pages, terms, outcome })
    this.#askOrPark(id, { pages, mode: 'write', terms })
    try {
      await outcome.promise
    } finally {
      deadline.stop()
    }
  }

  /** The manager has granted the lock. */
  granted(id: LockId): void {
    const seizure = this.#seizures.get(id)
    if (seizure !== undefined) {
      this.#seizures.delete(id)
      seizure.outcome.resolve()
      return
    }
    void this.#complete(id, present(this.#waiting.get(id), 'a granted lock is waited for'))
  }

  /** The manager has refused the lock. */
  refused(id: LockId, error: KhazanaError): void {
    this.#seizures.get(id)?.outcome.reject(error)
    this.#seizures.delete(id)
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) this.#end(id, waiting, error)
  }

  /** The right to the page is lost: locks that were granted and are not handed out yet are asked for again. */
  broken(page: PageIndex): void {
    for (const waiting of this.#waiting.values()) {
      const { first, count } = waiting.pages
      if (waiting.state !== 'granted' || page < first || page >= first + count) continue
      waiting.isLost = true
    }
  }

  /**
   * Others wait for the page. A lock that is granted has it, and one over several pages may, while it waits for the rest: nobody else is there to hear of it, and it is not told
   * again.
   */
  want(page: PageIndex, mode: 'read' | 'write'): void {
    for (const waiting of this.#waiting.values()) {
      const { first, count } = waiting.pages
      if (page < first || page >= first + count) continue
      if ((waiting.state === 'granted' || count > 1) && waiting.wanted !== 'write') waiting.wanted = mode
    }
  }

  /** All rights are lost, with the manager that gave them: see `broken`. */
  breakAll(): void {
    for (const waiting of this.#waiting.values()) {
      this.broken(waiting.pages.first)
      waiting.isVoid = true
    }
  }

  /** Nobody can serve those that wait. */
  refuseAll(error: KhazanaError): void {
    for (const [id, waiting] of [...this.#waiting]) {
      if (waiting.state === 'asked') this.#withdraw(id, waiting, error)
    }
  }

  close(error: KhazanaError): void {
    for (const [id, waiting] of [...this.#waiting]) {
      if (waiting.state === 'asked') this.#end(id, waiting, error)
      else waiting.failure ??= error
    }
    for (const { outcome } of this.#seizures.values()) outcome.reject(error)
    this.#seizures.clear()
  }

  /**
   * From now on no lock is asked for; those that the manager has not granted are taken back, and wait here. Their time
   * goes on.
   */
  park(): void {
    if (this.#parked !== undefined) return
    const parked = (this.#parked = new Map<LockId, LockWish>())
    for (const [id, waiting] of this.#waiting) if (waiting.isWithManager) parked.set(id, waiting)
    for (const [id, { pages, terms }] of this.#seizures) parked.set(id, { pages, mode: 'write', terms })
    for (const id of [...parked.keys()]) {
      const waiting = this.#waiting.get(id)
      // To take one back may have brought another its grant, or its refusal.
      if (!(waiting?.isWithManager ?? this.#seizures.has(id))) {
        parked.delete(id)
        continue
      }
      if (waiting !== undefined) waiting.isWithManager = false
      this.#options.step({ kind: 'cancel', lock: id })
    }
  }

  /** The manager, or its successor, may be asked again. */
  unpark(): void {
    const parked = this.#parked
    this.#parked = undefined
    for (const [id, wish] of parked ?? []) this.#askOrPark(id, wish)
  }

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#seizures.size === 0
  }

  get isParked(): boolean {
    return this.#parked !== undefined
  }

  /** Whether a lock is granted and not handed out yet. */
  get isHandingOut(): boolean {
    for (const { state } of this.#waiting.values()) if (state === 'granted') return true
    return false
  }

  #askOrPark(id: LockId, wish: LockWish): void {
    if (this.#parked !== undefined) {
      this.#parked.set(id, wish)
      return
    }
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) waiting.isWithManager = true
    const { pages, mode, terms } = wish
    this.#options.step({ kind: 'lock', lock: id, range: pages, mode, terms })
  }

  #nextId(): LockId {
    this.#lockId += 1
    return this.#lockId as LockId
  }

  #setMemoryAside(bytes: number): void {
    const { lockMemory } = this.#options
    if (lockMemory.take(bytes)) return
    const limit = `locks may hold ${lockMemory.bytesMax} bytes of memory together`
    if (bytes > lockMemory.bytesMax) {
      throw new KhazanaError(
        'no-memory',
        `a lock over ${bytes} bytes is too large: ${limit}; lock less at a time`,
      )
    }
    const inUse = `${limit}, of which ${lockMemory.used} are in use`
    throw new KhazanaError('no-memory', `no memory for a lock over ${bytes} bytes: ${inUse}`)
  }

  /** Hands the request to the manager, once the disk has caught up with writers before it. Never rejects. */
  async #ask(waiting: WaitingLock): Promise<void> {
    const { whenCaughtUp } = this.#options
    const { id } = waiting
    this.#waiting.set(id, waiting)
    try {
      for (let wait = whenCaughtUp(waiting.mode); wait !== undefined; wait = whenCaughtUp(waiting.mode)) {
        await wait
        if (this.#waiting.get(id) !== waiting) return
      }
    } catch (error) {
      this.#end(id, waiting, KhazanaError.from(error))
      return
    }
    this.#askOrPark(id, waiting)
  }

  /** By a name that no answer to the last time has. */
  #askAgain(waiting: WaitingLock): void {
    this.#waiting.delete(waiting.id)
    waiting.id = this.#nextId()
    waiting.state = 'asked'
    void this.#ask(waiting)
  }

  #giveUp(waiting: WaitingLock, error: KhazanaError): void {
    if (waiting.state === 'asked') this.#withdraw(waiting.id, waiting, error)
    else if (waiting.state === 'granted') {
      waiting.failure ??= error
      waiting.outcome.reject(error)
    }
  }

  /** Ends a lock request, and takes it back from whoever has it. */
  #withdraw(id: LockId, waiting: WaitingLock, error: KhazanaError): void {
    const { isWithManager } = waiting
    waiting.isWithManager = false
    this.#parked?.delete(id)
    this.#end(id, waiting, error)
    if (isWithManager) this.#options.step({ kind: 'cancel', lock: id })
  }

  /** Ends a lock request that the manager does not hold for it. */
  #end(id: LockId, waiting: WaitingLock, error: KhazanaError): void {
    if (waiting.state === 'over') return
    waiting.state = 'over'
    waiting.deadline?.stop()
    this.#waiting.delete(id)
    this.#options.lockMemory.give(waiting.pages.count * this.#options.pageSize)
    waiting.outcome.reject(error)
  }

  /** The frames come to memory, the lease is checked, the caller gets its context. Never rejects. */
  async #complete(id: LockId, waiting: WaitingLock): Promise<void> {
    const { whenUsable, release, makeContext } = this.#options
    waiting.state = 'granted'
    waiting.isVoid = false
    waiting.isLost = false
    waiting.isWithManager = false
    const frames: RegionFrame[] = []
    const seen: Uint8Array[] = []
    try {
      await this.#pin(waiting, frames, seen)
      await whenUsable(waiting.mode, waiting.terms)
      if (waiting.failure !== undefined) throw waiting.failure
      if (isLost(waiting)) throw rightLost()
    } catch (error) {
      for (const frame of frames) frame.pins -= 1
      const { failure } = waiting
      const isAskedAgain = isLost(waiting) && failure === undefined
      if (!isAskedAgain) this.#end(id, waiting, failure ?? KhazanaError.from(error))
      if (!isVoid(waiting)) release(waiting.pages, waiting.mode, waiting.terms)
      if (isAskedAgain) this.#askAgain(waiting)
      return
    }
    waiting.state = 'over'
    waiting.deadline?.stop()
    this.#waiting.delete(id)
    for (const frame of frames) frame.uses += 1
    const { mode, range, terms, pages, wanted } = waiting
    const context = makeContext(mode, range, terms, pages.first, { frames, seen })
    if (wanted !== undefined) context.want(wanted)
    waiting.outcome.resolve(context)
  }

  /**
   * Adds the lock's frames, each pinned, in page order; some at a time where the disk has them. What is in memory is as the
   * manager granted it, at once: later something newer may come.
   */
  async #pin({ pages }: WaitingLock, frames: RegionFrame[], seen: Uint8Array[]): Promise<void> {
    const table = this.#options.frames
    const add = (frame: RegionFrame): void => {
      frames.push(frame)
      seen.push(frame.bytes)
    }
    const end = pages.first + pages.count
    for (let page = pages.first; page < end;) {
      const frame = table.get(page)
      if (frame !== undefined) {
        frame.pins += 1
        add(frame)
        page++
        continue
      }
      const loads: Promise<RegionFrame>[] = []
      for (; page < end && loads.length < loadsMax; page++) loads.push(table.load(page))
      const results = await Promise.allSettled(loads)
      for (const result of results) if (result.status === 'fulfilled') add(result.value)
      for (const result of results) if (result.status === 'rejected') throw KhazanaError.from(result.reason)
    }
  }
}

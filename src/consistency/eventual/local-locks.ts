import type { LockMode } from '../../address/lock-mode.js'
import { mayWrite } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { EventualMessage } from './message.js'
import type { CmEffect, LockId } from '../contract.js'
import type { Stamp } from './hybrid-clock.js'

/** What the locks of a site must know of its pages. */
export interface LockablePages {
  /** Whether there are bytes to lock. */
  has(page: PageIndex): boolean
  /** Whether a lock may begin on a page that is here, as far as other locks do not matter. */
  admits(page: PageIndex, mode: LockMode, terms: LockTerms): boolean
  /** The newest of the home's states that the page's frame is made from. */
  baseOf(page: PageIndex): Stamp
}

/** The open locks on a page. */
export interface Pins {
  readers: number
  writing: boolean
  seized: boolean
  /** Where it is being written: the newest of the home's states that the writer sees. */
  base: Stamp
}

interface LockRequest {
  readonly lock: LockId
  readonly range: PageRange
  readonly mode: LockMode
  readonly terms: LockTerms
}

/**
 * The locks of one site, which keep nobody out anywhere else. Any number of readers; one writer a page, of either kind,
 * beside whom readers go on with what they saw. A lock that seizes is alone.
 *
 * A lock takes all its pages at once, in the order of asking: one that has all its copies, and waits for a writer, is not
 * overtaken by a later one that it conflicts with. One that waits for a copy holds up nobody, as the home may be away.
 */
export class LocalLocks {
  readonly #pages: LockablePages
  readonly #pins = new Map<PageIndex, Pins>()
  readonly #waiting = new Map<LockId, LockRequest>()

  constructor(pages: LockablePages) {
    this.#pages = pages
  }

  tryAcquire(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): boolean {
    const end = first + count
    for (let page = first; page < end; page++) if (!this.#isFree(page, mode, terms)) return false
    if (this.#waiting.size > 0 && this.#isOvertaking(first, end, mode, terms)) return false
    for (let page = first; page < end; page++) this.#pin(page, mode, terms)
    return true
  }

  release(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): void {
    for (let page = first; page < first + count; page++) {
      const pins = this.#pins.get(page)
      if (pins === undefined) continue
      if (terms.seize) pins.seized = false
      else if (mayWrite(mode)) pins.writing = false
      else pins.readers -= 1
      if (pins.readers === 0 && !pins.writing && !pins.seized) this.#pins.delete(page)
    }
  }

  add(request: LockRequest): void {
    this.#waiting.set(request.lock, request)
  }

  cancel(lock: LockId): void {
    this.#waiting.delete(lock)
  }

  /** Grants what can be granted. */
  serve(effects: CmEffect<EventualMessage>[]): void {
    if (this.#waiting.size === 0) return
    const passed: LockRequest[] = []
    for (const request of this.#waiting.values()) {
      const { lock, range, mode, terms } = request
      const end = range.first + range.count
      if (!this.#isReady(request)) continue
      if (
        !this.#areFree(request) ||
        passed.some((earlier) => conflict(earlier, range.first, end, mode, terms))
      ) {
        passed.push(request)
        continue
      }
      for (let page = range.first; page < end; page++) this.#pin(page, mode, terms)
      this.#waiting.delete(lock)
      effects.push({ kind: 'grant', lock })
    }
  }

  /** Refuses the locks that wait and touch the page. */
  refuse(page: PageIndex, code: ErrorCode, message: string, effects: CmEffect<EventualMessage>[]): void {
    for (const { lock, range } of [...this.#waiting.values()]) {
      if (page < range.first || page >= range.first + range.count) continue
      this.#waiting.delete(lock)
      effects.push({ kind: 'refuse', lock, code, message })
    }
  }

  pins(page: PageIndex): Pins | undefined {
    return this.#pins.get(page)
  }

  /** Pages that locks wait for, some of them more than once. */
  *wanted(): Iterable<PageIndex> {
    for (const { range } of this.#waiting.values()) {
      for (let page = range.first; page < range.first + range.count; page++) yield page
    }
  }

  waitingAt(page: PageIndex): number {
    let count = 0
    for (const { range } of this.#waiting.values()) {
      if (page >= range.first && page < range.first + range.count) count += 1
    }
    return count
  }

  #isReady({ range }: LockRequest): boolean {
    for (let page = range.first; page < range.first + range.count; page++) {
      if (!this.#pages.has(page)) return false
    }
    return true
  }

  #areFree({ range, mode, terms }: LockRequest): boolean {
    for (let page = range.first; page < range.first + range.count; page++) {
      if (!this.#isFree(page, mode, terms)) return false
    }
    return true
  }

  #isFree(page: PageIndex, mode: LockMode, terms: LockTerms): boolean {
    if (!this.#pages.has(page) || !this.#pages.admits(page, mode, terms)) return false
    const pins = this.#pins.get(page)
    if (pins === undefined) return true
    if (terms.seize || pins.seized) return false
    return !mayWrite(mode) || !pins.writing
  }

  #isOvertaking(first: PageIndex, end: number, mode: LockMode, terms: LockTerms): boolean {
    for (const request of this.#waiting.values()) {
      if (conflict(request, first, end, mode, terms) && this.#isReady(request)) return true
    }
    return false
  }

  #pin(page: PageIndex, mode: LockMode, terms: LockTerms): void {
    let pins = this.#pins.get(page)
    if (pins === undefined) {
      pins = { readers: 0, writing: false, seized: false, base: this.#pages.baseOf(page) }
      this.#pins.set(page, pins)
    }
    if (terms.seize) pins.seized = true
    else if (mayWrite(mode)) {
      pins.writing = true
      pins.base = this.#pages.baseOf(page)
    } else pins.readers += 1
  }
}

function conflict(
  earlier: LockRequest,
  first: PageIndex,
  end: number,
  mode: LockMode,
  terms: LockTerms,
): boolean {
  const { range } = earlier
  if (end <= range.first || range.first + range.count <= first) return false
  if (earlier.terms.seize || terms.seize) return true
  return mayWrite(earlier.mode) && mayWrite(mode)
}

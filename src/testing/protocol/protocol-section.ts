import type { LockMode } from '../../address/lock-mode.js'
import { mayWrite } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { LockId } from '../../consistency/contract.js'
import { assert, present } from '../../stdx/assert.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { makePatch } from '../../wire/patch.js'
import { changedBy } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'

/** What a section came to. `failed`: what it wrote never happened. `unknown`: it may have, or may yet. */
export type SectionOutcome = 'done' | 'failed' | 'unknown'

/** What a section is made for. */
export interface SectionRequest {
  /** Of the site. */
  readonly site: string
  /** For people; unique in its world. */
  readonly name: string
  readonly range: PageRange
  readonly mode: LockMode
  readonly terms: LockTerms
  /** Its place in the order of all that happens in its world. */
  readonly invokeOrder: number
  /** Bytes. */
  readonly pageSize: number
}

/**
 * One critical section of an application: from asking for a lock until it is known what became of it. While it is open
 * it sees its pages as they were when it began, and what it wrote itself.
 */
export class ProtocolSection {
  readonly request: SectionRequest
  /**
   * `granted`: the manager has granted it, the driver is not ready. `ending`: released, and not known yet what becomes of
   * what it wrote.
   */
  state: 'waiting' | 'granted' | 'open' | 'ending' | SectionOutcome = 'waiting'
  /** Undefined for a hit. */
  lock: LockId | undefined
  /** Set while `granted`: it ends as soon as the driver is ready. */
  isGivenUp = false
  /** Why it was refused or has failed. */
  failure: { readonly code: ErrorCode; readonly message: string } | undefined
  /** When it could be used, in the order of all that happens. */
  openOrder: number | undefined
  /** When its use ended, in that order. */
  closeOrder: number | undefined
  readonly #twins = new Map<PageIndex, Uint8Array>()
  readonly #mine = new Map<PageIndex, Uint8Array>()
  readonly #written = new Set<PageIndex>()

  constructor(request: SectionRequest) {
    this.request = request
  }

  get name(): string {
    return this.request.name
  }

  get range(): PageRange {
    return this.request.range
  }

  get mode(): LockMode {
    return this.request.mode
  }

  get isOver(): boolean {
    return this.state === 'done' || this.state === 'failed' || this.state === 'unknown'
  }

  covers(page: PageIndex): boolean {
    return page >= this.range.first && page < this.range.first + this.range.count
  }

  *pages(): Generator<PageIndex> {
    const { first, count } = this.range
    for (let page = first; page < first + count; page++) yield page
  }

  /** A copy of the bytes; `offset` is from the start of the region. Within one page. */
  read(offset: number, length: number): Uint8Array {
    assert(this.state === 'open', `${this.name} is open`)
    const { page, at } = this.#place(offset, length)
    return present(this.#mine.get(page), 'an open section has its pages').slice(at, at + length)
  }

  /** `offset` is from the start of the region. Within one page. */
  write(offset: number, bytes: Uint8Array): void {
    assert(this.state === 'open' && mayWrite(this.mode), `${this.name} may write`)
    const { page, at } = this.#place(offset, bytes.length)
    present(this.#mine.get(page), 'an open section has its pages').set(bytes, at)
    this.#written.add(page)
  }

  #place(offset: number, length: number): { page: PageIndex; at: number } {
    const page = Math.floor(offset / this.request.pageSize) as PageIndex
    const at = offset % this.request.pageSize
    assert(this.covers(page) && at + length <= this.request.pageSize, `${this.name} covers the bytes`)
    return { page, at }
  }

  /** The driver gives it its pages; they are copied. */
  open(frames: ReadonlyMap<PageIndex, Uint8Array>): void {
    this.state = 'open'
    for (const [page, frame] of frames) {
      this.#twins.set(page, frame.slice())
      this.#mine.set(page, frame.slice())
    }
  }

  /** A page's frame has changed under an open section of a region whose isolation is `live`. */
  refresh(page: PageIndex, frame: Uint8Array): void {
    const twin = this.#twins.get(page)
    const mine = this.#mine.get(page)
    if (twin === undefined || mine === undefined) return
    const patch = makePatch(twin, mine)
    this.#twins.set(page, frame.slice())
    this.#mine.set(
      page,
      patch === undefined ? frame.slice() : changedBy(frame, { kind: 'patch', bytes: patch }),
    )
  }

  /** What it wrote, page by page. Pages that were written as they were have no patch. */
  changes(writes: 'patches' | 'pages'): Map<PageIndex, Parcel> {
    const changes = new Map<PageIndex, Parcel>()
    for (const page of [...this.#written].sort((a, b) => a - b)) {
      const twin = present(this.#twins.get(page), 'a written page has its bytes')
      const mine = present(this.#mine.get(page), 'a written page has its bytes')
      if (writes === 'pages') {
        changes.set(page, { kind: 'page', bytes: mine.slice() })
        continue
      }
      const patch = makePatch(twin, mine)
      if (patch !== undefined) changes.set(page, { kind: 'patch', bytes: patch })
    }
    return changes
  }
}

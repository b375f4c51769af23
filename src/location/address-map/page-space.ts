import { RangeSet } from '../../address/range-set.js'
import { assert } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { childrenPerPageMax, entriesPerPageMax, mapPagesMax } from './map-layout.js'

/**
 * How much the owner puts on a page: 2 entries, 3 children or more, and at most what fits. Fewer than fit make a deep
 * tree of few entries, for tests.
 */
export interface PageFill {
  readonly entriesMax: number
  readonly childrenMax: number
}

const fullPages: PageFill = { entriesMax: entriesPerPageMax, childrenMax: childrenPerPageMax }

/**
 * Which pages of a map's region are free: kept by the owner in memory, found again by `loadMap`. Page 0 never is. The
 * lowest are taken first, so that the region stays short.
 */
export class PageSpace {
  readonly pagesMax: number
  readonly fill: PageFill
  readonly #free = new RangeSet()

  /** All of them free but page 0. `pagesMax`: how many pages the map's region has, 1 to 2^32. */
  constructor(pagesMax: number, fill: PageFill = fullPages) {
    if (!Number.isInteger(pagesMax) || pagesMax < 1 || pagesMax > mapPagesMax) {
      throw new KhazanaError(
        'invalid-argument',
        `the region of an address map has 1 to 2^32 pages, not ${pagesMax}`,
      )
    }
    this.pagesMax = pagesMax
    this.fill = fill
    if (pagesMax > 1) this.#free.add(1, pagesMax - 1)
  }

  get freeCount(): number {
    return this.#free.total
  }

  isFree(page: number): boolean {
    return this.#free.includes(page, 1)
  }

  /** Throws `no-space` where there are fewer; none is taken then. */
  take(count: number): number[] {
    if (count > this.#free.total) {
      throw new KhazanaError(
        'no-space',
        `the address map needs ${count} more pages, and ${this.#free.total} of its ${this.pagesMax} are free`,
      )
    }
    const taken: number[] = []
    for (const { first, count: run } of this.#free) {
      for (let page = first; page < first + run && taken.length < count; page++) taken.push(page)
      if (taken.length === count) break
    }
    for (const page of taken) this.remove(page)
    return taken
  }

  /** The page is in use. */
  remove(page: number): void {
    assert(this.isFree(page), 'a page of a map is used once')
    this.#free.remove(page, 1)
  }

  giveBack(page: number): void {
    assert(page > 0 && page < this.pagesMax && !this.isFree(page), 'a page that is given back was taken')
    this.#free.add(page, 1)
  }
}

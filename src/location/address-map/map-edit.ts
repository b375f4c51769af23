import { assert, present } from '../../stdx/assert.js'
import type { MapPage } from './map-page.js'
import type { PageWrite, Reading } from './page-access.js'
import { checkedPage, damagedPage, isBlank, uninitialised } from './page-check.js'
import type { PageSpace } from './page-space.js'
import { fitted, isFitted, misfit, pageBeyond, placeOf } from './place.js'

/** A page of a path. */
export interface PathStep {
  readonly number: number
  readonly page: MapPage
  /** By which the path goes on. At the leaf: the last entry that begins at the address or before it, or -1. */
  slot: number
}

/** From the root to a leaf. */
export type Path = readonly PathStep[]

/**
 * One operation of the owner: the pages that it has read, as it has changed them, and what is to be written, in order.
 *
 * The pages are cut to what their parents say. What a crash left beyond that is nobody's word any more, and goes with
 * the next write of the page.
 */
export class MapEdit {
  readonly space: PageSpace
  readonly #pages = new Map<number, MapPage>()
  readonly #writes: PageWrite[] = []
  readonly #released: number[] = []

  constructor(space: PageSpace) {
    this.space = space
  }

  /** The way to the leaf that describes the address. `undefined`: the map does not. */
  *pathTo(address: bigint): Reading<Path | undefined> {
    let step = yield* this.root()
    if (address < step.page.start || address > step.page.last) return undefined
    const path: PathStep[] = []
    for (;;) {
      step.slot = step.page.slotBefore(address)
      path.push(step)
      if (step.page.level === 0) return path
      step = yield* this.child(step, step.slot)
    }
  }

  *root(): Reading<PathStep> {
    const known = this.#pages.get(0)
    if (known !== undefined) return { number: 0, page: known, slot: 0 }
    const bytes = yield { page: 0 }
    if (isBlank(bytes)) throw uninitialised()
    const page = checkedPage(bytes, 0)
    this.#pages.set(0, page)
    return { number: 0, page, slot: 0 }
  }

  /** Throws `damaged` where it is not what its parent says, or another page leads to it as well. */
  *child(parent: PathStep, slot: number): Reading<PathStep> {
    const place = placeOf(parent.page, parent.number, slot)
    const { number } = place
    const known = this.#pages.get(number)
    if (known !== undefined) {
      if (!isFitted(known, place)) throw damagedPage(number, misfit(known, place))
      return { number, page: known, slot: 0 }
    }
    if (number >= this.space.pagesMax) throw pageBeyond(place, this.space.pagesMax)
    if (this.space.isFree(number) || this.#released.includes(number)) {
      throw damagedPage(parent.number, `it leads to page ${number}, which is free`)
    }
    const page = fitted(yield { page: number }, place)
    this.#pages.set(number, page)
    return { number, page, slot: 0 }
  }

  /** How many slots are put on such a page. */
  slotsMax(page: MapPage): number {
    return page.level === 0 ? this.space.fill.entriesMax : this.space.fill.childrenMax
  }

  /** The page as it is now is to be written next. */
  write({ number, page }: Pick<PathStep, 'number' | 'page'>): void {
    this.#writes.push({ kind: 'write', page: number, bytes: page.share() })
  }

  /** A new page, to be written next. */
  create(page: MapPage, number: number): void {
    assert(!this.#pages.has(number), 'a page that is free is not in use')
    this.#pages.set(number, page)
    this.write({ number, page })
  }

  /** The root becomes another page. */
  replaceRoot(page: MapPage): void {
    this.#pages.set(0, page)
    this.write({ number: 0, page })
  }

  /** Nothing leads to the page any more. */
  release(number: number): void {
    this.#pages.delete(number)
    this.#released.push(number)
    this.#writes.push({ kind: 'release', page: number })
  }

  /** All that is to be written. What was released is free for later operations. */
  finish(): readonly PageWrite[] {
    for (const page of this.#released) this.space.giveBack(page)
    return this.#writes
  }
}

/** The leaf at the end of a path. */
export function leafOf(path: Path): PathStep {
  return present(path.at(-1), 'a path begins with the root')
}

import { KhazanaError } from '../../stdx/errors.js'
import { rangeText } from './map-entry.js'
import type { MapPage } from './map-page.js'
import type { Reading } from './page-access.js'
import { checkedPage, isBlank } from './page-check.js'
import { fitted, pageBeyond, type Place, placeOf } from './place.js'

/** What is wrong with a map, in words, and how much there is of it. */
export interface MapReport {
  /** Damage: the map is to be made anew. At most `problemsMax`. */
  readonly problems: readonly string[]
  /** What an operation that was cut off has left: right, but more than is needed. At most `problemsMax`. */
  readonly leftovers: readonly string[]
  /** How many pages the root leads to, itself among them. */
  readonly pages: number
  readonly entries: number
}

export const problemsMax = 100

/** Reads all of a map that nobody changes meanwhile. What is below a damaged page is not looked at. */
export function* checkMap(pagesMax: number): Reading<MapReport> {
  const check = new MapCheck(pagesMax)
  const open: Place[] = []
  const root = yield { page: 0 }
  const rootPage = isBlank(root) ? undefined : check.page(root, 0)
  if (isBlank(root)) check.problem('the map was never initialised')
  if (rootPage !== undefined) check.enter(rootPage, 0, open)
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const page = check.page(yield { page: place.number }, place.number, place)
    if (page !== undefined) check.enter(page, place.number, open)
  }
  return check.report()
}

class MapCheck {
  readonly #pagesMax: number
  readonly #reached = new Set([0])
  readonly #problems: string[] = []
  readonly #leftovers: string[] = []
  #entries = 0

  constructor(pagesMax: number) {
    this.#pagesMax = pagesMax
  }

  /** The page, cut to its place; `undefined` where it is damaged. */
  page(bytes: Uint8Array, number: number, place?: Place): MapPage | undefined {
    try {
      const page = checkedPage(bytes, number)
      if (place === undefined) return page
      const cut = fitted(bytes, place)
      if (page.start !== cut.start || page.last !== cut.last) {
        const more = `page ${number} still tells of ${rangeText(page.start, page.last)}`
        this.#leftovers.push(`${more}, and is asked for ${rangeText(cut.start, cut.last)} only`)
      }
      if (cut.level === 0 && cut.count === 0) this.#leftovers.push(`page ${number} has no entries`)
      return cut
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'damaged') throw reason
      this.problem(error.message)
      return undefined
    }
  }

  /** Adds the children to those that are to be read, each once. */
  enter(page: MapPage, number: number, open: Place[]): void {
    if (page.level === 0) {
      this.#entries += page.count
      return
    }
    for (let slot = page.count - 1; slot >= 0; slot--) {
      const place = placeOf(page, number, slot)
      if (place.number >= this.#pagesMax) this.problem(pageBeyond(place, this.#pagesMax).message)
      else if (this.#reached.has(place.number)) {
        this.problem(`page ${number} leads to page ${place.number}, as another page does`)
      } else {
        this.#reached.add(place.number)
        open.push(place)
      }
    }
  }

  problem(what: string): void {
    this.#problems.push(what)
  }

  report(): MapReport {
    return {
      problems: this.#problems.slice(0, problemsMax),
      leftovers: this.#leftovers.slice(0, problemsMax),
      pages: this.#reached.size,
      entries: this.#entries,
    }
  }
}

import type { KhazanaError } from '../../stdx/errors.js'
import { rangeText } from './map-entry.js'
import type { MapPage } from './map-page.js'
import { damagedPage } from './page-check.js'

/** What a page of the tree says of one that it leads to. */
export interface Place {
  readonly number: number
  readonly parent: number
  readonly level: number
  readonly start: bigint
  readonly last: bigint
}

export function placeOf(page: MapPage, number: number, slot: number): Place {
  return {
    number: page.childOf(slot),
    parent: number,
    level: page.level - 1,
    start: page.startOf(slot),
    last: page.lastOf(slot),
  }
}

/**
 * A copy of the page, cut to its place. A page may hold more than its place: it is widened before its parent says so, and
 * trimmed after it, and a crash may come between. Throws `damaged` where it holds less, or an entry that is cut in two.
 */
export function fitted(page: MapPage, place: Place): MapPage {
  const { number, parent, level, start, last } = place
  if (page.level !== level || page.start > start || page.last < last) {
    throw damagedPage(number, misfit(page, place))
  }
  const cut = page.copy()
  if (page.start < start || page.last > last) cut.clip(start, last)
  if (cut.count > 0 && (cut.startOf(0) < start || cut.lastOf(cut.count - 1) > last)) {
    throw damagedPage(
      number,
      `an entry of it leaves ${rangeText(start, last)}, for which page ${parent} leads to it`,
    )
  }
  return cut
}

/** In words, that a page is not what it is taken for. */
export function misfit(page: MapPage, { parent, level, start, last }: Place): string {
  return (
    `it is of level ${page.level}, about ${rangeText(page.start, page.last)}; ` +
    `page ${parent} takes it for one of level ${level}, about ${rangeText(start, last)}`
  )
}

export function pageBeyond({ number, parent }: Place, pagesMax: number): KhazanaError {
  return damagedPage(parent, `it leads to page ${number}, and the region ends before page ${pagesMax}`)
}

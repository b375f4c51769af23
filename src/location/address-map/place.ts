import type { KhazanaError } from '../../stdx/errors.js'
import { rangeText } from './map-entry.js'
import type { MapPage } from './map-page.js'
import { checkedPage, damagedPage } from './page-check.js'

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
 * The page in these bytes, cut to its place. A page may hold more than its place: it is widened before its parent says so, and
 * trimmed after it, and a crash may come between. Throws `damaged` where it holds less, or an entry that is cut in two.
 */
export function fitted(bytes: Uint8Array, place: Place): MapPage {
  const { number, parent, level, start, last } = place
  const page = checkedPage(bytes, number)
  if (page.level !== level || page.start > start || page.last < last) {
    throw damagedPage(number, misfit(page, place))
  }
  if (page.start < start || page.last > last) page.clip(start, last)
  if (page.count > 0 && (page.startOf(0) < start || page.lastOf(page.count - 1) > last)) {
    throw damagedPage(
      number,
      `an entry of it leaves ${rangeText(start, last)}, for which page ${parent} leads to it`,
    )
  }
  return page
}

/** Whether the page is just what its place says, as a page is that was cut to it. */
export function isFitted(page: MapPage, { level, start, last }: Place): boolean {
  return page.level === level && page.start === start && page.last === last
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

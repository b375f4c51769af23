import type { MapPage } from './map-page.js'
import type { Reading } from './page-access.js'
import { checkedPage, damagedPage, isBlank } from './page-check.js'
import { misfit, pageBeyond, placeOf } from './place.js'

/** A leaf, and the range of which it and all above it agree that it tells. */
export interface LeafView {
  readonly page: MapPage
  readonly start: bigint
  readonly last: bigint
}

/**
 * How often a reader begins anew where a page is not what led to it. While the owner works that is so for a moment, and
 * only where it works; what stays so is damage.
 */
export const descentsMax = 16

/**
 * A reader's way to the leaf that tells of the address. The map may change on the way, and may have been left in the
 * middle of a change. Throws `damaged`. `pagesMax`: how many pages the map's region has.
 */
export function* leafFor(address: bigint, pagesMax: number): Reading<LeafView | 'outside' | 'uninitialised'> {
  for (let descents = 1; ; descents++) {
    const found = yield* descend(address, pagesMax)
    if (typeof found === 'string' || 'start' in found) return found
    if (descents === descentsMax) throw damagedPage(found.number, found.what)
  }
}

/** A page that is not what led to it. */
interface Astray {
  readonly number: number
  readonly what: string
}

function* descend(
  address: bigint,
  pagesMax: number,
): Reading<LeafView | Astray | 'outside' | 'uninitialised'> {
  const root = yield { page: 0 }
  if (isBlank(root)) return 'uninitialised'
  let number = 0
  let page = checkedPage(root, number)
  let { start, last } = page
  if (address < start || address > last) return 'outside'
  while (page.level > 0) {
    const place = placeOf(page, number, page.slotBefore(address))
    if (place.number >= pagesMax) throw pageBeyond(place, pagesMax)
    number = place.number
    const bytes = yield { page: number }
    if (isBlank(bytes)) return { number, what: `it is empty, and page ${place.parent} leads to it` }
    page = checkedPage(bytes, number)
    if (page.level !== place.level || address < page.start || address > page.last) {
      return { number, what: misfit(page, place) }
    }
    start = latest(start, place.start, page.start)
    last = earliest(last, place.last, page.last)
  }
  return { page, start, last }
}

function latest(a: bigint, b: bigint, c: bigint): bigint {
  const ab = a > b ? a : b
  return ab > c ? ab : c
}

function earliest(a: bigint, b: bigint, c: bigint): bigint {
  const ab = a < b ? a : b
  return ab < c ? ab : c
}

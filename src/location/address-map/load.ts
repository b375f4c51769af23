import type { Reading } from './page-access.js'
import { checkedPage, damagedPage, isBlank } from './page-check.js'
import { type PageFill, PageSpace } from './page-space.js'
import { fitted, pageBeyond, type Place, placeOf } from './place.js'
import type { MapPage } from './map-page.js'

/**
 * Which pages of the map are free, for its owner to go on after a start: those that nothing leads to, whatever they
 * hold. `undefined` where the map is not initialised. Leaves are not read, so that a large map takes few reads; that they
 * are sound is seen when they are used, or by `checkMap`. Throws `damaged`: the owner then begins a new map.
 */
export function* loadMap(pagesMax: number, fill?: PageFill): Reading<PageSpace | undefined> {
  const space = new PageSpace(pagesMax, fill)
  const root = yield { page: 0 }
  if (isBlank(root)) return undefined
  const open: Place[] = []
  enter(checkedPage(root, 0), 0, space, open)
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const bytes = yield { page: place.number }
    enter(fitted(bytes, place), place.number, space, open)
  }
  return space
}

/** No page is entered twice, and levels fall: this comes to an end. */
function enter(page: MapPage, number: number, space: PageSpace, open: Place[]): void {
  if (page.level === 0) return
  for (let slot = 0; slot < page.count; slot++) {
    const place = placeOf(page, number, slot)
    if (place.number >= space.pagesMax) throw pageBeyond(place, space.pagesMax)
    if (!space.isFree(place.number)) {
      throw damagedPage(number, `it leads to page ${place.number}, as another page does`)
    }
    space.remove(place.number)
    if (place.level > 0) open.push(place)
  }
}

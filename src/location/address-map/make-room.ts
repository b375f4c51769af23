import { assert, present } from '../../stdx/assert.js'
import { leafOf, type MapEdit, type Path } from './map-edit.js'
import type { Reading } from './page-access.js'
import { dropEmptyLeaf } from './shrink.js'

/**
 * Makes all of a free range, from the address `first` to `end`, the business of one leaf: where two leaves meet inside of
 * it, the border moves behind it. Leaves without entries on the way are dropped.
 *
 * Left pages are widened first, from below; then the page where the two ways part says so, which is when it is so;
 * then the right pages are trimmed. So a way that was begun before leads to a page that still knows, or to one that
 * does not hold the address, which is noticed.
 */
export function* makeRoom(edit: MapEdit, first: bigint, end: bigint): Reading<void> {
  for (;;) {
    const left = present(yield* edit.pathTo(first), 'the range is inside the map')
    const border = leafOf(left).page.last
    if (border >= end) return
    const right = present(yield* edit.pathTo(border + 1n), 'the range is inside the map')
    if (leafOf(right).page.count === 0) yield* dropEmptyLeaf(edit, right)
    else {
      moveBorder(edit, left, right, end)
      return
    }
  }
}

/** Neighbours: the leaf on the left now ends with the address `end`. */
function moveBorder(edit: MapEdit, left: Path, right: Path, end: bigint): void {
  const parting = left.findIndex((step, depth) => step.number !== right[depth]?.number) - 1
  assert(parting >= 0, 'two leaves meet below one page')
  for (const step of left.slice(parting + 1).reverse()) {
    step.page.setLast(end)
    edit.write(step)
  }
  const { page, number, slot } = present(right[parting], 'both ways lead there')
  page.setChildStart(slot, end + 1n)
  edit.write({ page, number })
  for (const step of right.slice(parting + 1)) {
    step.page.setStart(end + 1n)
    edit.write(step)
  }
}

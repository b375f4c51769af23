import { present } from '../../stdx/assert.js'
import { leafOf, type MapEdit, type Path, type PathStep } from './map-edit.js'
import { MapPage } from './map-page.js'
import type { Reading } from './page-access.js'

/**
 * After an entry was removed from the leaf at the end of the path: a leaf without entries is dropped, and a page that is
 * less than half full is put together with a neighbour, where both fill three quarters of a page or less. What is left
 * free there keeps the next entries from splitting it again.
 */
export function* shrink(edit: MapEdit, path: Path): Reading<void> {
  const leaf = leafOf(path)
  let depth = path.length - 1
  if (depth > 0 && leaf.page.count === 0) depth = yield* dropEmptyLeaf(edit, path)
  for (; depth > 0; depth--) {
    const step = present(path[depth], 'a path has no gaps')
    const parent = present(path[depth - 1], 'a path has no gaps')
    if (step.page.count * 2 < edit.slotsMax(step.page)) yield* mergeWithNeighbour(edit, parent)
  }
  yield* lowerRoot(edit)
}

/**
 * Drops the leaf at the end of the path, which has no entries, with all above it that lead to nothing else. A neighbour
 * takes over the range: widened from below first, so that it knows of it before anybody is led there. The depth of the
 * page that has one child less.
 */
export function* dropEmptyLeaf(edit: MapEdit, path: Path): Reading<number> {
  const depth = path.findLastIndex(({ page }) => page.level > 0 && page.count > 1)
  const parent = path[depth]
  if (parent === undefined) {
    const root = present(path[0], 'a path begins with the root').page
    edit.replaceRoot(MapPage.empty(0, root.start, root.last))
  } else {
    const { slot, page } = parent
    const start = page.startOf(slot)
    const end = page.lastOf(slot)
    const neighbours = yield* edgeOf(edit, parent, slot > 0 ? slot - 1 : 1, slot > 0 ? 'right' : 'left')
    for (const neighbour of neighbours.reverse()) {
      if (slot > 0) neighbour.page.setLast(end)
      else neighbour.page.setStart(start)
      edit.write(neighbour)
    }
    page.remove(slot)
    edit.write(parent)
  }
  for (const { number } of path.slice(Math.max(depth, 0) + 1)) edit.release(number)
  return Math.max(depth, 0)
}

/** The child, and all below it that touch that side of its range. */
function* edgeOf(edit: MapEdit, parent: PathStep, slot: number, side: 'left' | 'right'): Reading<PathStep[]> {
  const edge = [yield* edit.child(parent, slot)]
  for (;;) {
    const step = present(edge.at(-1), 'the child is there')
    if (step.page.level === 0) return edge
    edge.push(yield* edit.child(step, side === 'left' ? 0 : step.page.count - 1))
  }
}

function* mergeWithNeighbour(edit: MapEdit, parent: PathStep): Reading<void> {
  const { slot, page } = parent
  for (const left of [slot - 1, slot]) {
    if (left < 0 || left + 1 >= page.count) continue
    if (yield* merge(edit, parent, left)) return
  }
}

/**
 * Puts two neighbours together on the left one's page: it is widened, then the parent leads to it alone, then the right
 * one's page is released.
 */
function* merge(edit: MapEdit, parent: PathStep, slot: number): Reading<boolean> {
  const left = yield* edit.child(parent, slot)
  const right = yield* edit.child(parent, slot + 1)
  if ((left.page.count + right.page.count) * 4 > edit.slotsMax(left.page) * 3) return false
  left.page.absorb(right.page)
  edit.write(left)
  parent.page.remove(slot + 1)
  edit.write(parent)
  edit.release(right.number)
  return true
}

/** A root with one child takes that one's place. */
function* lowerRoot(edit: MapEdit): Reading<void> {
  for (
    let root = yield* edit.root();
    root.page.level > 0 && root.page.count === 1;
    root = yield* edit.root()
  ) {
    const child = yield* edit.child(root, 0)
    edit.replaceRoot(child.page)
    edit.release(child.number)
  }
}

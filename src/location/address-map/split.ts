import { assert, present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { MapEntry } from './map-entry.js'
import { leafOf, type MapEdit, type Path, type PathStep } from './map-edit.js'
import { levelMax } from './map-layout.js'
import { MapPage } from './map-page.js'

/**
 * Puts the entry on the leaf at the end of the path, where nothing is in its way. A full leaf is split, and before it, from
 * above, the full pages that lead to it.
 *
 * The right half is written first, to a page that nothing leads to; then the parent leads there, which is when it is so;
 * then the left half is trimmed. A root that is full becomes the parent of its two halves, both new pages.
 *
 * Throws `no-space`, before anything is changed.
 */
export function insert(edit: MapEdit, path: Path, entry: MapEntry): void {
  const roomy = path.findLastIndex(({ page }) => page.count < edit.slotsMax(page))
  const full = path.slice(roomy + 1)
  if (full.length === 0) {
    const leaf = leafOf(path)
    leaf.page.insertEntry(leaf.slot + 1, entry)
    edit.write(leaf)
    return
  }
  if (roomy < 0 && path.length > levelMax) {
    throw new KhazanaError('no-space', `the tree of an address map has no more than ${levelMax + 1} levels`)
  }
  const pages = edit.space.take(roomy < 0 ? full.length + 1 : full.length)
  let parent = path[roomy]
  for (const step of full) {
    const { right, cut } = halve(step, entry)
    const number = present(pages.pop(), 'so many were taken')
    const left = parent === undefined ? present(pages.pop(), 'so many were taken') : step.number
    if (parent === undefined) {
      edit.create(step.page, left)
      edit.create(right, number)
      edit.replaceRoot(parentOf(step.page, left, right, number))
    } else {
      edit.create(right, number)
      parent.page.insertChild(parent.slot + 1, right.start, number)
      edit.write(parent)
      edit.write(step)
    }
    parent =
      step.slot < cut
        ? { number: left, page: step.page, slot: step.slot }
        : { number, page: right, slot: step.slot - cut }
  }
  assert(pages.length === 0, 'no page is taken in vain')
}

interface Halves {
  readonly right: MapPage
  /** How many slots are left on the page. */
  readonly cut: number
}

/**
 * Takes the right half of the page away, a leaf's with the entry in the half where it belongs. What is put behind all
 * that a page holds goes to a page of its own instead: addresses are mostly reserved in ascending order, and would
 * leave half of every page free for good.
 */
function halve({ page, slot }: PathStep, entry: MapEntry): Halves {
  const { count } = page
  const half = count >>> 1
  if (page.level > 0) {
    const cut = slot === count - 1 ? slot : half
    return { right: page.splitOff(cut, page.startOf(cut)), cut }
  }
  const cut = slot === count - 1 ? count : half
  const right = page.splitOff(cut, cut === count ? entry.start : page.startOf(cut))
  if (slot < cut && cut < count) page.insertEntry(slot + 1, entry)
  else right.insertEntry(slot + 1 - cut, entry)
  return { right, cut }
}

function parentOf(left: MapPage, leftNumber: number, right: MapPage, rightNumber: number): MapPage {
  const parent = MapPage.empty(left.level + 1, left.start, right.last)
  parent.insertChild(0, left.start, leftNumber)
  parent.insertChild(1, right.start, rightNumber)
  return parent
}

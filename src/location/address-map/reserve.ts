import { KhazanaError } from '../../stdx/errors.js'
import { makeRoom } from './make-room.js'
import { leafOf, MapEdit, type Path } from './map-edit.js'
import { checkEntry, isSameEntry, lastOf, type MapEntry, rangeText } from './map-entry.js'
import type { PageWrite, Reading } from './page-access.js'
import type { PageSpace } from './page-space.js'
import { insert } from './split.js'

/**
 * Puts the entry over a range that is free. Where it stands already, nothing is written.
 *
 * Throws `invalid-argument` where the entry is malformed, leaves the map or overlaps another one, `no-space` where the
 * map's region has no page left for it, and `damaged`. Nothing has changed then.
 */
export function* reserveInMap(space: PageSpace, entry: MapEntry): Reading<readonly PageWrite[]> {
  checkEntry(entry)
  const edit = new MapEdit(space)
  const path = yield* pathInside(edit, entry.start, entry)
  const { page, slot } = leafOf(path)
  const before = slot < 0 ? undefined : page.entryOf(slot)
  if (before !== undefined && isSameEntry(before, entry)) return []
  if (before !== undefined && lastOf(before) >= entry.start) throw overlap(entry, before)
  const isWhole = yield* checkFreeBehind(edit, path, entry)
  if (isWhole) insert(edit, path, entry)
  else {
    yield* makeRoom(edit, entry.start, lastOf(entry))
    insert(edit, yield* pathInside(edit, entry.start, entry), entry)
  }
  return edit.finish()
}

/** Throws where an entry begins inside of the range. Whether all of the range is one leaf's. */
function* checkFreeBehind(edit: MapEdit, path: Path, entry: MapEntry): Reading<boolean> {
  const end = lastOf(entry)
  let { page, slot } = leafOf(path)
  while (slot + 1 === page.count && page.last < end) {
    ;({ page, slot } = leafOf(yield* pathInside(edit, page.last + 1n, entry)))
    // At the start of a leaf stands no entry, or the first.
    if (slot >= 0) throw overlap(entry, page.entryOf(slot))
  }
  if (slot + 1 < page.count && page.startOf(slot + 1) <= end) throw overlap(entry, page.entryOf(slot + 1))
  return leafOf(path).page.last >= end
}

function* pathInside(edit: MapEdit, address: bigint, entry: MapEntry): Reading<Path> {
  const path = yield* edit.pathTo(address)
  if (path !== undefined) return path
  throw new KhazanaError(
    'invalid-argument',
    `${rangeText(entry.start, lastOf(entry))} leaves the range of this address map`,
  )
}

function overlap(entry: MapEntry, other: MapEntry): KhazanaError {
  const what = other.kind === 'subtree' ? 'left to another map' : `reserved, generation ${other.generation}`
  return new KhazanaError(
    'invalid-argument',
    `${rangeText(entry.start, lastOf(entry))} is not free: ${rangeText(other.start, lastOf(other))} is ${what}`,
  )
}

import { KhazanaError } from '../../stdx/errors.js'
import { leafOf, MapEdit } from './map-edit.js'
import { checkEntry, isSameEntry, lastOf, type MapEntry, rangeText } from './map-entry.js'
import type { PageWrite, Reading } from './page-access.js'
import type { PageSpace } from './page-space.js'

/**
 * Replaces the entry of exactly that range: other homes, another generation, or another kind. Where it says so already,
 * nothing is written; otherwise one page is. Throws `invalid-argument` where no entry has that range, and `damaged`.
 */
export function* updateInMap(space: PageSpace, entry: MapEntry): Reading<readonly PageWrite[]> {
  checkEntry(entry)
  const edit = new MapEdit(space)
  const path = yield* edit.pathTo(entry.start)
  const leaf = path === undefined ? undefined : leafOf(path)
  const known = leaf === undefined || leaf.slot < 0 ? undefined : leaf.page.entryOf(leaf.slot)
  if (leaf === undefined || known?.start !== entry.start || known.size !== entry.size) {
    throw new KhazanaError(
      'invalid-argument',
      `the address map has no entry of just ${rangeText(entry.start, lastOf(entry))} to be replaced`,
    )
  }
  if (isSameEntry(known, entry)) return []
  leaf.page.setEntry(leaf.slot, entry)
  edit.write(leaf)
  return edit.finish()
}

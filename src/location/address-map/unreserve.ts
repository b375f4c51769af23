import { leafOf, MapEdit } from './map-edit.js'
import { type EntryName, isNamed } from './map-entry.js'
import type { PageWrite, Reading } from './page-access.js'
import type { PageSpace } from './page-space.js'
import { shrink } from './shrink.js'

/**
 * Makes the range of the entry that is named free. Where it does not stand, or another one does in its place, nothing is
 * written. It needs no free page. Throws `damaged`; nothing has changed then.
 */
export function* unreserveInMap(space: PageSpace, name: EntryName): Reading<readonly PageWrite[]> {
  const edit = new MapEdit(space)
  const path = yield* edit.pathTo(name.start)
  if (path === undefined) return []
  const leaf = leafOf(path)
  if (leaf.slot < 0 || !isNamed(leaf.page.entryOf(leaf.slot), name)) return []
  leaf.page.remove(leaf.slot)
  edit.write(leaf)
  yield* shrink(edit, path)
  return edit.finish()
}

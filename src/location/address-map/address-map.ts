import { checkMapRange, lastOf } from './map-entry.js'
import { MapPage } from './map-page.js'

/**
 * The address map (paper 3.1, DESIGN 8): which ranges of global memory are reserved, and where their homes are. It is a
 * tree in the pages of a region of global memory, and describes a range of addresses by entries for disjoint parts of
 * it: reserved, or left to another map, which is such a tree in a region of its own. What no entry tells of is free.
 *
 * **Pages.** Page 0 is the root. A leaf holds entries; a page above holds children, each a page of the same region and
 * the address at which its range begins. Every page names its level and the range that it tells of. Free ranges take
 * no room: an entry costs 64 bytes, wherever it is.
 *
 * **Many readers, one writer.** One node, the owner, changes the map, one operation after the other; each is a list of
 * pages to be written in order, each at once. Readers go down the tree meanwhile, page by page, and a crash may end an
 * operation after any write. Two rules make that harmless:
 *
 * 1. _A page tells of all that is asked of it, or of more._ Whatever gains a part of the range is written first (a new
 *    page, a wider one), with what is in it; then the one page above, that decides who is asked; then whatever loses
 *    that part. So after any write the tree gives the same answers, but for the one entry that is put in, taken out or
 *    replaced, and this becomes so with one write of one page.
 * 2. _A page is believed only about its own range and level._ A reader who was led on by a page as it was before may come
 *    to one that has lost the part, was released, or has become something else. That page does not tell of the address,
 *    or is empty: the reader begins anew at the root (`descentsMax`). Where it does tell, that was true at some time since
 *    the reader began, which is all that a reader without locks can know.
 *
 * What a crash leaves is a page that tells of more than it is asked, a page without entries, or one that nothing leads
 * to. The owner reads a page as cut to what it is asked, and finds the free pages by a walk (`loadMap`), so none of it
 * needs repair. An owner that could not perform all writes of an operation loads the map again, as after a crash.
 *
 * **A range across a border.** Entries come and go while the borders between leaves stay, so a free range that is to be
 * reserved may cross one. The border then moves behind it first, up to the page where the two leaves' ways part
 * (`make-room.ts`). So an entry is always whole on one page.
 *
 * **Rejected.** _Links to the right-hand neighbour_ (Lehman and Yao's B-link tree) spare a reader the new beginning, but
 * say nothing for pages that are put together or released, which then need marks and a time to wait before they are
 * used again. _Writing changed pages to new places_ up to the root (shadow paging) makes every operation one write that
 * decides; but it needs free pages in order to give pages back, and writes each change of an entry several times.
 * _A log of changes_ beside the tree would be read by everybody. _Entries cut in two_ at borders would be cheaper than
 * moving these, but would have to be changed together.
 *
 * Operations, each a file: `findInMap` and `entriesFrom` for readers; `reserveInMap`, `unreserveInMap`, `updateInMap`
 * for the owner, who keeps a `PageSpace`; `loadMap`, `checkMap` and `reconcile` for its start. All are generators that ask
 * for the pages they need (`page-access.ts`).
 *
 * This is page 0 of a map of that range, in which all is free. Throws `invalid-argument`.
 */
export function emptyMap(range: { readonly start: bigint; readonly size: bigint }): Uint8Array {
  checkMapRange(range)
  return MapPage.empty(0, range.start, lastOf(range)).share()
}

import { type Address, addressSpaceEnd } from '../../address/address.js'
import { leafFor } from './descent.js'
import { lastOf, type MapEntry } from './map-entry.js'
import type { Reading } from './page-access.js'
import { checkedPage, isBlank, uninitialised } from './page-check.js'

/** Some entries, ascending, and where to go on; nowhere at the end of the map. */
export interface EntryBatch {
  readonly entries: readonly MapEntry[]
  readonly next: Address | undefined
}

/**
 * The entries of one page, from the one that holds the address on; without an address, from the start of the map. There
 * may be none though more come. Whoever goes on at `next` sees each entry once; what changes meanwhile is seen or not.
 * Throws `damaged`, and `invalid-argument` where the map is not initialised.
 */
export function* entriesFrom(from: Address | undefined, pagesMax: number): Reading<EntryBatch> {
  const first = from ?? (yield* startOfMap())
  const leaf = yield* leafFor(first, pagesMax)
  if (leaf === 'uninitialised') throw uninitialised()
  if (leaf === 'outside') return { entries: [], next: undefined }
  const entries: MapEntry[] = []
  let { last } = leaf
  for (let slot = Math.max(leaf.page.slotBefore(first), 0); slot < leaf.page.count; slot++) {
    const entry = leaf.page.entryOf(slot)
    // What lies behind is for the next page to tell, which may know better.
    if (entry.start > leaf.last) break
    if (lastOf(entry) < first) continue
    entries.push(entry)
    // The owner may just have given this page more than the pages above had said.
    if (lastOf(entry) > last) last = lastOf(entry)
  }
  return { entries, next: last + 1n < addressSpaceEnd ? ((last + 1n) as Address) : undefined }
}

function* startOfMap(): Reading<Address> {
  const root = yield { page: 0 }
  if (isBlank(root)) throw uninitialised()
  return checkedPage(root, 0).start as Address
}

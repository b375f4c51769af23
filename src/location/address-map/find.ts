import type { Address } from '../../address/address.js'
import { leafFor, type LeafView } from './descent.js'
import type { MapEntry } from './map-entry.js'
import type { Reading } from './page-access.js'

/** What a map says of an address. */
export type Found = MapEntry | FreeRange | { readonly kind: 'outside' } | { readonly kind: 'uninitialised' }

/** A free range around the address: as far as one page tells. More may be free on either side. */
export interface FreeRange {
  readonly kind: 'free'
  readonly start: Address
  readonly size: bigint
}

/** What the map in a region of `pagesMax` pages says of the address (paper 3.1). Throws `damaged`. */
export function* findInMap(address: Address, pagesMax: number): Reading<Found> {
  const leaf = yield* leafFor(address, pagesMax)
  return typeof leaf === 'string' ? { kind: leaf } : answerOf(leaf, address)
}

function answerOf({ page, start, last }: LeafView, address: bigint): MapEntry | FreeRange {
  const slot = page.slotBefore(address)
  const before = slot < 0 ? -1n : page.lastOf(slot)
  if (before >= address) return page.entryOf(slot)
  const after = slot + 1 < page.count ? page.startOf(slot + 1) : last + 1n
  const from = before < start ? start : before + 1n
  const to = after > last ? last : after - 1n
  return { kind: 'free', start: from as Address, size: to - from + 1n }
}

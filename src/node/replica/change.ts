import type { PageIndex } from '../../address/page.js'
import type { MergeFunction } from '../../consistency/contract.js'
import { KhazanaError } from '../../stdx/errors.js'
import { applyPatch } from '../../wire/patch.js'
import type { Parcel } from './parcel-table.js'

/** The page as the parcel changes it, in an array that is nobody else's to write. Throws `protocol-error`. */
export function changed(before: Uint8Array, parcel: Parcel): Uint8Array {
  if (parcel.kind === 'page') return parcel.bytes
  // Not `slice`, which copies nothing where the array is a Buffer.
  const after = new Uint8Array(before)
  applyPatch(after, parcel.bytes)
  return after
}

/**
 * What the region's merge function makes of the page and the parcel, in a new array. The function gets copies: neither what
 * it writes to, nor what it keeps of them, is a page. Throws `unsupported` where it fails, or makes no page.
 */
export function merged(merge: MergeFunction, mine: Uint8Array, parcel: Parcel, page: PageIndex): Uint8Array {
  const theirs = new Uint8Array(changed(mine, parcel))
  let result: unknown
  try {
    result = merge(new Uint8Array(mine), theirs, page)
  } catch (cause) {
    throw new KhazanaError('unsupported', `the region's merge function failed: ${String(cause)}`, { cause })
  }
  if (result instanceof Uint8Array && result.length === mine.length) return new Uint8Array(result)
  throw new KhazanaError(
    'unsupported',
    `the region's merge function must return a page of ${mine.length} bytes`,
  )
}

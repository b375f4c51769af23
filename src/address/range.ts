import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { type PageIndex, type PageRange, pageIndex } from './page.js'

/** Bytes of a region, counted from its start: `offset`, and `length` of them, at least 1. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** All bytes of a region of that size. */
export function wholeRegion(regionBytes: number): ByteRange {
  return { offset: 0, length: regionBytes }
}

/**
 * Checks that a region of `regionBytes` bytes has the range. Throws `invalid-argument` for what is no range at all (not
 * whole, negative, empty) and `out-of-range` for one that leaves the region.
 */
export function checkRange(range: ByteRange, regionBytes: number): void {
  const { offset, length } = range
  if (!Number.isInteger(offset) || offset < 0) {
    throw new KhazanaError(
      'invalid-argument',
      `an offset is a whole number of bytes from 0 up, not ${shown(offset)}`,
    )
  }
  if (!Number.isInteger(length) || length < 1) {
    throw new KhazanaError(
      'invalid-argument',
      `a length is a whole number of bytes from 1 up, not ${shown(length)}`,
    )
  }
  // The sum of two huge numbers is rounded, but never down to the size of a region.
  if (offset + length > regionBytes) {
    const most =
      offset < regionBytes
        ? `at offset ${offset}, ask for ${regionBytes - offset} bytes or fewer`
        : `offsets end at ${regionBytes - 1}`
    throw new KhazanaError(
      'out-of-range',
      `${length} bytes at offset ${offset} leave the region of ${regionBytes} bytes: ${most}`,
    )
  }
}

/** Checks that a checked range is made of whole pages. Throws `invalid-argument`. */
export function checkWholePages({ offset, length }: ByteRange, pageSize: number): void {
  if (offset % pageSize === 0 && length % pageSize === 0) return
  throw new KhazanaError(
    'invalid-argument',
    `storage comes in whole pages: offset ${offset} and length ${length} must be multiples of ${pageSize}`,
  )
}

/** The pages that hold the bytes of a checked range. */
export function pagesOf(range: ByteRange, pageSize: number): PageRange {
  const first = pageOf(range.offset, pageSize)
  const last = pageOf(range.offset + range.length - 1, pageSize)
  return { first, count: last - first + 1 }
}

/** The page that holds the byte at `offset`. */
export function pageOf(offset: number, pageSize: number): PageIndex {
  return pageIndex(Math.floor(offset / pageSize))
}

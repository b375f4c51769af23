import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { checkPageSize, pageBytesMin, pagesPerRegionMax } from './page.js'
import { formatSize } from './size-text.js'

/** 4 PiB. What the smallest pages can number, and half of what a double counts exactly: offsets add without rounding. */
export const regionBytesMax = pagesPerRegionMax * pageBytesMin

/**
 * The size in bytes of a region for `bytes` bytes: rounded up to whole pages, one at least. Throws `invalid-argument`
 * for a size that is not a whole number from 1 to `regionBytesMax`, and for a bad page size.
 */
export function regionSize(bytes: number, pageSize: number): number {
  checkPageSize(pageSize)
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > regionBytesMax) {
    throw new KhazanaError(
      'invalid-argument',
      `the size of a region is a whole number of bytes from 1 to ${formatSize(regionBytesMax)}, not ${shown(bytes)}`,
    )
  }
  return Math.ceil(bytes / pageSize) * pageSize
}

import type { Brand } from '../stdx/brand.js'
import { KhazanaError } from '../stdx/errors.js'

/** A page of a region, counted from the region's start. 0 to 2^40 - 1. */
export type PageIndex = Brand<number, 'PageIndex'>

/** How often a page was written since it was allocated. 0: never, it reads as zeros. */
export type Version = Brand<number, 'Version'>

export const pageBytesMin = 4096
export const pageBytesMax = 1024 * 1024
export const pagesPerRegionMax = 2 ** 40

/** Pages `first`, `first + 1`, ... `count` of them; never empty. */
export interface PageRange {
  readonly first: PageIndex
  readonly count: number
}

export const neverWritten = 0 as Version

export function pageIndex(value: number): PageIndex {
  if (!Number.isInteger(value) || value < 0 || value >= pagesPerRegionMax) {
    throw new KhazanaError('invalid-argument', `not a page number: ${value}`)
  }
  return value as PageIndex
}

export function nextVersion(version: Version): Version {
  return (version + 1) as Version
}

/** Throws `invalid-argument` unless a power of two from 4 KiB to 1 MiB. */
export function checkPageSize(bytes: number): number {
  const isPowerOfTwo = Number.isInteger(bytes) && bytes > 0 && (bytes & (bytes - 1)) === 0
  if (!isPowerOfTwo || bytes < pageBytesMin || bytes > pageBytesMax) {
    throw new KhazanaError(
      'invalid-argument',
      `a page size is a power of two from 4KiB to 1MiB, in bytes; ${bytes} is not`,
    )
  }
  return bytes
}

import { KhazanaError } from '../stdx/errors.js'
import type { PageIndex, PageRange } from './page.js'
export interface ByteRange { readonly offset: number; readonly length: number }
export function checkRange(range: ByteRange, size: number): void {
  const { offset, length } = range
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length <= 0) throw new KhazanaError('invalid-argument', `offset ${offset}, length ${length}`)
  if (offset + length > size) throw new KhazanaError('out-of-range', `beyond ${size}`)
}
export function pagesOf(range: ByteRange, pageSize: number): PageRange {
  const first = Math.floor(range.offset / pageSize)
  return { first: first as PageIndex, count: Math.floor((range.offset + range.length - 1) / pageSize) - first + 1 }
}

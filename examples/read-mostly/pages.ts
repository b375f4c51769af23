import type { PageIndex, PageRange } from 'khazana'

export function rangeOf({ first, count }: { readonly first: number; readonly count: number }): PageRange {
  return { first: first as PageIndex, count }
}

export function pagesOf({ first, count }: PageRange): PageIndex[] {
  return Array.from({ length: count }, (_, index) => (first + index) as PageIndex)
}

export function covers({ first, count }: PageRange, page: number): boolean {
  return page >= first && page < first + count
}

export function overlap(a: PageRange, b: PageRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count
}

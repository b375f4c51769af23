import type { FsRegion } from './fs-region.js'

/** Pages of a region, from one on. */
export interface PagesOf {
  readonly region: FsRegion
  readonly first: number
}

/** Whether some page is in both. */
export function overlap(
  a: PagesOf & { readonly count: number },
  b: PagesOf & { readonly count: number },
): boolean {
  return a.region === b.region && a.first < b.first + b.count && b.first < a.first + a.count
}

/** One order in which all mounts lock pages, so that none waits for another one that waits for it. */
export function inOrder(a: PagesOf, b: PagesOf): number {
  if (a.region.address !== b.region.address) return a.region.address < b.region.address ? -1 : 1
  return a.first - b.first
}

import type { FsRegion } from './fs-region.js'

/** Pages of a region, from one on. */
export interface PagesOf {
  readonly region: FsRegion
  readonly first: number
}

/** One order in which all mounts lock pages, so that none waits for another one that waits for it. */
export function inOrder(a: PagesOf, b: PagesOf): number {
  if (a.region.address !== b.region.address) return a.region.address < b.region.address ? -1 : 1
  return a.first - b.first
}

import { Prng } from '../../src/stdx/prng.js'
import type { ByteRange, Khazana, Region } from '../../src/index.js'

export const pageBytes = 4096
/** Pages that the short operations go over: 4 MiB, more than the caches nearest to a core hold. */
export const workingSetPages = 1024

/** The order in which all rows go over the working set: shuffled, and always the same. */
export function visitingOrder(): readonly number[] {
  return Prng.fromSeed(1).shuffle(Array.from({ length: workingSetPages }, (_, page) => page))
}

/** The pages of a region's beginning, in visiting order. */
export function pagesInOrder(): readonly ByteRange[] {
  return visitingOrder().map(pageAt)
}

export function pageAt(page: number): ByteRange {
  return { offset: page * pageBytes, length: pageBytes }
}

/** A new region with storage, all its pages written once. */
export async function writtenRegion(site: Khazana, pages: number): Promise<Region> {
  const region = await site.reserve(pages * pageBytes)
  await region.allocate()
  await rewrite(region, 0, pages, 1)
  return region
}

/** Pages that are written under one lock. */
const sectionPages = 1024

/** Fills pages with the mark, and waits until they are durable. */
export async function rewrite(region: Region, first: number, count: number, mark: number): Promise<void> {
  for (let page = first; page < first + count; page += sectionPages) {
    const length = Math.min(sectionPages, first + count - page) * pageBytes
    const range = { offset: page * pageBytes, length }
    const lock = await region.lock('write', range)
    lock.write(range.offset, new Uint8Array(length).fill(mark))
    await lock.unlock()
  }
}

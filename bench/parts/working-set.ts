import { Prng } from '../../src/stdx/prng.js'
import type { ByteRange, Khazana, Region, ReserveOptions } from '../../src/index.js'

export const pageBytes = 4096
/** Pages that the short operations go over: 4 MiB, more than the caches nearest to a core hold. */
export const workingSetPages = 1024
export const workingSetBytes = workingSetPages * pageBytes

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

/** A new region with storage, all of it written once. */
export async function writtenRegion(
  site: Khazana,
  bytes: number,
  options: ReserveOptions = {},
): Promise<Region> {
  const region = await site.reserve(bytes, options)
  await region.allocate()
  await rewrite(region, 1)
  return region
}

/** What is written under one lock. */
const sectionBytes = 4 * 2 ** 20

/** Fills the region with the mark, and waits until it is durable. */
export async function rewrite(region: Region, mark: number): Promise<void> {
  for (let offset = 0; offset < region.size; offset += sectionBytes) {
    const length = Math.min(sectionBytes, region.size - offset)
    const lock = await region.lock('write', { offset, length })
    lock.write(offset, new Uint8Array(length).fill(mark))
    await lock.unlock()
  }
}

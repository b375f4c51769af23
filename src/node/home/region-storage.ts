import type { RegionDescriptor } from '../../address/descriptor.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { RangeSet } from '../../address/range-set.js'
import { checkRange, checkWholePages } from '../../address/range.js'
import type { ByteRange } from '../../address/range.js'
import type { WaitOptions } from '../../io/deadline.js'
import { KhazanaError } from '../../stdx/errors.js'
import { allocatedFragmentsMax } from '../../wire/limits.js'
import type { Replica } from '../replica/replica.js'
import type { HomedRegion } from './homed-region.js'
import type { RegionTable } from './region-table.js'
import { bytesFor } from './region-table.js'

/** Pages whose storage is taken away at a time. */
const freePagesMax = 1024

export interface RegionStorageOptions {
  readonly table: RegionTable
  /** Throws `no-space`. */
  readonly checkRoom: (bytes: number) => void
  /** The root replica of the region; undefined where it is not served. */
  readonly replica: (region: HomedRegion) => Replica | undefined
}

/** Gives pages of regions storage, and takes it away. One change of a region at a time: `HomedRegion.exclusively` is the caller's. */
export class RegionStorage {
  readonly #options: RegionStorageOptions

  constructor(options: RegionStorageOptions) {
    this.#options = options
  }

  /** What has storage keeps it; the rest is zeros. Throws `no-space`, `unsupported`. */
  async allocate(region: HomedRegion, pages: PageRange): Promise<void> {
    const { table, checkRoom } = this.#options
    const held = sum(region.allocated.within(pages.first, pages.count))
    const bytes = bytesFor(pages.count - held, region.descriptor)
    if (bytes === 0) return
    checkRoom(bytes)
    const added = missing(region.allocated, pages)
    region.allocated.add(pages.first, pages.count)
    table.promise(bytes)
    const undo = (): void => {
      for (const { first, count } of added) region.allocated.remove(first, count)
      table.promise(-bytes)
    }
    if (region.allocated.fragments > allocatedFragmentsMax) {
      undo()
      const limit = `a region has at most ${allocatedFragmentsMax} separate allocated ranges`
      throw new KhazanaError('unsupported', `${limit}: allocate in larger pieces`)
    }
    try {
      await region.commit({ record: region.record })
    } catch (error) {
      undo()
      throw error
    }
  }

  /** Once nobody has a lock on it. Throws as `Replica.seize`. */
  async free(region: HomedRegion, pages: PageRange, options: WaitOptions): Promise<void> {
    const { table, replica: replicaOf } = this.#options
    const replica = replicaOf(region)
    if (replica === undefined) return
    for (const held of pieces(region.allocated.within(pages.first, pages.count))) {
      const letGo = await replica.seize(held, options)
      try {
        await replica.whenDurable()
        for (let page = held.first; page < held.first + held.count; page++) {
          region.floor = Math.max(region.floor, region.versionOf(page) + 1)
        }
        region.allocated.remove(held.first, held.count)
        try {
          await region.commit({ frees: [held], record: region.record })
        } catch (error) {
          region.allocated.add(held.first, held.count)
          throw error
        }
        table.promise(-bytesFor(held.count, region.descriptor))
        replica.freed(held, 'not-allocated', 'the range was freed')
      } finally {
        letGo()
      }
    }
  }
}

/** The whole pages of a range. Throws `invalid-argument` where it is not made of whole pages. */
export function alignedPages(range: ByteRange, { size, pageSize }: RegionDescriptor): PageRange {
  checkRange(range, size)
  checkWholePages(range, pageSize)
  const { offset, length } = range
  return { first: (offset / pageSize) as PageIndex, count: length / pageSize }
}

function missing(allocated: RangeSet, pages: PageRange): PageRange[] {
  const gaps: PageRange[] = []
  let next: number = pages.first
  for (const { first, count } of allocated.within(pages.first, pages.count)) {
    if (first > next) gaps.push({ first: next as PageIndex, count: first - next })
    next = first + count
  }
  const end = pages.first + pages.count
  if (end > next) gaps.push({ first: next as PageIndex, count: end - next })
  return gaps
}

function* pieces(
  ranges: readonly { readonly first: number; readonly count: number }[],
): Generator<PageRange> {
  for (const { first, count } of ranges) {
    for (let start = 0; start < count; start += freePagesMax) {
      yield { first: (first + start) as PageIndex, count: Math.min(freePagesMax, count - start) }
    }
  }
}

function sum(ranges: readonly { readonly count: number }[]): number {
  return ranges.reduce((total, { count }) => total + count, 0)
}

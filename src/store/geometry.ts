import { checkPageSize } from '../address/page.js'
import { KhazanaError } from '../stdx/errors.js'
import { blockBytes, blocksOf, segmentBlocksMax, segmentsMax } from './log-place.js'
import { headBytes } from './part-codec.js'
import { segmentsRecordBytes } from './record-codec.js'
import type { StoreLimits } from './store-contract.js'

/**
 * How the disk limit is divided. The size of the segments is decided once; the rest again with each other limit.
 *
 * Free segments are of three uses. The last `cleanerReserve` serve the cleaner alone: emptying one segment takes at most
 * one new one, so it can always go on. One above it is kept for commits that only give up data, so that a full
 * store can be made less full. The rest is for everybody.
 *
 * A segment can be emptied with profit while it holds at most `cleanableBytes`: less than a segment always takes after
 * moving, whatever is lost at segment ends to pages that do not fit. If all that is kept, spread over all segments but
 * the reserves, comes to no more than that each, then one of them is profitable. `usableBytes` is 85% of that bound: at
 * the bound itself the cleaner would move thirty bytes to gain one.
 */
export interface Geometry {
  readonly segmentBytes: number
  readonly segmentBlocks: number
  /** Segments that fit the disk limit. */
  readonly segmentsMax: number
  readonly pageBytesMax: number
  /** Blocks at the end of a segment that a record may be too large for. */
  readonly tailBlocksMax: number
  /** Blocks that the list of segments takes at the start of each. */
  readonly listBlocks: number
  /** Bytes that the cleaner moves with one group. */
  readonly moveBytesMax: number
  readonly cleanableBytes: number
  readonly usableBytes: number
}

/** Free segments that only the cleaner may open. */
export const cleanerReserve = 2
/** Free segments that only the cleaner and commits that give up data may open. */
export const foregroundReserve = 3

export const pageBytesMaxDefault = 1024 * 1024
export const pendingBytesMaxDefault = 256 * 1024 * 1024
/** With 1 MiB pages: sixteen segments of 4 MiB. */
export const diskBytesMin = 64 * 1024 * 1024

const segmentBytesMin = 4 * 1024 * 1024
const segmentBytesDefaultMax = 64 * 1024 * 1024
const segmentsMin = 8
const usableShare = 0.85

/** The size of the segments of a new store: 1/64 of the limit, from 4 to 64 MiB. Throws `invalid-argument`. */
export function chooseSegmentBytes(limits: StoreLimits): number {
  const pageBytesMax = checkPageSize(limits.pageBytesMax ?? pageBytesMaxDefault)
  const chosen = limits.segmentBytes
  if (chosen === undefined) {
    if (!(limits.diskBytesMax >= diskBytesMin)) {
      throw new KhazanaError('invalid-argument', `the disk limit must be at least ${diskBytesMin} bytes`)
    }
    const share = 2 ** Math.floor(Math.log2(limits.diskBytesMax / 64))
    return Math.min(segmentBytesDefaultMax, Math.max(segmentBytesMin, share))
  }
  const blocks = chosen / blockBytes
  if (!Number.isInteger(blocks) || blocks > segmentBlocksMax || blocks < blocksOf(pageBytesMax) * 2 + 8) {
    throw new KhazanaError(
      'invalid-argument',
      `a segment is whole blocks of ${blockBytes} bytes, at most ${segmentBlocksMax}, and holds two of the largest pages`,
    )
  }
  if (!(limits.diskBytesMax >= chosen * segmentsMin)) {
    throw new KhazanaError('invalid-argument', `the disk limit must allow ${segmentsMin} segments`)
  }
  return chosen
}

/**
 * The geometry of a store under another disk limit: what is fixed stays. Throws `invalid-argument` for a limit that is too
 * small, or larger than what the segments, whose size was chosen for another limit, can be listed for.
 */
export function replanGeometry(current: Geometry, diskBytesMax: number): Geometry {
  const { segmentBytes, pageBytesMax } = current
  const planned = planGeometry({ diskBytesMax, pageBytesMax }, segmentBytes, current.listBlocks)
  const fitting = Math.floor(diskBytesMax / segmentBytes)
  const files = `the log here is made of files of ${segmentBytes} bytes`
  if (!(fitting >= segmentsMin)) {
    const least = segmentsMin * segmentBytes
    throw new KhazanaError('invalid-argument', `${files}: the disk limit must be at least ${least} bytes`)
  }
  if (fitting > planned.segmentsMax) {
    const most = planned.segmentsMax * segmentBytes
    throw new KhazanaError('invalid-argument', `${files}: the disk limit can be at most ${most} bytes`)
  }
  return planned
}

/** The smallest disk limit, of whole log files, that lets so many bytes be used; Infinity where none does. */
export function diskBytesFor(current: Geometry, usableBytes: number): number {
  const { segmentBytes, pageBytesMax, listBlocks } = current
  const plan = (count: number): Geometry =>
    planGeometry({ diskBytesMax: count * segmentBytes, pageBytesMax }, segmentBytes, listBlocks)
  let least = segmentsMin
  let most = plan(segmentsMax).segmentsMax
  if (plan(most).usableBytes < usableBytes) return Infinity
  while (least < most) {
    const middle = Math.floor((least + most) / 2)
    if (plan(middle).usableBytes >= usableBytes) most = middle
    else least = middle + 1
  }
  return least * segmentBytes
}

/** `listBlocksMin`: for files that are there already, and may be more than fit the limit. */
export function planGeometry(limits: StoreLimits, segmentBytes: number, listBlocksMin = 0): Geometry {
  const pageBytesMax = checkPageSize(limits.pageBytesMax ?? pageBytesMaxDefault)
  const segmentBlocks = segmentBytes / blockBytes
  // No more than an eighth of a segment goes to the list of segments.
  const listable = Math.floor((segmentBytes / 8 - headBytes) / segmentsRecordBytes(1))
  const fitting = Math.floor(limits.diskBytesMax / segmentBytes)
  const count = Math.min(fitting, segmentsMax, Math.max(segmentsMin, listable))
  const tailBlocksMax = blocksOf(pageBytesMax) + 2
  const listBlocks = Math.max(listBlocksMin, blocksOf(headBytes + segmentsRecordBytes(count)))
  const moveBytesMax = Math.max(pageBytesMax, Math.min(1024 * 1024, segmentBytes / 4))
  const partsToMove = Math.ceil(segmentBytes / moveBytesMax) + 2
  const profitBlocks = Math.max(1, Math.floor(segmentBlocks / 32))
  const cleanableBlocks = segmentBlocks - tailBlocksMax - listBlocks - partsToMove - profitBlocks
  const cleanableBytes = Math.max(0, cleanableBlocks) * blockBytes
  const dataSegments = Math.max(0, count - foregroundReserve - 1)
  return {
    segmentBytes,
    segmentBlocks,
    segmentsMax: count,
    pageBytesMax,
    tailBlocksMax,
    listBlocks,
    moveBytesMax,
    cleanableBytes,
    usableBytes: Math.floor(dataSegments * cleanableBytes * usableShare),
  }
}

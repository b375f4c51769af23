import type { Checksum } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import { blockBytes, blocksOf } from './log-place.js'
import type { SegmentSummary } from './log-record.js'
import { type PartHead, tableBlocks } from './part-codec.js'
import type { Segment } from './segment.js'
import type { SegmentReader } from './segment-reader.js'
import { type IntactPart, walkSegment } from './segment-walk.js'

/** A segment that says what it is. */
export interface HeadedSegment {
  readonly segment: Segment
  readonly reader: SegmentReader
  readonly head: PartHead
}

/** A part that does not count, to be made unrecognizable before the log goes on. */
export interface TornPart {
  readonly segment: Segment
  readonly block: number
}

/** Where the log ends, and which segments it consists of. */
export interface LogTail {
  readonly newest: HeadedSegment
  readonly endBlock: number
  /** Of the next part to be written. */
  readonly nextLsn: number
  /** All segments but the newest that the log needs. */
  readonly others: readonly SegmentSummary[]
  readonly torn: readonly TornPart[]
  /** What the newest group lies in: it is whole, but may never have been flushed. The groups before it have been. */
  readonly unflushed: readonly Segment[]
}

export type TailResult =
  | { readonly kind: 'found'; readonly tail: LogTail }
  /** There is not one whole group. */
  | { readonly kind: 'empty'; readonly torn: readonly TornPart[] }
  /** The newest segment cannot be read, though it was once complete. */
  | { readonly kind: 'lost'; readonly segment: Segment }

/**
 * Finds the end of the log. One group at a time is written, and the next only after the last was flushed. So of all groups
 * only the last can be torn, with any of its sectors missing, and whatever has a later group behind it was whole once.
 * The newest segment's first record lists the others, as of its opening; retirements since then are in it too.
 */
export async function findTail(headed: readonly HeadedSegment[], checksum: Checksum): Promise<TailResult> {
  const byAge = headed.toSorted((a, b) => b.head.sequence - a.head.sequence)
  const torn: TornPart[] = []
  for (const candidate of byAge) {
    const content = await survey(candidate)
    if (content.isHeadLost) return { kind: 'lost', segment: candidate.segment }
    const last = content.lastHead
    const isWhole = last !== undefined && (await isGroupWhole(last.groupLsn, last, byAge, checksum))
    const keepsUpTo = isWhole ? content.endBlock : content.lastBlock
    if (content.endBlock > 0) {
      const behind = await candidate.reader.headAt(content.endBlock)
      if (behind?.sequence === candidate.head.sequence)
        torn.push({ segment: candidate.segment, block: content.endBlock })
    }
    if (!isWhole) torn.push({ segment: candidate.segment, block: content.lastBlock })
    if (keepsUpTo === 0 || last === undefined) continue
    const nextLsn = isWhole ? last.lsn + 1 : last.lsn
    const retired = await retirements(candidate, nextLsn - 1)
    const others = content.others.filter(
      (other) => !retired.some((gone) => gone.slot === other.slot && gone.sequence === other.sequence),
    )
    const unflushed = isWhole ? segmentsOf(last, byAge) : []
    return {
      kind: 'found',
      tail: { newest: candidate, endBlock: keepsUpTo, nextLsn, others, torn, unflushed },
    }
  }
  return { kind: 'empty', torn }
}

interface Content {
  readonly lastHead: PartHead | undefined
  readonly lastBlock: number
  /** After the last intact part. */
  readonly endBlock: number
  readonly others: readonly SegmentSummary[]
  readonly isHeadLost: boolean
}

async function survey({ reader, head }: HeadedSegment): Promise<Content> {
  let lastHead: PartHead | undefined
  let lastBlock = 0
  let endBlock = 0
  let others: readonly SegmentSummary[] | undefined
  for await (const step of walkSegment(reader, {
    sequence: head.sequence,
    firstLsn: head.lsn,
    lastLsn: undefined,
  })) {
    if (step.kind === 'gap') {
      if (step.block === 0 && step.next !== undefined) break
      continue
    }
    const part = step.part
    others ??= part.block === 0 ? listedIn(part) : undefined
    lastHead = part.head
    lastBlock = part.block
    endBlock = part.block + tableBlocks(part.head.tableBytes) + part.head.payloadBlocks
  }
  const isTorn =
    lastHead === undefined && (await reader.findHead(1, (found) => isLater(found, head))) === undefined
  return { lastHead, lastBlock, endBlock, others: others ?? [], isHeadLost: others === undefined && !isTorn }
}

function isLater(found: PartHead, head: PartHead): boolean {
  return found.sequence === head.sequence && found.lsn > head.lsn
}

function listedIn(part: IntactPart): readonly SegmentSummary[] | undefined {
  const [first] = part.records
  return first?.kind === 'segments' ? first.segments : undefined
}

async function retirements(
  { reader, head }: HeadedSegment,
  lastLsn: number,
): Promise<{ slot: number; sequence: number }[]> {
  const found: { slot: number; sequence: number }[] = []
  for await (const step of walkSegment(reader, { sequence: head.sequence, firstLsn: head.lsn, lastLsn })) {
    if (step.kind === 'gap') continue
    for (const record of step.part.records) {
      if (record.kind === 'retire') found.push({ slot: record.slot, sequence: record.sequence })
    }
  }
  return found
}

/** Checks every byte of the group that `last` ends. Its earlier parts end the segments before. */
async function isGroupWhole(
  groupLsn: number,
  last: PartHead,
  byAge: readonly HeadedSegment[],
  checksum: Checksum,
): Promise<boolean> {
  if (last.lsn !== groupLsn + last.partCount - 1) return false
  for (let lsn = last.lsn; lsn >= groupLsn; lsn--) {
    const sequence = last.sequence - (last.lsn - lsn)
    const holder = byAge.find((candidate) => candidate.head.sequence === sequence)
    if (holder === undefined || !(await isPartWhole(holder, lsn, groupLsn, checksum))) return false
  }
  return true
}

/** Of the group that `last` ends. */
function segmentsOf(last: PartHead, byAge: readonly HeadedSegment[]): Segment[] {
  const first = last.sequence - last.partCount + 1
  return byAge
    .filter(({ head }) => head.sequence >= first && head.sequence <= last.sequence)
    .map(({ segment }) => segment)
}

async function isPartWhole(
  { segment, reader, head }: HeadedSegment,
  lsn: number,
  groupLsn: number,
  checksum: Checksum,
): Promise<boolean> {
  for await (const step of walkSegment(reader, {
    sequence: head.sequence,
    firstLsn: head.lsn,
    lastLsn: lsn,
  })) {
    if (step.kind === 'gap' || step.part.head.lsn !== lsn) continue
    const part = step.part
    return part.head.groupLsn === groupLsn && (await arePayloadsWhole(segment, part, checksum))
  }
  return false
}

async function arePayloadsWhole(segment: Segment, part: IntactPart, checksum: Checksum): Promise<boolean> {
  let block = part.block + tableBlocks(part.head.tableBytes)
  for (const payload of part.records) {
    if (payload.kind !== 'page') continue
    const bytes = new Uint8Array(payload.bytes)
    try {
      const length = await segment.file.read(block * blockBytes, bytes)
      if (length !== bytes.length || checksum(bytes, 0) !== payload.checksum) return false
    } catch (reason) {
      if (reason instanceof KhazanaError && reason.code === 'storage-failed') return false
      throw reason
    }
    block += blocksOf(payload.bytes)
  }
  return true
}

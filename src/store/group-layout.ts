import { assert } from '../stdx/assert.js'
import type { LogItem, LogSize } from './batch.js'
import type { Geometry } from './geometry.js'
import { blocksOf } from './log-place.js'
import type { LogRecord, SegmentSummary } from './log-record.js'
import { headBytes, tableBlocks } from './part-codec.js'
import { recordBytes } from './record-codec.js'
import type { Segment } from './segment.js'
import type { SegmentSet } from './segment-set.js'

/** One part of a group, with its place. */
export interface PlannedPart {
  readonly segment: Segment
  readonly isOpening: boolean
  readonly sequence: number
  readonly block: number
  readonly lsn: number
  readonly records: LogRecord[]
  readonly payloads: Uint8Array[]
  tableBytes: number
  payloadBlocks: number
}

/** A position that is filled in when the layout knows it. */
export interface StartPosition {
  sequence: number
  block: number
}

/**
 * Spreads a group over the rest of the active segment and as many free ones as it needs, without changing anything:
 * until the group is durable, nothing of it has happened. Undefined where the free segments do not suffice.
 */
export function layOutGroup(
  items: readonly LogItem[],
  segments: SegmentSet,
  retired: readonly Segment[],
  start: StartPosition,
): PlannedPart[] | undefined {
  const parts: PlannedPart[] = []
  let opened = 0

  function append(part: PlannedPart, { record, payload }: LogItem): boolean {
    const tableBytes = part.tableBytes + recordBytes(record)
    const payloadBlocks = part.payloadBlocks + (payload === undefined ? 0 : blocksOf(payload.length))
    if (part.block + tableBlocks(tableBytes) + payloadBlocks > segments.geometry.segmentBlocks) return false
    part.tableBytes = tableBytes
    part.payloadBlocks = payloadBlocks
    part.records.push(record)
    if (payload !== undefined) part.payloads.push(payload)
    return true
  }

  function continueActive(): PlannedPart | undefined {
    const active = segments.active
    if (active === undefined || active.endBlock >= segments.geometry.segmentBlocks) return undefined
    return newPart(active, active.sequence, active.endBlock, segments.nextLsn)
  }

  function openNext(): PlannedPart | undefined {
    const segment = segments.free[opened]
    if (segment === undefined) return undefined
    const lsn = segments.nextLsn + parts.length
    const sequence = segments.nextSequence + opened
    opened++
    const part = newPart(segment, sequence, 0, lsn)
    const summaries = summarize(segments, retired, parts)
    const isListed = append(part, { record: { kind: 'segments', segments: summaries } })
    assert(isListed, 'the list of segments fits an empty segment')
    return part
  }

  let part = continueActive()
  for (const item of items) {
    if (part !== undefined && append(part, item)) continue
    // The rest of the active segment may be too small for even the first record: then the group begins in the next one.
    if (part !== undefined && part.records.length > 0) parts.push(part)
    part = openNext()
    if (part === undefined) return undefined
    assert(append(part, item), 'every record fits an empty segment')
  }
  // A group of nothing is written too: a mark, or the first of a new store.
  part ??= openNext()
  if (part === undefined) return undefined
  parts.push(part)
  start.sequence = parts[0]?.sequence ?? 0
  start.block = parts[0]?.block ?? 0
  return parts
}

/** A bound from above on the segments that a group opens, however its records fall. */
export function segmentsNeeded(size: LogSize, segments: SegmentSet): number {
  const { segmentBlocks, tailBlocksMax, listBlocks }: Geometry = segments.geometry
  const blocks = blocksOf(headBytes + size.tableBytes) + size.payloadBlocks
  const remaining = segmentBlocks - (segments.active?.endBlock ?? segmentBlocks)
  if (blocks <= remaining) return 0
  const left = blocks - Math.max(0, remaining - tailBlocksMax)
  return Math.ceil(left / (segmentBlocks - tailBlocksMax - listBlocks))
}

function newPart(segment: Segment, sequence: number, block: number, lsn: number): PlannedPart {
  return {
    segment,
    isOpening: block === 0,
    sequence,
    block,
    lsn,
    records: [],
    payloads: [],
    tableBytes: 0,
    payloadBlocks: 0,
  }
}

/** Everything that the log consists of beside the segment being opened, as this group leaves it. */
function summarize(
  segments: SegmentSet,
  retired: readonly Segment[],
  parts: readonly PlannedPart[],
): SegmentSummary[] {
  const summaries: SegmentSummary[] = []
  for (const { slot, sequence, firstLsn, lastLsn } of segments.live()) {
    if (retired.some((segment) => segment.slot === slot)) continue
    const part = parts.find((candidate) => candidate.segment.slot === slot)
    summaries.push({ slot, sequence, firstLsn, lastLsn: part?.lsn ?? lastLsn })
  }
  for (const part of parts) {
    if (part.isOpening) {
      summaries.push({
        slot: part.segment.slot,
        sequence: part.sequence,
        firstLsn: part.lsn,
        lastLsn: part.lsn,
      })
    }
  }
  return summaries
}

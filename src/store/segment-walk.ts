import { partBlocks } from './part-codec.js'
import type { LogRecord } from './log-record.js'
import type { FoundPart, SegmentReader } from './segment-reader.js'

export interface IntactPart extends FoundPart {
  readonly records: readonly LogRecord[]
}

/**
 * What a walk over a segment meets. A `gap` is where a part should begin and none that is intact does; `next` is the
 * block where a later part of the same use follows, undefined where none does: then the gap is the end of the walk.
 */
export type WalkStep =
  | { readonly kind: 'part'; readonly part: IntactPart }
  | { readonly kind: 'gap'; readonly block: number; readonly lsn: number; readonly next: number | undefined }

export interface WalkRange {
  readonly sequence: number
  readonly firstLsn: number
  /** The walk ends after this part; undefined: after the last that there is. */
  readonly lastLsn: number | undefined
}

/** The parts of one use of a segment, in order. */
export async function* walkSegment(reader: SegmentReader, range: WalkRange): AsyncIterableIterator<WalkStep> {
  const lastLsn = range.lastLsn ?? Infinity
  let block = 0
  let lsn = range.firstLsn
  while (lsn <= lastLsn) {
    const part = await reader.partAt(block, range.sequence)
    const records = part?.records
    if (part !== undefined && records !== undefined && part.head.lsn === lsn) {
      yield { kind: 'part', part: { head: part.head, block, records } }
      block += partBlocks(part.head)
      lsn++
      continue
    }
    const expected = lsn
    // Only a later part proves that this one was complete once: parts are written one group at a time.
    const next = await reader.findHead(
      block + 1,
      (head) => head.sequence === range.sequence && head.lsn > expected,
    )
    yield { kind: 'gap', block, lsn, next }
    if (next === undefined) return
    block = next
    lsn = (await reader.headAt(next))?.lsn ?? lsn + 1
  }
}

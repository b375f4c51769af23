import type { Checksum } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import { blockBytes, blocksOf, segmentBlocksMax } from './log-place.js'
import type { LogRecord } from './log-record.js'
import { encodeRecord } from './record-codec.js'
import { getUint48, setUint48 } from './uint48.js'

/**
 * A group of commits is written as one part in each segment that it touches: nearly always one part. A part is a head
 * (below), a table of records, padding to whole blocks, and the pages' payloads. A group counts only when all its parts
 * are whole. Parts are numbered without gaps (`lsn`), so a missing one shows.
 */
export interface PartHead {
  readonly storeId: bigint
  /** Of the segment. What an earlier use of the same file left behind has a lower one. */
  readonly sequence: number
  readonly lsn: number
  /** Of the group's first part. */
  readonly groupLsn: number
  /** Parts in the group. */
  readonly partCount: number
  readonly recordCount: number
  readonly tableBytes: number
  readonly payloadBlocks: number
  readonly tableChecksum: number
}

export const formatVersion = 1
export const headBytes = 64

const magic = 0x4c7a684b // "KhzL"
const checksumAt = headBytes - 4

/** Blocks before the payloads. */
export function tableBlocks(tableBytes: number): number {
  return blocksOf(headBytes + tableBytes)
}

export function partBlocks(head: PartHead): number {
  return tableBlocks(head.tableBytes) + head.payloadBlocks
}

/** The head and table, padded to whole blocks: what precedes the payloads. */
export function encodePart(
  head: Omit<PartHead, 'tableChecksum' | 'recordCount'>,
  records: readonly LogRecord[],
  checksum: Checksum,
): Uint8Array {
  const bytes = new Uint8Array(tableBlocks(head.tableBytes) * blockBytes)
  const view = new DataView(bytes.buffer)
  let at = headBytes
  for (const record of records) at = encodeRecord(record, bytes, view, at)
  view.setUint32(0, magic, true)
  view.setUint16(4, formatVersion, true)
  view.setBigUint64(8, head.storeId, true)
  setUint48(view, 16, head.sequence)
  setUint48(view, 22, head.lsn)
  setUint48(view, 28, head.groupLsn)
  view.setUint32(34, head.partCount, true)
  view.setUint32(38, records.length, true)
  view.setUint32(42, head.tableBytes, true)
  view.setUint32(46, head.payloadBlocks, true)
  view.setUint32(50, checksum(bytes.subarray(headBytes, headBytes + head.tableBytes), 0), true)
  view.setUint32(checksumAt, checksum(bytes.subarray(0, checksumAt), 0), true)
  return bytes
}

/**
 * The head at the start of these bytes; undefined where there is none of this store. Throws `bad-format` for one of a
 * newer version, whose magic, version and checksum stay where they are.
 */
export function decodeHead(bytes: Uint8Array, storeId: bigint, checksum: Checksum): PartHead | undefined {
  if (bytes.length < headBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, headBytes)
  if (view.getUint32(0, true) !== magic || view.getBigUint64(8, true) !== storeId) return undefined
  if (view.getUint32(checksumAt, true) !== checksum(bytes.subarray(0, checksumAt), 0)) return undefined
  const version = view.getUint16(4, true)
  if (version !== formatVersion) {
    throw new KhazanaError(
      'bad-format',
      `the log has format version ${version}; this program reads version ${formatVersion}`,
    )
  }
  const head: PartHead = {
    storeId,
    sequence: getUint48(view, 16),
    lsn: getUint48(view, 22),
    groupLsn: getUint48(view, 28),
    partCount: view.getUint32(34, true),
    recordCount: view.getUint32(38, true),
    tableBytes: view.getUint32(42, true),
    payloadBlocks: view.getUint32(46, true),
    tableChecksum: view.getUint32(50, true),
  }
  const index = head.lsn - head.groupLsn
  const sound = index >= 0 && index < head.partCount && partBlocks(head) <= segmentBlocksMax
  return sound ? head : undefined
}

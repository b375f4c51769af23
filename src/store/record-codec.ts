import type { PageIndex, Version } from '../address/page.js'
import { assert, unreachable } from '../stdx/assert.js'
import { blockBytes, type LogPosition, segmentsMax } from './log-place.js'
import type { LogRecord, SegmentSummary } from './log-record.js'
import type { SpaceId } from './space.js'
import { getUint48, setUint48 } from './uint48.js'

/**
 * Records as they stand in the table of a part. A page's entry is here and its payload is not: payloads follow the
 * table, in the order of their entries, on whole blocks. So the log can be read again at open without reading pages.
 */
const kinds = {
  page: 1,
  'damaged-page': 2,
  put: 3,
  free: 4,
  drop: 5,
  delete: 6,
  segments: 7,
  retire: 8,
} as const

const pageEntryBytes = 24
export const damagedEntryBytes = 18
const summaryBytes = 20
const text = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function recordBytes(record: LogRecord): number {
  switch (record.kind) {
    case 'page':
      return pageEntryBytes
    case 'damaged-page':
      return damagedEntryBytes
    case 'put':
      return 7 + keyBytes(record.key) + record.value.length
    case 'free':
      return 27
    case 'drop':
      return 15
    case 'delete':
      return 11 + keyBytes(record.key)
    case 'segments':
      return segmentsRecordBytes(record.segments.length)
    case 'retire':
      return 9
    default:
      return unreachable(record)
  }
}

/** Of all that a page takes in the log, but for the rounding of the table. No payload: a damaged page's record. */
export function pageLogBytes(payloadBytes: number): number {
  return payloadBytes === 0 ? damagedEntryBytes : pageEntryBytes + payloadBytes
}

export function segmentsRecordBytes(count: number): number {
  return 5 + count * summaryBytes
}

export function keyBytes(key: string): number {
  // Keys are mostly ASCII: counting avoids an allocation for each.
  for (let at = 0; at < key.length; at++) if (key.charCodeAt(at) > 127) return text.encode(key).length
  return key.length
}

/** Writes the record at `at`; the position after it. */
export function encodeRecord(record: LogRecord, into: Uint8Array, view: DataView, at: number): number {
  const end = at + recordBytes(record)
  assert(end <= into.length, 'a table is as long as its records')
  view.setUint8(at, kinds[record.kind])
  switch (record.kind) {
    case 'page':
      view.setUint8(at + 1, 31 - Math.clz32(record.bytes / blockBytes))
      setUint48(view, at + 2, record.space)
      setUint48(view, at + 8, record.page)
      setUint48(view, at + 14, record.version)
      view.setUint32(at + 20, record.checksum, true)
      break
    case 'damaged-page':
      setUint48(view, at + 1, record.space)
      view.setUint32(at + 7, record.page % 2 ** 32, true)
      view.setUint8(at + 11, record.page / 2 ** 32)
      setUint48(view, at + 12, record.version)
      break
    case 'put': {
      const key = text.encode(record.key)
      view.setUint16(at + 1, key.length, true)
      view.setUint32(at + 3, record.value.length, true)
      into.set(key, at + 7)
      into.set(record.value, at + 7 + key.length)
      break
    }
    case 'free':
      setPosition(view, at + 1, record.born)
      setUint48(view, at + 9, record.space)
      setUint48(view, at + 15, record.first)
      setUint48(view, at + 21, record.count)
      break
    case 'drop':
      setPosition(view, at + 1, record.born)
      setUint48(view, at + 9, record.space)
      break
    case 'delete': {
      const key = text.encode(record.key)
      setPosition(view, at + 1, record.born)
      view.setUint16(at + 9, key.length, true)
      into.set(key, at + 11)
      break
    }
    case 'segments':
      view.setUint32(at + 1, record.segments.length, true)
      record.segments.forEach((summary, index) => setSummary(view, at + 5 + index * summaryBytes, summary))
      break
    case 'retire':
      view.setUint16(at + 1, record.slot, true)
      setUint48(view, at + 3, record.sequence)
      break
    default:
      unreachable(record)
  }
  return end
}

/**
 * The `count` records of a table whose checksum was right; undefined where the bytes are no records all the same. A
 * put's value is a copy.
 */
export function decodeRecords(table: Uint8Array, count: number): LogRecord[] | undefined {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  const records: LogRecord[] = []
  let at = 0
  try {
    for (let index = 0; index < count; index++) {
      const record = decodeRecord(table, view, at)
      at += recordBytes(record)
      records.push(record)
    }
  } catch (reason) {
    // Thrown by DataView and TextDecoder, and below, for what leaves the table or cannot be.
    if (reason instanceof RangeError || reason instanceof TypeError) return undefined
    throw reason
  }
  return at === table.length ? records : undefined
}

function decodeRecord(table: Uint8Array, view: DataView, at: number): LogRecord {
  const kind = view.getUint8(at)
  switch (kind) {
    case kinds.page:
      return {
        kind: 'page',
        bytes: payloadBytes(view.getUint8(at + 1)),
        space: getUint48(view, at + 2) as SpaceId,
        page: checkedPage(getUint48(view, at + 8)),
        version: getUint48(view, at + 14) as Version,
        checksum: view.getUint32(at + 20, true),
      }
    case kinds['damaged-page']:
      return {
        kind: 'damaged-page',
        space: getUint48(view, at + 1) as SpaceId,
        page: (view.getUint32(at + 7, true) + view.getUint8(at + 11) * 2 ** 32) as PageIndex,
        version: getUint48(view, at + 12) as Version,
      }
    case kinds.put: {
      const valueAt = at + 7 + view.getUint16(at + 1, true)
      const end = valueAt + view.getUint32(at + 3, true)
      return { kind: 'put', key: decodeText(table, at + 7, valueAt), value: slice(table, valueAt, end) }
    }
    case kinds.free:
      return {
        kind: 'free',
        born: getPosition(view, at + 1),
        space: getUint48(view, at + 9) as SpaceId,
        first: checkedPage(getUint48(view, at + 15)),
        count: getUint48(view, at + 21),
      }
    case kinds.drop:
      return { kind: 'drop', born: getPosition(view, at + 1), space: getUint48(view, at + 9) as SpaceId }
    case kinds.delete:
      return {
        kind: 'delete',
        born: getPosition(view, at + 1),
        key: decodeText(table, at + 11, at + 11 + view.getUint16(at + 9, true)),
      }
    case kinds.segments: {
      const count = view.getUint32(at + 1, true)
      if (count > segmentsMax) throw new RangeError('too many segments')
      const segments: SegmentSummary[] = []
      for (let index = 0; index < count; index++)
        segments.push(getSummary(view, at + 5 + index * summaryBytes))
      return { kind: 'segments', segments }
    }
    case kinds.retire:
      return { kind: 'retire', slot: view.getUint16(at + 1, true), sequence: getUint48(view, at + 3) }
    default:
      throw new RangeError(`no kind of record: ${kind}`)
  }
}

function payloadBytes(sizeCode: number): number {
  if (sizeCode > 8) throw new RangeError(`no page size: ${sizeCode}`)
  return blockBytes * 2 ** sizeCode
}

function checkedPage(page: number): PageIndex {
  if (page >= 2 ** 40) throw new RangeError(`no page number: ${page}`)
  return page as PageIndex
}

function slice(table: Uint8Array, start: number, end: number): Uint8Array {
  if (end > table.length) throw new RangeError('a record leaves its table')
  return table.slice(start, end)
}

function decodeText(table: Uint8Array, start: number, end: number): string {
  if (end > table.length) throw new RangeError('a record leaves its table')
  return decoder.decode(table.subarray(start, end))
}

function setPosition(view: DataView, at: number, position: LogPosition): void {
  setUint48(view, at, position.sequence)
  view.setUint16(at + 6, position.block, true)
}

function getPosition(view: DataView, at: number): LogPosition {
  return { sequence: getUint48(view, at), block: view.getUint16(at + 6, true) }
}

function setSummary(view: DataView, at: number, summary: SegmentSummary): void {
  view.setUint16(at, summary.slot, true)
  setUint48(view, at + 2, summary.sequence)
  setUint48(view, at + 8, summary.firstLsn)
  setUint48(view, at + 14, summary.lastLsn)
}

function getSummary(view: DataView, at: number): SegmentSummary {
  return {
    slot: view.getUint16(at, true),
    sequence: getUint48(view, at + 2),
    firstLsn: getUint48(view, at + 8),
    lastLsn: getUint48(view, at + 14),
  }
}

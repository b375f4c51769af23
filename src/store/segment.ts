import type { File } from '../io/storage.js'

/**
 * One file of the log, and what it is used for. Its slot is the file; its sequence number is the use. `free`: made to
 * full size, may be written over. `active`: where the log ends. `sealed`: only read.
 */
export interface Segment {
  readonly slot: number
  readonly file: File
  state: 'free' | 'active' | 'sealed'
  /** Of the newest use. Meaningless while free. */
  sequence: number
  firstLsn: number
  lastLsn: number
  /** The first block never written in this use. */
  endBlock: number
  /** Of the records in it that count. A sealed segment without any can be retired. */
  liveBytes: number
  /** Part of it could not be read at open: the cleaner moves what is intact out of it. */
  isSuspect: boolean
  /** Reads under way: the file must stay open for them. */
  readers: number
}

export function segmentName(slot: number): string {
  return `${String(slot + 1).padStart(8, '0')}.log`
}

/** Undefined for the name of no segment. */
export function slotOfName(name: string): number | undefined {
  return /^\d{8}\.log$/.test(name) && Number.parseInt(name, 10) > 0
    ? Number.parseInt(name, 10) - 1
    : undefined
}

export function newSegment(slot: number, file: File): Segment {
  return {
    slot,
    file,
    state: 'free',
    sequence: 0,
    firstLsn: 0,
    lastLsn: 0,
    endBlock: 0,
    liveBytes: 0,
    isSuspect: false,
    readers: 0,
  }
}

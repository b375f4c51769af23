import type { PageIndex, Version } from '../address/page.js'
import type { LogPosition } from './log-place.js'
import type { SpaceId } from './space.js'

/**
 * What the log is made of. A record's order is its place in the log, but for the three kinds that say that something
 * is gone: the cleaner moves them behind newer data, so they carry the position where they were born and speak only of
 * what lies before it.
 */
export type LogRecord = PageRecord | DamagedPageRecord | PutRecord | Tombstone | SegmentsRecord | RetireRecord

export interface PageRecord {
  readonly kind: 'page'
  readonly space: SpaceId
  readonly page: PageIndex
  readonly version: Version
  /** Length of the payload. */
  readonly bytes: number
  /** Of the payload. */
  readonly checksum: number
}

/**
 * Stands for a page whose bytes were found damaged when it had to be moved, so that the damage is not forgotten; or were never here, and are lost where they
 * were (`PageDamage`).
 */
export interface DamagedPageRecord {
  readonly kind: 'damaged-page'
  readonly space: SpaceId
  readonly page: PageIndex
  readonly version: Version
}

export interface PutRecord {
  readonly kind: 'put'
  readonly key: string
  readonly value: Uint8Array
}

export type Tombstone = FreeRecord | DropRecord | DeleteRecord

export interface FreeRecord {
  readonly kind: 'free'
  readonly born: LogPosition
  readonly space: SpaceId
  readonly first: PageIndex
  readonly count: number
}

export interface DropRecord {
  readonly kind: 'drop'
  readonly born: LogPosition
  readonly space: SpaceId
}

export interface DeleteRecord {
  readonly kind: 'delete'
  readonly born: LogPosition
  readonly key: string
}

/** First in every segment: all others that make up the log at this moment, and what each must hold. */
export interface SegmentsRecord {
  readonly kind: 'segments'
  readonly segments: readonly SegmentSummary[]
}

export interface SegmentSummary {
  readonly slot: number
  readonly sequence: number
  readonly firstLsn: number
  readonly lastLsn: number
}

/** Nothing in this segment is needed any more: its file may be written over once this record is durable. */
export interface RetireRecord {
  readonly kind: 'retire'
  readonly slot: number
  readonly sequence: number
}

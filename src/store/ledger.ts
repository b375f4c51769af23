import { type PageIndex, type PageRange, pagesPerRegionMax } from '../address/page.js'
import { KhazanaError } from '../stdx/errors.js'
import { unreachable } from '../stdx/assert.js'
import { blockBytes, isBefore, type LogPosition } from './log-place.js'
import type { DamagedPageRecord, LogRecord, PageRecord, PutRecord, Tombstone } from './log-record.js'
import { Metadata } from './metadata.js'
import { PageMap } from './page-map.js'
import { keyBytes, pageLogBytes, recordBytes } from './record-codec.js'
import { type Segment, segmentName } from './segment.js'
import type { SegmentSet } from './segment-set.js'
import type { SpaceId } from './space.js'
import type { Damage } from './store-contract.js'
import { Tombstones } from './tombstones.js'

/**
 * What the log says, all told: every record is applied here in log order, at open as in operation, so that the two
 * cannot differ. It keeps the account of what in each segment still counts.
 */
export class Ledger {
  readonly pages = new PageMap()
  readonly metadata = new Metadata()
  readonly tombstones = new Tombstones()
  readonly #segments: SegmentSet
  readonly #damage = new Map<string, Damage>()
  #damageCount = 0
  #liveBytes = 0
  #sweptTo = 0

  constructor(segments: SegmentSet) {
    this.#segments = segments
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  get damage(): readonly Damage[] {
    return [...this.#damage.values()]
  }

  get damageCount(): number {
    return this.#damageCount
  }

  /** `block` is where the record's part begins, `payloadBlock` where a page's payload does. */
  apply(record: LogRecord, segment: Segment, block: number, payloadBlock: number): void {
    switch (record.kind) {
      case 'page':
        this.#applyPage(record, segment, payloadBlock)
        break
      case 'damaged-page':
        this.#applyDamagedPage(record, segment, block)
        break
      case 'put':
        this.#applyPut(record, segment, block)
        break
      case 'free':
        this.#applyFree(record.space, this.pages.pagesIn(record.space, record), record.born)
        this.#addTombstone(record, segment)
        break
      case 'drop':
        this.#applyFree(record.space, this.pages.pagesIn(record.space, everyPage), record.born)
        this.#addTombstone(record, segment)
        break
      case 'delete': {
        const entry = this.metadata.entry(record.key)
        if (entry !== undefined && isBefore(entry.position, record.born)) this.#dropKey(record.key)
        this.#addTombstone(record, segment)
        break
      }
      case 'segments':
      case 'retire':
        break
      default:
        unreachable(record)
    }
  }

  /** The segment's tombstones that still have something to speak of when it is gone. */
  tombstonesToMove(leaving: Segment): readonly Tombstone[] {
    const oldest = this.#oldestSequence(leaving)
    return this.tombstones.in(leaving.slot).filter((tombstone) => oldest <= tombstone.born.sequence)
  }

  /** Forgets tombstones that outlived what they speak of. Called when segments have been retired. */
  sweepTombstones(): void {
    const oldest = this.#oldestSequence(undefined)
    if (oldest === this.#sweptTo) return
    this.#sweptTo = oldest
    for (const slot of this.tombstones.slots()) {
      const bytes = this.tombstones.sweep(slot, (tombstone) => oldest <= tombstone.born.sequence)
      this.#count(this.#segments.at(slot), -bytes)
    }
  }

  /** The cleaner has written the slot's tombstones anew. */
  moveTombstonesOut(segment: Segment): void {
    this.#count(segment, -this.tombstones.sweep(segment.slot, () => false))
  }

  /** The page's record was found not to be what was written. The answer is the error to throw. */
  noteDamage(space: SpaceId, page: PageIndex, cause?: unknown): KhazanaError {
    const table = this.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table !== undefined && entry >= 0 && !table.isDamagedAt(entry)) {
      table.markDamaged(entry)
      this.#addDamage(space, page)
    }
    return this.damageError(space, page, cause)
  }

  damageError(space: SpaceId, page: PageIndex, cause?: unknown): KhazanaError {
    const place = this.#damage.get(damageKey(space, page))?.place ?? 'a place unknown'
    const table = this.pages.table(space)
    const entry = table?.find(page) ?? -1
    const isHere = table !== undefined && entry >= 0 && table.bytesAt(entry) > 0
    const what = isHere ? `fails its checksum, at ${place}` : `is lost, as is recorded at ${place}`
    return new KhazanaError('damaged', `page ${page} of space ${space} ${what}`, { cause })
  }

  /** Log that was given up. */
  noteLostLog(place: string, message: string): void {
    this.#damageCount++
    this.#damage.set(`log ${this.#damageCount}`, { kind: 'log', place, message })
  }

  /** Slow: a walk over the whole index, for when a segment's own tables cannot be read. */
  pagesIn(slot: number): { space: SpaceId; page: PageIndex }[] {
    const found: { space: SpaceId; page: PageIndex }[] = []
    for (const space of this.pages.spaces()) {
      const table = this.pages.table(space)
      for (let entry = 0; table !== undefined && entry < table.capacity; entry++) {
        if (table.isUsed(entry) && table.slotAt(entry) === slot)
          found.push({ space, page: table.pageAt(entry) })
      }
    }
    return found
  }

  #applyPage(record: PageRecord, segment: Segment, block: number): void {
    this.#dropPage(record.space, record.page)
    const table = this.pages.tableForWriting(record.space)
    table.set(record.page, record.version, record.bytes, segment.slot, block, record.checksum, 'sound')
    this.#count(segment, pageLogBytes(record.bytes))
  }

  #applyDamagedPage(record: DamagedPageRecord, segment: Segment, block: number): void {
    const isKnown = this.#damage.has(damageKey(record.space, record.page))
    this.#dropPage(record.space, record.page)
    const table = this.pages.tableForWriting(record.space)
    table.set(record.page, record.version, 0, segment.slot, block, 0, 'damaged')
    this.#count(segment, recordBytes(record))
    this.#addDamage(record.space, record.page)
    // It was moved, not met.
    if (isKnown) this.#damageCount--
  }

  #applyPut(record: PutRecord, segment: Segment, block: number): void {
    this.#dropKey(record.key)
    const position = { sequence: segment.sequence, block }
    this.metadata.set(record.key, { value: record.value, slot: segment.slot, position })
    this.#count(segment, recordBytes(record))
  }

  #applyFree(space: SpaceId, pages: readonly PageIndex[], born: LogPosition): void {
    for (const page of pages) {
      const table = this.pages.table(space)
      const entry = table?.find(page) ?? -1
      if (table === undefined || entry < 0) continue
      const sequence = this.#segments.at(table.slotAt(entry)).sequence
      if (!isBefore({ sequence, block: table.blockAt(entry) }, born)) continue
      this.#dropPage(space, page)
      this.pages.delete(space, page)
    }
  }

  /** The page's record counts no more. Its entry stays. */
  #dropPage(space: SpaceId, page: PageIndex): void {
    const table = this.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0) return
    const damage = table.isDamagedAt(entry) ? this.#damage.get(damageKey(space, page)) : undefined
    if (damage !== undefined) this.#damage.delete(damageKey(space, page))
    this.#count(this.#segments.at(table.slotAt(entry)), -pageLogBytes(table.bytesAt(entry)))
  }

  #dropKey(key: string): void {
    const entry = this.metadata.entry(key)
    if (entry === undefined) return
    this.metadata.delete(key)
    this.#count(this.#segments.at(entry.slot), -(7 + keyBytes(key) + entry.value.length))
  }

  #addTombstone(tombstone: Tombstone, segment: Segment): void {
    this.tombstones.add(tombstone, segment.slot)
    this.#count(segment, recordBytes(tombstone))
  }

  #addDamage(space: SpaceId, page: PageIndex): void {
    const table = this.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0) return
    const place = `${segmentName(table.slotAt(entry))} byte ${table.blockAt(entry) * blockBytes}`
    this.#damageCount++
    this.#damage.set(damageKey(space, page), {
      kind: 'page',
      space,
      page,
      version: table.versionAt(entry),
      place,
    })
  }

  #oldestSequence(except: Segment | undefined): number {
    let oldest = Infinity
    for (const segment of this.#segments.live()) {
      if (segment !== except) oldest = Math.min(oldest, segment.sequence)
    }
    return oldest
  }

  #count(segment: Segment, bytes: number): void {
    segment.liveBytes += bytes
    this.#liveBytes += bytes
  }
}

const everyPage: PageRange = { first: 0 as PageIndex, count: pagesPerRegionMax }

function damageKey(space: SpaceId, page: PageIndex): string {
  return `${space}/${page}`
}

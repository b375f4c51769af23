import type { Logger } from '../io/logger.js'
import type { Directory } from '../io/storage.js'
import { assert } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { cleanerReserve, foregroundReserve, type Geometry } from './geometry.js'
import { newSegment, type Segment, segmentName } from './segment.js'

/**
 * All the store's segment files: which are in use, which are free, and making new ones. Files are made at full size
 * before they count as free, so that a full disk shows here and never in the middle of a commit.
 */
export class SegmentSet {
  /** Replaced when the disk limit changes. */
  geometry: Geometry
  readonly #directory: Directory
  readonly #logger: Logger
  readonly #slots: (Segment | undefined)[] = []
  readonly #free: Segment[] = []
  #files = 0
  #making: Promise<void> | undefined
  /** The disk refused a new file: do not ask again until there is no other way. */
  #isDiskFull = false
  active: Segment | undefined
  nextSequence = 1
  nextLsn = 1

  constructor(directory: Directory, geometry: Geometry, logger: Logger) {
    this.#directory = directory
    this.geometry = geometry
    this.#logger = logger
  }

  get diskBytes(): number {
    return this.#files * this.geometry.segmentBytes
  }

  /** Free segments that exist as files, the next to be opened first. */
  get free(): readonly Segment[] {
    return this.#free
  }

  /** How many more files the limit and, as far as is known, the disk allow. */
  get creatable(): number {
    return this.#isDiskFull ? 0 : Math.max(0, this.geometry.segmentsMax - this.#files)
  }

  /** How many files there are above the limit, which was lowered. */
  get surplus(): number {
    return Math.max(0, this.#files - this.geometry.segmentsMax)
  }

  /** Segments that the log is made of: all but the free ones, in no order. */
  *live(): IterableIterator<Segment> {
    for (const segment of this.#slots) if (segment !== undefined && segment.state !== 'free') yield segment
  }

  liveCount(): number {
    return this.#files - this.#free.length
  }

  at(slot: number): Segment {
    const segment = this.#slots[slot]
    assert(segment !== undefined, 'a slot that is named has a segment')
    return segment
  }

  find(slot: number): Segment | undefined {
    return this.#slots[slot]
  }

  all(): Segment[] {
    return this.#slots.filter((segment) => segment !== undefined)
  }

  /** Takes over a file that is there already, as free. */
  adopt(segment: Segment): void {
    this.#slots[segment.slot] = segment
    this.#files++
    this.#free.push(segment)
  }

  /** Recovery found out what the segment is used for. */
  revive(segment: Segment): void {
    const index = this.#free.indexOf(segment)
    assert(index >= 0, 'a segment is revived once')
    this.#free.splice(index, 1)
  }

  /** The first of the free segments becomes the active one; the active one is sealed. */
  open(segment: Segment, firstLsn: number): void {
    assert(this.#free[0] === segment, 'segments are opened in the order of the free list')
    this.#free.shift()
    if (this.active !== undefined) this.active.state = 'sealed'
    segment.state = 'active'
    segment.sequence = this.nextSequence++
    segment.firstLsn = firstLsn
    segment.lastLsn = firstLsn
    segment.endBlock = 0
    segment.liveBytes = 0
    this.active = segment
  }

  /** A retirement has become durable. */
  release(segment: Segment): void {
    assert(segment.state === 'sealed' && segment.liveBytes === 0, 'only an empty sealed segment is released')
    segment.state = 'free'
    this.#free.push(segment)
  }

  /**
   * How many free segments this kind of work may open now, out of the files that exist, leaving its reserve. -1: its
   * reserve is broken into, and it may not even fill up the active segment.
   */
  openable(kind: 'everything' | 'giving-up' | 'cleaning'): number {
    const reserve = kind === 'everything' ? foregroundReserve : kind === 'giving-up' ? cleanerReserve : 0
    const inUse = this.liveCount()
    let count = 0
    // While little is in use there is little to clean: the reserves grow with the log.
    while (count <= this.#free.length && this.#free.length - count >= Math.min(reserve, inUse + count - 1))
      count++
    return count - 1
  }

  /** True when the next segment should be made ahead of its need. */
  wantsSpare(): boolean {
    return this.creatable > 0 && this.#making === undefined && this.openable('everything') < 1
  }

  /**
   * Makes one more free segment, or waits for the one being made. False where the limit or the disk forbids it. Throws
   * `storage-failed`.
   */
  async make(effort: 'usual' | 'last-resort'): Promise<boolean> {
    if (effort === 'last-resort') this.#isDiskFull = false
    if (this.#making === undefined && this.creatable === 0) return false
    const before = this.#files
    this.#making ??= this.#makeOne().finally(() => {
      this.#making = undefined
    })
    await this.#making
    return this.#files > before
  }

  async #makeOne(): Promise<void> {
    let slot = 0
    while (this.#slots[slot] !== undefined) slot++
    const name = segmentName(slot)
    const file = await this.#directory.open(name, { create: true })
    try {
      await file.resize(this.geometry.segmentBytes)
      await file.sync()
      await this.#directory.sync()
    } catch (reason) {
      await file.close()
      if (!(reason instanceof KhazanaError && reason.code === 'no-space')) throw reason
      await this.#directory.remove(name)
      this.#isDiskFull = true
      this.#logger.log('warn', 'the disk is full: no room for another log file', {
        path: this.#directory.path,
        bytes: this.geometry.segmentBytes,
      })
      return
    }
    this.adopt(newSegment(slot, file))
  }

  /** Gives files back to the disk when far more are free than the log needs, or any but the reserves above the limit. */
  async trim(): Promise<void> {
    const least = foregroundReserve + 1
    const keep = least + Math.max(4, this.liveCount() >> 2)
    while (this.#free.length > (this.surplus > 0 ? least : keep)) {
      const segment = this.#free.at(-1)
      if (segment === undefined || segment.readers > 0) return
      this.#free.pop()
      this.#slots[segment.slot] = undefined
      this.#files--
      this.#isDiskFull = false
      await segment.file.close()
      await this.#directory.remove(segmentName(segment.slot))
    }
  }

  /** Waits for a file being made, then closes all. */
  async close(): Promise<void> {
    await this.#making?.catch(() => undefined)
    for (const segment of this.all()) await segment.file.close()
  }
}

import type { PageIndex, Version } from '../address/page.js'
import type { Checksum } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import type { MoveSet, PageMove } from './batch.js'
import type { Ledger } from './ledger.js'
import { blockBytes, blocksOf } from './log-place.js'
import { tableBlocks } from './part-codec.js'
import { damagedEntryBytes } from './record-codec.js'
import type { Segment } from './segment.js'
import { SegmentReader } from './segment-reader.js'
import type { SegmentSet } from './segment-set.js'
import type { SpaceId } from './space.js'
import { walkSegment } from './segment-walk.js'

/** What the cleaner is asked for. `urgent`: a commit waits for room. */
export type CleaningNeed = 'none' | 'background' | 'urgent'

/** Tombstones that are carried along at most: RAM is what they cost. Above, the oldest segment is cleaned away. */
const tombstonesMax = 2 ** 18
/** And at most this share of the usable bytes. */
const tombstoneShare = 1 / 32

/**
 * Empties segments in which little still counts, by having that written anew at the end of the log; an empty segment is
 * retired and its file used again. Which segment: by cost and benefit (Rosenblum and Ousterhout, 1991): what is won,
 * weighted by age, since what stayed long in an old segment will stay, while a young one may still empty by itself.
 *
 * It only reads. What it read it hands over as a set of moves, one at a time; the committer writes that with its next
 * group, leaving out what changed meanwhile. So moving needs no lock against commits, shares their flushes, and never
 * delays one by more than `moveBytesMax`.
 */
export class Cleaner {
  readonly #segments: SegmentSet
  readonly #ledger: Ledger
  readonly #checksum: Checksum
  readonly #storeId: bigint
  #victim: Segment | undefined
  /** Of the victim: what was found in its tables and not yet read. Taken from the end. */
  #pages: PageToMove[] = []
  #keys: string[] = []
  #ready: MoveSet | undefined
  #reading: Promise<void> | undefined

  constructor(segments: SegmentSet, ledger: Ledger, checksum: Checksum, storeId: bigint) {
    this.#segments = segments
    this.#ledger = ledger
    this.#checksum = checksum
    this.#storeId = storeId
  }

  get isReading(): boolean {
    return this.#reading !== undefined
  }

  /** The next set of moves, if it has been read. It must be written, or what it moves stays. */
  take(): MoveSet | undefined {
    const ready = this.#ready
    this.#ready = undefined
    return ready
  }

  /**
   * Begins to read the next set of moves, where the need says so and some segment is worth it; `ready` is called when
   * `take` has it. False where there is nothing to do: then no room can be won. Reading never fails: a page that cannot be
   * read is moved as a damaged one.
   */
  start(need: CleaningNeed, ready: () => void, failed: (reason: unknown) => void): boolean {
    if (this.#reading !== undefined || this.#ready !== undefined) return true
    const begun = this.#victim
    // It may have become empty by itself, and its file have been given back to the disk.
    const isThere = begun !== undefined && this.#segments.find(begun.slot) === begun
    const victim = isThere ? begun : this.#choose(need)
    this.#victim = victim
    if (victim === undefined) return false
    this.#reading = this.#readFrom(victim, isThere ? 'surveyed' : 'new')
    this.#reading.then(
      () => {
        this.#reading = undefined
        ready()
      },
      (reason: unknown) => {
        this.#reading = undefined
        failed(reason)
      },
    )
    return true
  }

  async #readFrom(victim: Segment, state: 'new' | 'surveyed'): Promise<void> {
    victim.readers++
    try {
      if (state === 'new') await this.#survey(victim)
      await this.#readMoves()
    } finally {
      victim.readers--
    }
  }

  async stop(): Promise<void> {
    await this.#reading?.catch(() => undefined)
  }

  #choose(need: CleaningNeed): Segment | undefined {
    const forced = this.#forced()
    if (forced !== undefined || need === 'none') return forced
    const { segmentBytes, cleanableBytes } = this.#segments.geometry
    let best: Segment | undefined
    let bestScore = -Infinity
    for (const segment of this.#segments.live()) {
      if (segment.state !== 'sealed' || segment.liveBytes > cleanableBytes || segment.liveBytes === 0)
        continue
      const utilization = segment.liveBytes / segmentBytes
      const age = this.#segments.nextSequence - segment.sequence
      const score = need === 'urgent' ? -utilization : ((1 - utilization) * age) / (1 + utilization)
      if (score > bestScore) {
        best = segment
        bestScore = score
      }
    }
    return best
  }

  /** A segment that must go, however much is in it. */
  #forced(): Segment | undefined {
    const { count, bytes } = this.#ledger.tombstones
    const hasTooManyTombstones =
      count > tombstonesMax || bytes > this.#segments.geometry.usableBytes * tombstoneShare
    let oldest: Segment | undefined
    for (const segment of this.#segments.live()) {
      if (segment.state !== 'sealed' || segment.liveBytes === 0) continue
      if (segment.isSuspect) return segment
      if (oldest === undefined || segment.sequence < oldest.sequence) oldest = segment
    }
    return hasTooManyTombstones ? oldest : undefined
  }

  async #survey(victim: Segment): Promise<void> {
    this.#pages = []
    this.#keys = []
    const reader = new SegmentReader(
      victim.file,
      this.#segments.geometry.segmentBytes,
      this.#storeId,
      this.#checksum,
    )
    const { sequence, firstLsn, lastLsn } = victim
    for await (const step of walkSegment(reader, { sequence, firstLsn, lastLsn })) {
      if (step.kind === 'gap') {
        this.#pages = this.#ledger.pagesIn(victim.slot)
        this.#keys = this.#ledger.metadata.keysIn(victim.slot)
        return
      }
      const { head, block, records } = step.part
      let payloadBlock = block + tableBlocks(head.tableBytes)
      for (const record of records) {
        if (record.kind === 'page') {
          this.#note(victim, record, payloadBlock)
          payloadBlock += blocksOf(record.bytes)
        } else if (record.kind === 'damaged-page') {
          this.#note(victim, record, block)
        } else if (record.kind === 'put') {
          if (this.#ledger.metadata.entry(record.key)?.slot === victim.slot) this.#keys.push(record.key)
        }
      }
    }
  }

  /** A page that the victim's tables name, at this block: it counts if the index says that it is there. */
  #note(victim: Segment, { space, page }: PageToMove, block: number): void {
    const table = this.#ledger.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0) return
    if (table.slotAt(entry) === victim.slot && table.blockAt(entry) === block)
      this.#pages.push({ space, page })
  }

  async #readMoves(): Promise<void> {
    const victim = this.#victim
    if (victim === undefined) return
    const moves: PageMove[] = []
    let bytes = 0
    const { moveBytesMax } = this.#segments.geometry
    while (bytes < moveBytesMax) {
      const next = this.#pages.pop()
      if (next === undefined) break
      const move = await this.#read(victim, next)
      if (move === undefined) continue
      moves.push(move)
      bytes += move.bytes?.length ?? damagedEntryBytes
    }
    const isLast = this.#pages.length === 0
    this.#ready = { victim, pages: moves, keys: isLast ? [...new Set(this.#keys)] : [], isLast }
    if (!isLast) return
    this.#victim = undefined
    this.#keys = []
  }

  async #read(victim: Segment, { space, page }: PageToMove): Promise<PageMove | undefined> {
    const table = this.#ledger.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0 || table.slotAt(entry) !== victim.slot) return undefined
    const version: Version = table.versionAt(entry)
    const fromBlock = table.blockAt(entry)
    const checksum = table.checksumAt(entry)
    const length = table.bytesAt(entry)
    const place = { space, page, version, checksum, fromSlot: victim.slot, fromBlock }
    if (table.isDamagedAt(entry)) return { ...place, bytes: undefined }
    const bytes = new Uint8Array(length)
    if (await this.#fill(victim, fromBlock, bytes, checksum)) return { ...place, bytes }
    const now = this.#ledger.pages.table(space)
    const entryNow = now?.find(page) ?? -1
    const isStillThere = now !== undefined && entryNow >= 0 && now.slotAt(entryNow) === victim.slot
    if (isStillThere) this.#ledger.noteDamage(space, page)
    return isStillThere ? { ...place, bytes: undefined } : undefined
  }

  async #fill(victim: Segment, block: number, bytes: Uint8Array, checksum: number): Promise<boolean> {
    try {
      const length = await victim.file.read(block * blockBytes, bytes)
      return length === bytes.length && this.#checksum(bytes, 0) === checksum
    } catch (reason) {
      if (reason instanceof KhazanaError && reason.code === 'storage-failed') return false
      throw reason
    }
  }
}

interface PageToMove {
  readonly space: SpaceId
  readonly page: PageIndex
}

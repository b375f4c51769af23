import type { Logger } from '../io/logger.js'
import type { Checksum } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Ledger } from './ledger.js'
import { blockBytes, blocksOf } from './log-place.js'
import { findTail, type HeadedSegment, type LogTail, type TornPart } from './log-tail.js'
import { tableBlocks } from './part-codec.js'
import { type Segment, segmentName } from './segment.js'
import { SegmentReader } from './segment-reader.js'
import type { SegmentSet } from './segment-set.js'
import { type IntactPart, walkSegment, type WalkRange } from './segment-walk.js'

export interface RecoveryOptions {
  readonly segments: SegmentSet
  readonly ledger: Ledger
  readonly storeId: bigint
  readonly checksum: Checksum
  readonly logger: Logger
  readonly onDamage: 'refuse' | 'accept'
}

export type RecoveryOutcome =
  | 'clean'
  /** Damaged log was given up. The log must go on in a new segment, whose list names only what is there. */
  | 'damage-accepted'

/**
 * Reads the log into the ledger. On entry every file counts as free; on return those that make up the log do not. A
 * torn last group is cut off. Throws `damaged` where something that was acknowledged may be missing, unless told to
 * accept that; `bad-format`.
 */
export async function recover(options: RecoveryOptions): Promise<RecoveryOutcome> {
  const recovery = new Recovery(options)
  return await recovery.run()
}

class Recovery {
  readonly #options: RecoveryOptions
  #outcome: RecoveryOutcome = 'clean'

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  async run(): Promise<RecoveryOutcome> {
    const { segments, checksum } = this.#options
    const headed: HeadedSegment[] = []
    const headless: Segment[] = []
    for (const segment of segments.all()) {
      const reader = this.#reader(segment)
      const head = await reader.headAt(0)
      if (head === undefined) headless.push(segment)
      else headed.push({ segment, reader, head })
    }
    for (const { head } of headed) segments.nextSequence = Math.max(segments.nextSequence, head.sequence + 1)
    const result = await findTail(headed, checksum)
    switch (result.kind) {
      case 'found':
        await this.#checkHeadless(headless, result.tail.newest.head.sequence)
        await this.#replayAll(result.tail)
        await this.#wipe(result.tail.torn)
        // Whoever wrote it may have died before the flush: it must outlive the machine before anybody is told of it, or anything follows it.
        for (const segment of result.tail.unflushed) await segment.file.sync()
        break
      case 'empty':
        this.#damaged('the log', 'holds not one whole batch')
        await this.#wipe(result.torn)
        break
      case 'lost':
        this.#damaged(
          segmentName(result.segment.slot),
          'is the newest part of the log, and its start cannot be read',
        )
        await this.#replayWhatIsThere(headed)
        for (const { segment } of headed) await segment.file.sync()
        break
    }
    this.#options.ledger.sweepTombstones()
    return this.#outcome
  }

  /** A file without a head may be new, or have lost its first block with a part of the log behind it. */
  async #checkHeadless(headless: readonly Segment[], newestSequence: number): Promise<void> {
    for (const segment of headless) {
      const at = await this.#reader(segment).findHead(1, (head) => head.sequence > newestSequence)
      if (at === undefined) continue
      this.#damaged(segmentName(segment.slot), 'is newer than all that can be read, and its start is lost')
    }
  }

  async #replayAll(tail: LogTail): Promise<void> {
    const { segments } = this.#options
    const { segment: newest, head } = tail.newest
    const log: { segment: Segment; range: WalkRange }[] = []
    for (const other of tail.others) {
      const segment = segments.find(other.slot)
      if (segment === undefined || segment === newest || log.some((known) => known.segment === segment)) {
        this.#damaged(segmentName(other.slot), 'is missing, and the log needs it')
        continue
      }
      log.push({ segment, range: other })
      this.#take(segment, other.sequence, other.firstLsn, other.lastLsn)
    }
    log.push({
      segment: newest,
      range: { sequence: head.sequence, firstLsn: head.lsn, lastLsn: tail.nextLsn - 1 },
    })
    this.#take(newest, head.sequence, head.lsn, tail.nextLsn - 1)
    log.sort((a, b) => a.range.sequence - b.range.sequence)
    for (const { segment, range } of log) await this.#replay(segment, range)
    segments.nextLsn = tail.nextLsn
    if (this.#outcome === 'clean') {
      newest.state = 'active'
      newest.endBlock = tail.endBlock
      segments.active = newest
    }
  }

  /** Without the list of segments: everything that has a head, also what may have been retired. */
  async #replayWhatIsThere(headed: readonly HeadedSegment[]): Promise<void> {
    const { segments } = this.#options
    for (const { segment, head } of headed.toSorted((a, b) => a.head.sequence - b.head.sequence)) {
      this.#take(segment, head.sequence, head.lsn, head.lsn)
    }
    for (const { segment, head } of headed.toSorted((a, b) => a.head.sequence - b.head.sequence)) {
      await this.#replay(segment, { sequence: head.sequence, firstLsn: head.lsn, lastLsn: undefined })
      segments.nextLsn = Math.max(segments.nextLsn, segment.lastLsn + 1)
    }
  }

  #take(segment: Segment, sequence: number, firstLsn: number, lastLsn: number): void {
    this.#options.segments.revive(segment)
    Object.assign(segment, { state: 'sealed', sequence, firstLsn, lastLsn })
  }

  async #replay(segment: Segment, range: WalkRange): Promise<void> {
    for await (const step of walkSegment(this.#reader(segment), range)) {
      if (step.kind === 'part') {
        this.#apply(segment, step.part)
        continue
      }
      // Where nothing says what the segment should hold, a gap with nothing behind it is its end.
      if (step.next === undefined && range.lastLsn === undefined) continue
      segment.isSuspect = true
      this.#damaged(
        `${segmentName(segment.slot)} byte ${step.block * blockBytes}`,
        'holds an unreadable batch',
      )
    }
  }

  #apply(segment: Segment, { head, block, records }: IntactPart): void {
    segment.lastLsn = head.lsn
    let payloadBlock = block + tableBlocks(head.tableBytes)
    segment.endBlock = payloadBlock + head.payloadBlocks
    for (const record of records) {
      this.#options.ledger.apply(record, segment, block, payloadBlock)
      if (record.kind === 'page') payloadBlock += blocksOf(record.bytes)
    }
  }

  /** The later first: what is left after a crash in between is torn still. */
  async #wipe(torn: readonly TornPart[]): Promise<void> {
    for (const { segment, block } of torn) {
      this.#options.logger.log('info', 'cut off a batch that was never acknowledged', {
        file: segmentName(segment.slot),
        byte: block * blockBytes,
      })
      await segment.file.write(block * blockBytes, [new Uint8Array(blockBytes)])
      await segment.file.sync()
    }
  }

  #damaged(place: string, what: string): void {
    const message = `${place} ${what}`
    if (this.#options.onDamage === 'refuse') {
      throw new KhazanaError(
        'damaged',
        `${message}: acknowledged data is lost. Restore the directory from a replica or a backup, or open it with ` +
          '`acceptDamage` to keep all that is intact',
      )
    }
    this.#outcome = 'damage-accepted'
    this.#options.ledger.noteLostLog(place, message)
    this.#options.logger.log('error', 'gave up a damaged part of the log', { place, message })
  }

  #reader(segment: Segment): SegmentReader {
    const { segments, storeId, checksum } = this.#options
    return new SegmentReader(segment.file, segments.geometry.segmentBytes, storeId, checksum)
  }
}

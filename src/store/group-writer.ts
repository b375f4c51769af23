import type { Checksum } from '../io/storage.js'
import { assert } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { PlannedPart } from './group-layout.js'
import type { Ledger } from './ledger.js'
import { blockBytes, blocksOf } from './log-place.js'
import type { LogPosition } from './log-place.js'
import { encodePart, tableBlocks } from './part-codec.js'
import type { Segment } from './segment.js'
import type { SegmentSet } from './segment-set.js'

/**
 * Makes one planned group durable, then true. One vectored write and one flush for each segment that it touches; only
 * after all flushes does anything in memory change.
 */
export class GroupWriter {
  readonly #segments: SegmentSet
  readonly #ledger: Ledger
  readonly #checksum: Checksum
  readonly #storeId: bigint
  #lastGroup: LogPosition = { sequence: 0, block: 0 }

  constructor(segments: SegmentSet, ledger: Ledger, checksum: Checksum, storeId: bigint) {
    this.#segments = segments
    this.#ledger = ledger
    this.#checksum = checksum
    this.#storeId = storeId
  }

  /** Where the newest durable group begins; before anything was written: the start of all. */
  get lastGroup(): LogPosition {
    return this.#lastGroup
  }

  /** Throws `no-space`, after which nothing has happened; `storage-failed`, after which nothing is known. */
  async write(parts: readonly PlannedPart[], retired: readonly Segment[]): Promise<void> {
    const groupLsn = this.#segments.nextLsn
    try {
      for (const part of parts) {
        const { sequence, lsn, tableBytes, payloadBlocks } = part
        const head = {
          storeId: this.#storeId,
          sequence,
          lsn,
          groupLsn,
          partCount: parts.length,
          tableBytes,
          payloadBlocks,
        }
        const table = encodePart(head, part.records, this.#checksum)
        await part.segment.file.write(part.block * blockBytes, [table, ...part.payloads])
      }
      for (const part of parts) await part.segment.file.sync()
    } catch (reason) {
      if (reason instanceof KhazanaError && reason.code === 'no-space') await this.#takeBack(parts)
      throw reason
    }
    this.#apply(parts, retired)
  }

  /**
   * A file of full size has no room after all: some file systems are like that. What was written of the group must not
   * be found at the next open, alone or together with what is written over it.
   */
  async #takeBack(parts: readonly PlannedPart[]): Promise<void> {
    try {
      for (const part of parts.toReversed()) {
        await part.segment.file.write(part.block * blockBytes, [new Uint8Array(blockBytes)])
        await part.segment.file.sync()
      }
    } catch (cause) {
      throw new KhazanaError('storage-failed', 'the disk is full, and a write cannot be taken back', {
        cause,
      })
    }
  }

  #apply(parts: readonly PlannedPart[], retired: readonly Segment[]): void {
    const segments = this.#segments
    const [first] = parts
    if (first !== undefined) this.#lastGroup = { sequence: first.sequence, block: first.block }
    for (const part of parts) {
      if (part.isOpening) segments.open(part.segment, part.lsn)
      assert(part.segment === segments.active, 'parts lie in the active segment or open it')
      part.segment.lastLsn = part.lsn
      let payloadBlock = part.block + tableBlocks(part.tableBytes)
      for (const record of part.records) {
        this.#ledger.apply(record, part.segment, part.block, payloadBlock)
        if (record.kind === 'page') payloadBlock += blocksOf(record.bytes)
      }
      part.segment.endBlock = payloadBlock
      segments.nextLsn++
    }
    for (const segment of retired) segments.release(segment)
    if (retired.length > 0) this.#ledger.sweepTombstones()
  }
}

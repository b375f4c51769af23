import type { Checksum, File } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import { blockBytes, blocksOf } from './log-place.js'
import type { LogRecord } from './log-record.js'
import { decodeHead, headBytes, partBlocks, type PartHead } from './part-codec.js'
import { decodeRecords } from './record-codec.js'

/** A part as found in a segment. */
export interface FoundPart {
  readonly head: PartHead
  readonly block: number
  /** Undefined where they fail their checksum. */
  readonly records: readonly LogRecord[] | undefined
}

const windowBytes = 64 * 1024

/**
 * Walks over one segment through a window, so that small parts cost no read each and the payloads of large ones are
 * skipped. What the disk cannot read counts as holding nothing.
 */
export class SegmentReader {
  readonly #file: File
  readonly #segmentBytes: number
  readonly #storeId: bigint
  readonly #checksum: Checksum
  #window = new Uint8Array(0)
  #windowAt = 0

  constructor(file: File, segmentBytes: number, storeId: bigint, checksum: Checksum) {
    this.#file = file
    this.#segmentBytes = segmentBytes
    this.#storeId = storeId
    this.#checksum = checksum
  }

  get blocks(): number {
    return this.#segmentBytes / blockBytes
  }

  /** The part that begins at this block, if it belongs to this use of the segment. */
  async partAt(block: number, sequence: number): Promise<FoundPart | undefined> {
    const head = await this.headAt(block)
    if (head?.sequence !== sequence || block + partBlocks(head) > this.blocks) return undefined
    const start = block * blockBytes + headBytes
    const table = await this.#bytes(start, head.tableBytes)
    const isIntact = table.length === head.tableBytes && this.#checksum(table, 0) === head.tableChecksum
    const records = isIntact ? decodeRecords(table, head.recordCount) : undefined
    return { head, block, records: records !== undefined && areOf(head, records) ? records : undefined }
  }

  /** Throws `bad-format` for one of a newer version. */
  async headAt(block: number): Promise<PartHead | undefined> {
    if (block >= this.blocks) return undefined
    return decodeHead(await this.#bytes(block * blockBytes, headBytes), this.#storeId, this.#checksum)
  }

  /** The first block from `block` on where a head that `accept` likes begins. */
  async findHead(block: number, accept: (head: PartHead) => boolean): Promise<number | undefined> {
    for (let at = block; at < this.blocks; at++) {
      const head = await this.headAt(at)
      if (head !== undefined && accept(head)) return at
    }
    return undefined
  }

  /** Short at the end of the file. Good until the next call. */
  async #bytes(start: number, length: number): Promise<Uint8Array> {
    if (start < this.#windowAt || start + length > this.#windowAt + this.#window.length) {
      const wanted = Math.min(Math.max(windowBytes, length), this.#segmentBytes - start)
      if (this.#window.buffer.byteLength < wanted) this.#window = new Uint8Array(wanted)
      const whole = new Uint8Array(this.#window.buffer, 0, wanted)
      this.#window = whole.subarray(0, await this.#read(start, whole))
      this.#windowAt = start
    }
    const offset = start - this.#windowAt
    return this.#window.subarray(offset, offset + length)
  }

  async #read(start: number, into: Uint8Array): Promise<number> {
    try {
      return await this.#file.read(start, into)
    } catch (reason) {
      if (!(reason instanceof KhazanaError && reason.code === 'storage-failed')) throw reason
      if (into.length <= blockBytes) return 0
      // One bad sector must not hide its neighbours.
      return await this.#readByBlocks(start, into)
    }
  }

  async #readByBlocks(start: number, into: Uint8Array): Promise<number> {
    into.fill(0)
    for (let at = 0; at < into.length; at += blockBytes) {
      const block = into.subarray(at, at + blockBytes)
      if ((await this.#read(start + at, block)) === 0) block.fill(0)
    }
    return into.length
  }
}

/** The payloads that the records speak of are those that the head speaks of. */
function areOf(head: PartHead, records: readonly LogRecord[]): boolean {
  let payloadBlocks = 0
  for (const record of records) if (record.kind === 'page') payloadBlocks += blocksOf(record.bytes)
  return payloadBlocks === head.payloadBlocks
}

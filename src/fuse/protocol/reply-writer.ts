import type { AttributesAnswer, Entry } from './attributes.js'
import { attributesAnswerBytes, entryBytes, putAttributesAnswer, putEntry } from './attributes.js'
import { setI64 } from './integers.js'
import type { FileLock } from './requests.js'

/** Bytes of `fuse_out_header`. */
export const replyHeaderBytes = 16

/** The answer to OPEN and OPENDIR; `flags` are `openReplyFlags`. */
export interface OpenAnswer {
  readonly fh: number
  readonly flags: number
}

export type CreateAnswer = { readonly entry: Entry } & OpenAnswer

/** The answer to STATFS; blocks are counted in `fragmentSize` bytes. */
export interface StatfsAnswer {
  readonly blocks: number
  readonly blocksFree: number
  readonly blocksAvailable: number
  readonly files: number
  readonly filesFree: number
  readonly blockSize: number
  readonly nameBytesMax: number
  readonly fragmentSize: number
}

export interface InitAnswer {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flags: number
  readonly flags2: number
  readonly maxBackground: number
  readonly congestionThreshold: number
  readonly maxWrite: number
  readonly timeGranularityNs: number
  readonly maxPages: number
}

const lockNumbers = { read: 0, write: 1, unlock: 2 } as const

/**
 * Encodes replies into one buffer that it owns and uses again: what a method returns must be written to the device
 * before the next call. A reply per request would be garbage per request.
 */
export class ReplyWriter {
  readonly #bytes: Uint8Array
  readonly #view: DataView

  /** Bodies up to `bodyBytesMax` can be copied in behind the header by `data`. */
  constructor(bodyBytesMax: number) {
    this.#bytes = new Uint8Array(replyHeaderBytes + Math.max(bodyBytesMax, 256))
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** `errno` is the positive number. */
  error(unique: number, errno: number): Uint8Array {
    this.#view.setInt32(4, -errno, true)
    this.#view.setUint32(0, replyHeaderBytes, true)
    setI64(this.#view, 8, unique)
    return this.#bytes.subarray(0, replyHeaderBytes)
  }

  empty(unique: number): Uint8Array {
    return this.#finish(unique, 0)
  }

  /** The header alone of a reply whose body of `length` bytes is written after it. */
  headerOf(unique: number, length: number): Uint8Array {
    this.#finish(unique, 0)
    this.#view.setUint32(0, replyHeaderBytes + length, true)
    return this.#bytes.subarray(0, replyHeaderBytes)
  }

  /** The pieces, copied: their `length` together must be within the bound of the constructor. */
  data(unique: number, pieces: readonly Uint8Array[], length: number): Uint8Array {
    let at = replyHeaderBytes
    for (const piece of pieces) {
      this.#bytes.set(piece, at)
      at += piece.length
    }
    return this.#finish(unique, length)
  }

  entry(unique: number, entry: Entry): Uint8Array {
    putEntry(this.#view, replyHeaderBytes, entry)
    return this.#finish(unique, entryBytes)
  }

  attributes(unique: number, answer: AttributesAnswer): Uint8Array {
    putAttributesAnswer(this.#view, replyHeaderBytes, answer)
    return this.#finish(unique, attributesAnswerBytes)
  }

  open(unique: number, answer: OpenAnswer): Uint8Array {
    this.#putOpen(replyHeaderBytes, answer)
    return this.#finish(unique, 16)
  }

  create(unique: number, answer: CreateAnswer): Uint8Array {
    putEntry(this.#view, replyHeaderBytes, answer.entry)
    this.#putOpen(replyHeaderBytes + entryBytes, answer)
    return this.#finish(unique, entryBytes + 16)
  }

  /** The number of bytes: of WRITE, COPY_FILE_RANGE, and of an xattr whose size was asked. */
  size(unique: number, size: number): Uint8Array {
    this.#view.setUint32(replyHeaderBytes, size, true)
    this.#view.setUint32(replyHeaderBytes + 4, 0, true)
    return this.#finish(unique, 8)
  }

  lseek(unique: number, offset: number): Uint8Array {
    setI64(this.#view, replyHeaderBytes, offset)
    return this.#finish(unique, 8)
  }

  statfs(unique: number, answer: StatfsAnswer): Uint8Array {
    const view = this.#view
    const at = replyHeaderBytes
    this.#bytes.fill(0, at, at + 80)
    setI64(view, at, answer.blocks)
    setI64(view, at + 8, answer.blocksFree)
    setI64(view, at + 16, answer.blocksAvailable)
    setI64(view, at + 24, answer.files)
    setI64(view, at + 32, answer.filesFree)
    view.setUint32(at + 40, answer.blockSize, true)
    view.setUint32(at + 44, answer.nameBytesMax, true)
    view.setUint32(at + 48, answer.fragmentSize, true)
    return this.#finish(unique, 80)
  }

  lock(unique: number, lock: FileLock): Uint8Array {
    const view = this.#view
    view.setBigUint64(replyHeaderBytes, lock.start, true)
    view.setBigUint64(replyHeaderBytes + 8, lock.end, true)
    view.setUint32(replyHeaderBytes + 16, lockNumbers[lock.type], true)
    view.setUint32(replyHeaderBytes + 20, lock.pid, true)
    return this.#finish(unique, 24)
  }

  init(unique: number, answer: InitAnswer): Uint8Array {
    const view = this.#view
    const at = replyHeaderBytes
    this.#bytes.fill(0, at, at + 64)
    view.setUint32(at, answer.major, true)
    view.setUint32(at + 4, answer.minor, true)
    view.setUint32(at + 8, answer.maxReadahead, true)
    view.setUint32(at + 12, answer.flags, true)
    view.setUint16(at + 16, answer.maxBackground, true)
    view.setUint16(at + 18, answer.congestionThreshold, true)
    view.setUint32(at + 20, answer.maxWrite, true)
    view.setUint32(at + 24, answer.timeGranularityNs, true)
    view.setUint16(at + 28, answer.maxPages, true)
    view.setUint32(at + 32, answer.flags2, true)
    return this.#finish(unique, 64)
  }

  #putOpen(at: number, answer: OpenAnswer): void {
    setI64(this.#view, at, answer.fh)
    this.#view.setUint32(at + 8, answer.flags, true)
    this.#view.setUint32(at + 12, 0, true)
  }

  #finish(unique: number, length: number): Uint8Array {
    this.#view.setUint32(0, replyHeaderBytes + length, true)
    this.#view.setInt32(4, 0, true)
    setI64(this.#view, 8, unique)
    return this.#bytes.subarray(0, replyHeaderBytes + length)
  }
}

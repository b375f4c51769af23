import { setI64 } from './integers.js'
import type { Time } from './requests.js'

/** What stat(2) tells of a node. */
export interface Attributes {
  readonly node: number
  readonly size: number
  /** Units of 512 bytes. */
  readonly blocks: number
  readonly atime: Time
  readonly mtime: Time
  readonly ctime: Time
  /** Type and permissions. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly blockSize: number
}

/** A node found or made, with one lookup more that FORGET will give back. A `node` of 0: there is none, for so long. */
export interface Entry {
  readonly node: number
  readonly generation: number
  /** How long the kernel may believe the name. */
  readonly entryValidMs: number
  readonly attributesValidMs: number
  readonly attributes: Attributes
}

/** The attributes of a node, for so long. */
export interface AttributesAnswer {
  readonly attributesValidMs: number
  readonly attributes: Attributes
}

/** Bytes of `fuse_attr`, `fuse_entry_out` and `fuse_attr_out`. */
const attributesBytes = 88
export const entryBytes = 40 + attributesBytes
export const attributesAnswerBytes = 16 + attributesBytes

export function putAttributes(view: DataView, at: number, from: Attributes): void {
  setI64(view, at, from.node)
  setI64(view, at + 8, from.size)
  setI64(view, at + 16, from.blocks)
  setI64(view, at + 24, from.atime.seconds)
  setI64(view, at + 32, from.mtime.seconds)
  setI64(view, at + 40, from.ctime.seconds)
  view.setUint32(at + 48, from.atime.nanoseconds, true)
  view.setUint32(at + 52, from.mtime.nanoseconds, true)
  view.setUint32(at + 56, from.ctime.nanoseconds, true)
  view.setUint32(at + 60, from.mode, true)
  view.setUint32(at + 64, from.nlink, true)
  view.setUint32(at + 68, from.uid, true)
  view.setUint32(at + 72, from.gid, true)
  view.setUint32(at + 76, from.rdev, true)
  view.setUint32(at + 80, from.blockSize, true)
  view.setUint32(at + 84, 0, true)
}

export function putEntry(view: DataView, at: number, from: Entry): void {
  setI64(view, at, from.node)
  setI64(view, at + 8, from.generation)
  putDuration(view, at + 16, at + 32, from.entryValidMs)
  putDuration(view, at + 24, at + 36, from.attributesValidMs)
  putAttributes(view, at + 40, from.attributes)
}

export function putAttributesAnswer(view: DataView, at: number, from: AttributesAnswer): void {
  putDuration(view, at, at + 8, from.attributesValidMs)
  view.setUint32(at + 12, 0, true)
  putAttributes(view, at + 16, from.attributes)
}

function putDuration(view: DataView, at: number, nanosecondsAt: number, ms: number): void {
  setI64(view, at, Math.floor(ms / 1000))
  view.setUint32(nanosecondsAt, Math.floor(ms % 1000) * 1_000_000, true)
}

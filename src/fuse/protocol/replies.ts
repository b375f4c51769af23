/** What the kernel wants to know of a file. */
export interface FuseAttributes {
  readonly ino: number
  readonly size: number
  /** Of 512 bytes each. */
  readonly blocks: number
  readonly accessed: { readonly seconds: number; readonly nanoseconds: number }
  readonly modified: { readonly seconds: number; readonly nanoseconds: number }
  readonly changed: { readonly seconds: number; readonly nanoseconds: number }
  /** Its kind, in the upper bits, and permissions. */
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly device: number
  readonly blockSize: number
}

/** A file that a name stands for, and for how long the kernel may take that, and what it knows of the file, for true. Seconds. */
export interface EntryReply {
  readonly node: number
  readonly generation: number
  readonly attributes: FuseAttributes
  readonly entryValid: number
  readonly attributesValid: number
}

export interface StatfsReply {
  readonly blocks: number
  readonly freeBlocks: number
  readonly blockSize: number
  readonly nameBytesMax: number
}

const attributesBytes = 88
const entryBytes = 40 + attributesBytes

export function encodeEntry(entry: EntryReply): Uint8Array {
  const bytes = new Uint8Array(entryBytes)
  putEntry(viewOf(bytes), 0, entry)
  return bytes
}

/** The answer to `create`: the file, and how it is open. */
export function encodeCreated(entry: EntryReply, handle: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(entryBytes + 16)
  const view = viewOf(bytes)
  putEntry(view, 0, entry)
  putU53(view, entryBytes, handle)
  view.setUint32(entryBytes + 8, flags, true)
  return bytes
}

export function encodeAttributes(attributes: FuseAttributes, validSeconds: number): Uint8Array {
  const bytes = new Uint8Array(16 + attributesBytes)
  const view = viewOf(bytes)
  putU53(view, 0, validSeconds)
  putAttributes(view, 16, attributes)
  return bytes
}

export function encodeOpen(handle: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = viewOf(bytes)
  putU53(view, 0, handle)
  view.setUint32(8, flags, true)
  return bytes
}

export function encodeCount(count: number): Uint8Array {
  const bytes = new Uint8Array(8)
  viewOf(bytes).setUint32(0, count, true)
  return bytes
}

export function encodeOffset(offset: number): Uint8Array {
  const bytes = new Uint8Array(8)
  putU53(viewOf(bytes), 0, offset)
  return bytes
}

export function encodeStatfs(usage: StatfsReply): Uint8Array {
  const bytes = new Uint8Array(80)
  const view = viewOf(bytes)
  putU53(view, 0, usage.blocks)
  putU53(view, 8, usage.freeBlocks)
  putU53(view, 16, usage.freeBlocks)
  // How many files there may be is not limited, and stays 0, as other file systems say it.
  view.setUint32(40, usage.blockSize, true)
  view.setUint32(44, usage.nameBytesMax, true)
  view.setUint32(48, usage.blockSize, true)
  return bytes
}

export interface InitReply {
  readonly minor: number
  readonly maxReadahead: number
  readonly flags: bigint
  readonly maxBackground: number
  readonly maxWrite: number
  readonly maxPages: number
}

export function encodeInit(reply: InitReply): Uint8Array {
  const bytes = new Uint8Array(64)
  const view = viewOf(bytes)
  view.setUint32(0, 7, true)
  view.setUint32(4, reply.minor, true)
  view.setUint32(8, reply.maxReadahead, true)
  view.setUint32(12, Number(reply.flags & 0xffff_ffffn), true)
  view.setUint16(16, reply.maxBackground, true)
  view.setUint16(18, Math.floor(reply.maxBackground * 0.75), true)
  view.setUint32(20, reply.maxWrite, true)
  // Times are told to the nanosecond.
  view.setUint32(24, 1, true)
  view.setUint16(28, reply.maxPages, true)
  view.setUint32(32, Number(reply.flags >> 32n), true)
  return bytes
}

const direntHeadBytes = 24

/** The names of a directory, as many as fit. */
export class DirentBuilder {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #used = 0

  constructor(size: number) {
    this.#bytes = new Uint8Array(size)
    this.#view = viewOf(this.#bytes)
  }

  /** False where it does not fit: then nothing is added. `next`: where to go on behind it. `type`: the kind, as the upper bits of a mode have it. */
  add(name: Uint8Array, ino: number, type: number, next: number): boolean {
    if (this.#used + aligned(direntHeadBytes + name.length) > this.#bytes.length) return false
    this.#put(name, ino, type, next)
    return true
  }

  /** The same with what is known of the file; without an entry only its name. */
  addPlus(name: Uint8Array, ino: number, type: number, next: number, entry: EntryReply | undefined): boolean {
    if (!this.fitsPlus(name)) return false
    if (entry !== undefined) putEntry(this.#view, this.#used, entry)
    this.#used += entryBytes
    this.#put(name, ino, type, next)
    return true
  }

  fitsPlus(name: Uint8Array): boolean {
    return this.#used + aligned(entryBytes + direntHeadBytes + name.length) <= this.#bytes.length
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#used)
  }

  #put(name: Uint8Array, ino: number, type: number, next: number): void {
    const at = this.#used
    putU53(this.#view, at, ino)
    putU53(this.#view, at + 8, next)
    this.#view.setUint32(at + 16, name.length, true)
    this.#view.setUint32(at + 20, type >> 12, true)
    this.#bytes.set(name, at + direntHeadBytes)
    this.#used += aligned(direntHeadBytes + name.length)
  }
}

function aligned(count: number): number {
  return (count + 7) & ~7
}

function putEntry(view: DataView, at: number, entry: EntryReply): void {
  putU53(view, at, entry.node)
  putU53(view, at + 8, entry.generation)
  putU53(view, at + 16, entry.entryValid)
  putU53(view, at + 24, entry.attributesValid)
  putAttributes(view, at + 40, entry.attributes)
}

function putAttributes(view: DataView, at: number, attributes: FuseAttributes): void {
  putU53(view, at, attributes.ino)
  putU53(view, at + 8, attributes.size)
  putU53(view, at + 16, attributes.blocks)
  putI53(view, at + 24, attributes.accessed.seconds)
  putI53(view, at + 32, attributes.modified.seconds)
  putI53(view, at + 40, attributes.changed.seconds)
  view.setUint32(at + 48, attributes.accessed.nanoseconds, true)
  view.setUint32(at + 52, attributes.modified.nanoseconds, true)
  view.setUint32(at + 56, attributes.changed.nanoseconds, true)
  view.setUint32(at + 60, attributes.mode, true)
  view.setUint32(at + 64, attributes.links, true)
  view.setUint32(at + 68, attributes.uid, true)
  view.setUint32(at + 72, attributes.gid, true)
  view.setUint32(at + 76, attributes.device, true)
  view.setUint32(at + 80, attributes.blockSize, true)
}

export function putU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}

export function putI53(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  view.setUint32(at, value - high * 0x1_0000_0000, true)
  view.setInt32(at + 4, high, true)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

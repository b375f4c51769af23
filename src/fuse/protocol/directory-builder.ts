import type { Entry } from './attributes.js'
import { entryBytes, putEntry } from './attributes.js'
import { setI64 } from './integers.js'

/** One name of a directory. */
export interface DirectoryItem {
  readonly node: number
  readonly name: Uint8Array
  /** The type bits of the mode, e.g. 0o040000; 0 where it is not known. */
  readonly mode: number
  /** Where the reading goes on after this name: what the next request gives as its offset. Above 0, below 2^53. */
  readonly nextOffset: number
}

const fixedBytes = 24

/** The answer to a READDIR: as many names as fit in what was asked. Each `add` says whether the name is in. */
export class DirectoryBuilder {
  protected readonly bytes: Uint8Array
  protected readonly view: DataView
  #length = 0

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes)
    this.view = new DataView(this.bytes.buffer)
  }

  /** False: no room is left, and nothing was added. */
  add(item: DirectoryItem): boolean {
    return this.append(item, 0) !== undefined
  }

  /** What was added, to be answered with; empty at the end of the directory. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.#length)
  }

  /** Leaves `prefixBytes` before the item; where they begin, or undefined without room. */
  protected append(item: DirectoryItem, prefixBytes: number): number | undefined {
    const start = this.#length
    const at = start + prefixBytes
    const end = this.endOf(item.name, prefixBytes)
    if (end > this.bytes.length) return undefined
    setI64(this.view, at, item.node)
    setI64(this.view, at + 8, item.nextOffset)
    this.view.setUint32(at + 16, item.name.length, true)
    this.view.setUint32(at + 20, (item.mode & 0o170000) >>> 12, true)
    this.bytes.set(item.name, at + fixedBytes)
    this.#length = end
    return start
  }

  /** Where the next record would end: on a multiple of 8. The padding is zero, as the buffer is new. */
  protected endOf(name: Uint8Array, prefixBytes: number): number {
    return this.#length + prefixBytes + ((fixedBytes + name.length + 7) & ~7)
  }
}

/** The answer to a READDIRPLUS. Every entry added whose node is not 0 counts as one lookup, except "." and "..". */
export class DirectoryPlusBuilder extends DirectoryBuilder {
  /** Whether this name would be added. */
  hasRoomFor(name: Uint8Array): boolean {
    return this.endOf(name, entryBytes) <= this.bytes.length
  }

  /** An entry of undefined gives the name alone: the kernel looks it up when it needs it. */
  addEntry(item: DirectoryItem, entry: Entry | undefined): boolean {
    const at = this.append(item, entryBytes)
    if (at === undefined) return false
    if (entry !== undefined) putEntry(this.view, at, entry)
    return true
  }

  override add(item: DirectoryItem): boolean {
    return this.addEntry(item, undefined)
  }
}

import type { FileAddress, FileAttributes } from '../../fs/attributes.js'
import type { DirectoryEntry } from '../../fs/directory/entries.js'
import type { FileSystem } from '../../fs/file-system.js'
import { DirentBuilder } from '../protocol/replies.js'
import type { EntryReply } from '../protocol/replies.js'
import type { Answer } from '../server/fuse-server.js'
import { typeBits } from './modes.js'

export interface ListingOptions {
  readonly fs: FileSystem
  readonly directory: FileAddress
  /** The kernel is told of a file. */
  readonly tell: (file: FileAttributes) => EntryReply
  /** What it was told does not reach it. */
  readonly forget: (node: number) => void
}

const dot = Uint8Array.of(46)
const dotDot = Uint8Array.of(46, 46)
/** Where `.` and `..` are; entries come behind. */
const firstOffset = 2

/** An open directory. Its offsets are the positions of entries, which stay what they are whatever is added and removed. */
export class Listing {
  readonly #options: ListingOptions
  /** What was read ahead. */
  #ahead: readonly DirectoryEntry[] = []

  constructor(options: ListingOptions) {
    this.#options = options
  }

  async names(offset: number, size: number): Promise<Answer> {
    const builder = new DirentBuilder(size)
    await this.#fill(offset, (name, ino, type, next) => Promise.resolve(builder.add(name, ino, type, next)))
    return [builder.bytes]
  }

  async namesAndFiles(offset: number, size: number): Promise<Answer> {
    const { fs, tell, forget } = this.#options
    const builder = new DirentBuilder(size)
    await this.#fill(offset, async (name, ino, type, next, address) => {
      if (!builder.fitsPlus(name)) return false
      if (address === undefined) return builder.addPlus(name, ino, type, next, undefined)
      const file = await attributesOf(fs, address)
      const entry = file === undefined ? undefined : tell(file)
      const isAdded = builder.addPlus(name, ino, type, next, entry)
      if (!isAdded && entry !== undefined) forget(entry.node)
      return isAdded
    })
    return [builder.bytes]
  }

  async #fill(
    offset: number,
    add: (
      name: Uint8Array,
      ino: number,
      type: number,
      next: number,
      address?: FileAddress,
    ) => Promise<boolean>,
  ): Promise<void> {
    const { fs, directory } = this.#options
    const directoryType = typeBits('directory')
    if (offset === 0) {
      this.#ahead = []
      const { ino } = await fs.attributes(directory)
      if (!(await add(dot, ino, directoryType, 1))) return
    }
    if (offset <= 1) {
      const { ino } = await fs.parentOf(directory)
      if (!(await add(dotDot, ino, directoryType, firstOffset))) return
    }
    let behind = offset <= firstOffset ? -1 : offset - firstOffset - 1
    for (;;) {
      const entries = await this.#entriesBehind(behind)
      if (entries.length === 0) return
      for (const { name, ino, kind, position, address } of entries) {
        if (!(await add(name, ino, typeBits(kind), position + firstOffset + 1, address))) return
        behind = position
      }
    }
  }

  /** Those that were read before and did not fit come first. */
  async #entriesBehind(behind: number): Promise<readonly DirectoryEntry[]> {
    const [first] = this.#ahead
    const known =
      first !== undefined && first.position <= behind
        ? this.#ahead.filter(({ position }) => position > behind)
        : []
    if (known.length > 0) return known
    this.#ahead = await this.#options.fs.list(this.#options.directory, behind)
    return this.#ahead
  }
}

/** Undefined for a file that has gone meanwhile. */
async function attributesOf(fs: FileSystem, address: FileAddress): Promise<FileAttributes | undefined> {
  try {
    return await fs.attributes(address)
  } catch {
    return undefined
  }
}

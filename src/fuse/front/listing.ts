import type { FileAddress, FileAttributes } from '../../fs/attributes.js'
import type { DirectoryEntry } from '../../fs/directory/entries.js'
import type { FileSystem } from '../../fs/file-system.js'
import type { Entry } from '../protocol/attributes.js'
import { DirectoryBuilder, DirectoryPlusBuilder } from '../protocol/directory-builder.js'
import type { DirectoryItem } from '../protocol/directory-builder.js'
import { typeBits } from './modes.js'

export interface ListingOptions {
  readonly fs: FileSystem
  readonly directory: FileAddress
  /** The kernel is told of a file. */
  readonly tell: (file: FileAttributes) => Entry
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

  async names(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const builder = new DirectoryBuilder(sizeBytes)
    await this.#fill(offset, (item) => Promise.resolve(builder.add(item)))
    return builder.finish()
  }

  async namesAndFiles(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const { fs, tell, forget } = this.#options
    const builder = new DirectoryPlusBuilder(sizeBytes)
    await this.#fill(offset, async (item, address) => {
      if (!builder.hasRoomFor(item.name)) return false
      if (address === undefined) return builder.add(item)
      const file = await attributesOf(fs, address)
      const entry = file === undefined ? undefined : tell(file)
      const isAdded = builder.addEntry(item, entry)
      if (!isAdded && entry !== undefined) forget(entry.node)
      return isAdded
    })
    return builder.finish()
  }

  async #fill(
    offset: number,
    add: (item: DirectoryItem, address?: FileAddress) => Promise<boolean>,
  ): Promise<void> {
    const { fs, directory } = this.#options
    const mode = typeBits('directory')
    if (offset === 0) {
      this.#ahead = []
      const { ino } = await fs.attributes(directory)
      if (!(await add({ name: dot, node: ino, mode, nextOffset: 1 }))) return
    }
    if (offset <= 1) {
      const { ino } = await fs.parentOf(directory)
      if (!(await add({ name: dotDot, node: ino, mode, nextOffset: firstOffset }))) return
    }
    let behind = offset <= firstOffset ? -1 : offset - firstOffset - 1
    for (;;) {
      const entries = await this.#entriesBehind(behind)
      if (entries.length === 0) return
      for (const { name, ino, kind, position, address } of entries) {
        const item = { name, node: ino, mode: typeBits(kind), nextOffset: position + firstOffset + 1 }
        if (!(await add(item, address))) return
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

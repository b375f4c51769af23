import type { FileAddress, FileAttributes } from '../../fs/attributes.js'
import type { DirectoryEntry } from '../../fs/directory/entries.js'
import type { FileSystem } from '../../fs/file-system.js'
import type { HoldNumber } from '../../fs/volume/file-holds.js'
import type { Entry } from '../protocol/attributes.js'
import { DirectoryBuilder, DirectoryPlusBuilder } from '../protocol/directory-builder.js'
import type { DirectoryItem } from '../protocol/directory-builder.js'
import { typeBits } from './modes.js'

export interface ListingOptions {
  readonly fs: ListedFileSystem
  readonly directory: FileAddress
  /** Under what a file is as it has just been said to be. */
  readonly stamp: (file: FileAddress) => HoldNumber | undefined
  /** Whether names of the directory were looked up since it was asked last: who lists it asks for each file then. */
  readonly isLookedInto: () => boolean
  /** The kernel is told of a file; `held`: what the directory was held under when the name was found there. */
  readonly tell: (seen: Seen, held: HoldNumber | undefined) => Entry
}

/** What a listing asks of a file system. */
export type ListedFileSystem = Pick<FileSystem, 'attributes' | 'attributesAtHand' | 'list' | 'parentOf'>

/** A file, and what it was held under when it was looked at. */
export interface Seen {
  readonly file: FileAttributes
  readonly stamp: HoldNumber | undefined
}

interface Found {
  readonly item: DirectoryItem
  /** Undefined for `.` and `..`. */
  readonly address: FileAddress | undefined
  readonly held: HoldNumber | undefined
}

/** Files that are looked at together. */
const lookedAtMax = 64
/** So many files are brought from elsewhere before it is known that they are asked for: most who list a directory ask, and one by one takes long. */
const broughtMax = 4096

const dot = Uint8Array.of(46)
const dotDot = Uint8Array.of(46, 46)
/** Where `.` and `..` are; entries come behind. */
const firstOffset = 2

/** An open directory. Its offsets are the positions of entries, which stay what they are whatever is added and removed. */
export class Listing {
  readonly #options: ListingOptions
  /** Files that were looked at, wherever they were. */
  #brought = 0
  /** What was read ahead. */
  #ahead: readonly DirectoryEntry[] = []
  /** What the directory was held under then. */
  #held: HoldNumber | undefined

  constructor(options: ListingOptions) {
    this.#options = options
  }

  async names(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const builder = new DirectoryBuilder(sizeBytes)
    await this.#fill(offset, (item) => Promise.resolve(builder.add(item)))
    return builder.finish()
  }

  /**
   * Names, with their files, so that these need not be looked up one by one. Of large directories only those that are at hand, unless who lists it asks for files: others may want the names alone,
   * and wait for nothing else. (What the kernel does by itself, `FUSE_READDIRPLUS_AUTO`, asks for no files after the first names of a directory, so most are looked up one by one.)
   *
   * All that the files take is brought before the kernel is told of the first, so that what it is told is right when it hears of it.
   */
  async namesAndFiles(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const room = new DirectoryPlusBuilder(sizeBytes)
    const found: Found[] = []
    await this.#fill(offset, (item, address) => {
      const hasRoom = room.addEntry(item, undefined)
      if (hasRoom) found.push({ item, address, held: this.#held })
      return Promise.resolve(hasRoom)
    })
    const files = await this.#look(found)
    const builder = new DirectoryPlusBuilder(sizeBytes)
    found.forEach(({ item, held }, index) => {
      const seen = files[index]
      builder.addEntry(item, seen && this.#options.tell(seen, held))
    })
    return builder.finish()
  }

  /** Some at a time: where the files are elsewhere, one after the other would take long. */
  async #look(found: readonly Found[]): Promise<readonly (Seen | undefined)[]> {
    const { fs, stamp, isLookedInto } = this.#options
    const seen: (Seen | undefined)[] = []
    if (!isLookedInto() && this.#brought >= broughtMax) {
      return found.map(({ address }) => {
        const file = address === undefined ? undefined : attributesAtHand(fs, address)
        return file && { file, stamp: stamp(file.address) }
      })
    }
    this.#brought += found.length
    for (let at = 0; at < found.length; at += lookedAtMax) {
      const looks = found.slice(at, at + lookedAtMax).map(async ({ address }) => {
        const file = address === undefined ? undefined : await attributesOf(fs, address)
        return file && { file, stamp: stamp(file.address) }
      })
      seen.push(...(await Promise.all(looks)))
    }
    return seen
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
    const { fs, directory, stamp } = this.#options
    this.#ahead = await fs.list(directory, behind)
    this.#held = stamp(directory)
    return this.#ahead
  }
}

/** Undefined also for a file that has gone meanwhile. */
function attributesAtHand(fs: ListedFileSystem, address: FileAddress): FileAttributes | undefined {
  try {
    return fs.attributesAtHand(address)
  } catch {
    return undefined
  }
}

/** Undefined for a file that has gone meanwhile. */
async function attributesOf(fs: ListedFileSystem, address: FileAddress): Promise<FileAttributes | undefined> {
  try {
    return await fs.attributes(address)
  } catch {
    return undefined
  }
}

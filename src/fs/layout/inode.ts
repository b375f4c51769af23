import { readAddress, writeAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { Timestamp } from '../environment.js'
import { FsError } from '../errno.js'
import { getInt53, getUint53, setInt53, setUint53, viewOf } from './fields.js'

/** The page of a file's region in which its inode is. */
export const inodePage = 0

/** What a file is. */
export type FileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block'

/** By the numbers that the disk has; 0 is nothing. */
const kinds: readonly (FileKind | undefined)[] = [
  undefined,
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'character',
  'block',
]

export function kindNumber(kind: FileKind): number {
  return kinds.indexOf(kind)
}

export function kindOf(number: number): FileKind | undefined {
  return kinds[number]
}

/** Where an inode's page has what; bytes from its start. Whatever is not named is 0, for later. */
const at = {
  magic: 0,
  version: 4,
  kind: 5,
  flags: 6,
  replicas: 7,
  ino: 8,
  mode: 16,
  links: 20,
  uid: 24,
  gid: 28,
  size: 32,
  accessed: 40,
  modified: 52,
  changed: 64,
  born: 76,
  device: 88,
  hashSeed: 92,
  revision: 96,
  allocatedEnd: 104,
  residueEnd: 112,
  parent: 120,
  entries: 136,
  tailBytes: 144,
  xattrBytes: 148,
  pageShift: 152,
  storedPages: 160,
} as const

/** What comes before the inode's tail. Bytes. */
export const inodeHeadBytes = 256

const inodeMagic = 0x4b68_496e
const inodeVersion = 1

const isInTail = 1
const isSparse = 2
const mayBeNamed = 4

/** Permissions with set-id and sticky bits. */
export const modeBits = 0o7777
export const setUserId = 0o4000
export const setGroupId = 0o2000

/**
 * A file's first page: what is known of it, and, behind that, the *tail*: the bytes of a small file, the entries of a small directory or
 * the target of a symbolic link, from the front; and extended attributes, up to the end of the page. A view of the page's bytes, whoever owns those.
 *
 *   0            256                                 page size
 *   | the fields | tail ->      ...   | <- attributes |
 */
export class Inode {
  readonly bytes: Uint8Array
  readonly #view: DataView

  /** Throws `EIO` for what is no inode. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.#view = viewOf(bytes)
    if (this.#view.getUint32(at.magic) !== inodeMagic || bytes[at.version] !== inodeVersion)
      throw new FsError('EIO', 'not the first page of a file')
  }

  /** Makes the page that of a new file, with nothing set but this. */
  static format(bytes: Uint8Array, kind: FileKind, ino: number): Inode {
    bytes.fill(0)
    const view = viewOf(bytes)
    view.setUint32(at.magic, inodeMagic)
    bytes[at.version] = inodeVersion
    bytes[at.kind] = kindNumber(kind)
    bytes[at.flags] = isInTail
    setUint53(view, at.ino, ino)
    setUint53(view, at.allocatedEnd, 1)
    return new Inode(bytes)
  }

  get kind(): FileKind {
    const kind = kindOf(this.bytes[at.kind] ?? 0)
    if (kind === undefined) throw new FsError('EIO', 'a file of a kind that is not known')
    return kind
  }

  /** The number that no other file of the file system ever has. */
  get ino(): number {
    return getUint53(this.#view, at.ino)
  }

  get mode(): number {
    return this.#view.getUint32(at.mode)
  }

  set mode(mode: number) {
    this.#view.setUint32(at.mode, mode & modeBits)
  }

  get links(): number {
    return this.#view.getUint32(at.links)
  }

  set links(links: number) {
    this.#view.setUint32(at.links, links)
  }

  get uid(): number {
    return this.#view.getUint32(at.uid)
  }

  set uid(uid: number) {
    this.#view.setUint32(at.uid, uid)
  }

  get gid(): number {
    return this.#view.getUint32(at.gid)
  }

  set gid(gid: number) {
    this.#view.setUint32(at.gid, gid)
  }

  /** Of a file and a symbolic link: its bytes. Of a directory: the bytes of what it has in pages of its own. */
  get size(): number {
    return getUint53(this.#view, at.size)
  }

  set size(size: number) {
    setUint53(this.#view, at.size, size)
  }

  get accessed(): Timestamp {
    return this.#time(at.accessed)
  }

  set accessed(time: Timestamp) {
    this.#setTime(at.accessed, time)
  }

  get modified(): Timestamp {
    return this.#time(at.modified)
  }

  set modified(time: Timestamp) {
    this.#setTime(at.modified, time)
  }

  get changed(): Timestamp {
    return this.#time(at.changed)
  }

  set changed(time: Timestamp) {
    this.#setTime(at.changed, time)
  }

  get born(): Timestamp {
    return this.#time(at.born)
  }

  set born(time: Timestamp) {
    this.#setTime(at.born, time)
  }

  /** Of device nodes: as the kernel encodes it, 32 bits. */
  get device(): number {
    return this.#view.getUint32(at.device)
  }

  set device(device: number) {
    this.#view.setUint32(at.device, device)
  }

  /** Of a directory: where its names are follows from it. */
  get hashSeed(): number {
    return this.#view.getUint32(at.hashSeed)
  }

  set hashSeed(seed: number) {
    this.#view.setUint32(at.hashSeed, seed)
  }

  /** On how many nodes the file is; of a directory, on how many new files in it are, too. */
  get replicas(): number {
    return this.bytes[at.replicas] ?? 1
  }

  set replicas(count: number) {
    this.bytes[at.replicas] = count
  }

  /** Of a directory: the bytes of a page of new files in it; a power of two. */
  get childPageSize(): number {
    return 2 ** (this.bytes[at.pageShift] ?? 0)
  }

  set childPageSize(bytes: number) {
    this.bytes[at.pageShift] = Math.log2(bytes)
  }

  /** Grows with every change of the page. */
  get revision(): number {
    return getUint53(this.#view, at.revision)
  }

  /** The first page of the region from which on none has storage. */
  get allocatedEnd(): number {
    return getUint53(this.#view, at.allocatedEnd)
  }

  set allocatedEnd(page: number) {
    setUint53(this.#view, at.allocatedEnd, page)
  }

  /** Of a file that is not in the tail: how many pages behind this one have storage that the file wanted, about. */
  get storedPages(): number {
    return getUint53(this.#view, at.storedPages)
  }

  set storedPages(count: number) {
    setUint53(this.#view, at.storedPages, Math.max(0, Math.min(count, this.allocatedEnd - 1)))
  }

  /**
   * Bytes of the file: beyond `size`, what has storage is zeros from here on. More than `size` where a file has been cut off and what was behind is not
   * taken away yet: that must be before the file may grow.
   */
  get residueEnd(): number {
    return getUint53(this.#view, at.residueEnd)
  }

  set residueEnd(end: number) {
    setUint53(this.#view, at.residueEnd, end)
  }

  /** Of a directory: what `..` means. */
  get parent(): Address {
    return readAddress(this.#view, at.parent)
  }

  set parent(parent: Address) {
    writeAddress(this.#view, at.parent, parent)
  }

  /** Of a directory: how many names it has. */
  get entries(): number {
    return getUint53(this.#view, at.entries)
  }

  set entries(count: number) {
    setUint53(this.#view, at.entries, count)
  }

  /** Whether the contents are in the tail: the file's bytes, or the directory's entries. */
  get isInTail(): boolean {
    return this.#has(isInTail)
  }

  set isInTail(yes: boolean) {
    this.#set(isInTail, yes)
  }

  /** Whether there may be holes. */
  get isSparse(): boolean {
    return this.#has(isSparse)
  }

  /** From now on there may be. What has storage ahead of what is in use is as good as without, as it is zeros. */
  becomeSparse(): void {
    if (!this.isSparse && !this.isInTail) {
      const inUse = Math.max(
        this.storedPages,
        Math.ceil(Math.max(this.size, this.residueEnd) / this.bytes.length),
      )
      this.allocatedEnd = Math.min(this.allocatedEnd, inUse + 1)
    }
    this.#set(isSparse, true)
  }

  /** Whether a file without a name may get one, as it never had any. */
  get mayBeNamed(): boolean {
    return this.#has(mayBeNamed)
  }

  set mayBeNamed(yes: boolean) {
    this.#set(mayBeNamed, yes)
  }

  /** How much of the tail is in use, from its front. */
  get tailBytes(): number {
    return this.#view.getUint32(at.tailBytes)
  }

  set tailBytes(count: number) {
    this.#view.setUint32(at.tailBytes, count)
  }

  /** How much at the end of the page is in use, by extended attributes. */
  get xattrBytes(): number {
    return this.#view.getUint32(at.xattrBytes)
  }

  set xattrBytes(count: number) {
    this.#view.setUint32(at.xattrBytes, count)
  }

  /** All that the tail could hold, in use or not. The page's own bytes. */
  get tail(): Uint8Array {
    return this.bytes.subarray(inodeHeadBytes, this.bytes.length - this.xattrBytes)
  }

  /** What something of the file's own has changed, at that time. */
  touchChanged(time: Timestamp): void {
    this.changed = time
    this.bump()
  }

  /** What the file's contents have changed. */
  touchModified(time: Timestamp): void {
    this.modified = time
    this.touchChanged(time)
  }

  /** The page has changed. */
  bump(): void {
    setUint53(this.#view, at.revision, this.revision + 1)
  }

  #has(flag: number): boolean {
    return ((this.bytes[at.flags] ?? 0) & flag) !== 0
  }

  #set(flag: number, yes: boolean): void {
    const flags = this.bytes[at.flags] ?? 0
    this.bytes[at.flags] = yes ? flags | flag : flags & ~flag
  }

  #time(offset: number): Timestamp {
    return { seconds: getInt53(this.#view, offset), nanoseconds: this.#view.getUint32(offset + 8) }
  }

  #setTime(offset: number, { seconds, nanoseconds }: Timestamp): void {
    setInt53(this.#view, offset, seconds)
    this.#view.setUint32(offset + 8, nanoseconds)
  }
}

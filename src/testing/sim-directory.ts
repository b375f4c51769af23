import type { Random } from '../io/random.js'
import type { Directory, DirectoryLock, File } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'

/** A disk writes sectors one by one, in any order. */
export const sectorBytes = 512

export interface SimDirectoryOptions {
  readonly path?: string
  /** Bytes that all files together may occupy; without limit unless told. */
  readonly capacityBytes?: number
  /** Waited for in the middle of every operation: the simulator's clock, or a random number of turns. */
  readonly delay?: () => Promise<void>
}

/** What the disk does wrong. Any field may be changed at any time. */
export interface SimFaults {
  /** Syncs that fail from now on, before one succeeds again. What they should have made durable stays unsynced. */
  failingSyncs: number
  failingWrites: number
  /** Reads that touch one of these sectors fail; by file name. */
  readonly unreadable: Map<string, Set<number>>
}

/**
 * A directory in memory that keeps apart what was synced and what was not, so that a power cut can be played: see
 * `crash`. Content is by sector; names change in order, and a power cut keeps some first part of the changes, as the
 * journals of file systems do.
 */
export class SimDirectory implements Directory {
  readonly path: string
  readonly faults: SimFaults = { failingSyncs: 0, failingWrites: 0, unreadable: new Map() }
  readonly counts = { writes: 0, syncs: 0, bytesWritten: 0 }
  capacityBytes: number
  readonly #delay: () => Promise<void>
  readonly #names: Map<string, SimInode>
  #syncedNames: Map<string, SimInode>
  readonly #nameChanges: NameChange[] = []
  #isLocked = false
  #isDead = false

  constructor(options: SimDirectoryOptions = {}) {
    this.path = options.path ?? 'sim'
    this.capacityBytes = options.capacityBytes ?? Infinity
    this.#delay = options.delay ?? (() => Promise.resolve())
    this.#names = new Map()
    this.#syncedNames = new Map()
  }

  /**
   * The power fails. This directory is dead: no promise of its settles any more. The answer is what is found when the
   * power is back: all that was synced, and of the rest every sector kept, lost, or now and then garbage.
   */
  crash(random: Random, options: SimDirectoryOptions = {}): SimDirectory {
    this.#isDead = true
    const after = new SimDirectory({
      path: this.path,
      capacityBytes: this.capacityBytes,
      delay: this.#delay,
      ...options,
    })
    const names = new Map(this.#syncedNames)
    const kept = random.uint32() % (this.#nameChanges.length + 1)
    for (const change of this.#nameChanges.slice(0, kept)) apply(change, names)
    const copies = new Map<SimInode, SimInode>()
    for (const [name, inode] of names) {
      const copy = copies.get(inode) ?? inode.afterCrash(random)
      copies.set(inode, copy)
      after.#names.set(name, copy)
    }
    after.#syncedNames = new Map(after.#names)
    return after
  }

  /**
   * The process that uses it is killed. This directory is dead, as after `crash`. The answer is the same disk as the next process finds it: all that was
   * written, also what is not synced, and a power cut may still take.
   */
  kill(): SimDirectory {
    this.#isDead = true
    const after = new SimDirectory({
      path: this.path,
      capacityBytes: this.capacityBytes,
      delay: this.#delay,
    })
    const copies = new Map<SimInode, SimInode>()
    const copyOf = (inode: SimInode): SimInode => {
      const copy = copies.get(inode) ?? inode.copy()
      copies.set(inode, copy)
      return copy
    }
    for (const [name, inode] of this.#names) after.#names.set(name, copyOf(inode))
    for (const [name, inode] of this.#syncedNames) after.#syncedNames.set(name, copyOf(inode))
    for (const change of this.#nameChanges) {
      after.#nameChanges.push(change.map(({ name, inode }) => ({ name, inode: inode && copyOf(inode) })))
    }
    return after
  }

  /** The bytes of a file as a reader sees them; for tests to look at, and to damage. */
  content(name: string): Uint8Array {
    return this.#inode(name).current
  }

  /** Changes a byte on the disk behind everybody's back. */
  rot(name: string, position: number): void {
    const inode = this.#inode(name)
    for (const data of [inode.current, inode.synced]) data[position] = (data[position] ?? 0) ^ 0xff
  }

  /** Replaces a file's bytes, as synced. */
  place(name: string, bytes: Uint8Array): void {
    const inode = new SimInode()
    inode.current = bytes.slice()
    inode.synced = bytes.slice()
    this.#names.set(name, inode)
    this.#syncedNames.set(name, inode)
  }

  names(): string[] {
    return [...this.#names.keys()].sort()
  }

  async list(): Promise<string[]> {
    await this.turn()
    return this.names()
  }

  async open(name: string, options: { readonly create: boolean }): Promise<File> {
    await this.turn()
    const known = this.#names.get(name)
    if (known !== undefined) return new SimFile(this, name, known)
    if (!options.create) throw new KhazanaError('bad-format', `${this.path}/${name} is missing`)
    const inode = new SimInode()
    this.#change([{ name, inode }])
    return new SimFile(this, name, inode)
  }

  async remove(name: string): Promise<void> {
    await this.turn()
    this.#inode(name)
    this.#change([{ name, inode: undefined }])
  }

  async rename(from: string, to: string): Promise<void> {
    await this.turn()
    const inode = this.#inode(from)
    this.#change([
      { name: from, inode: undefined },
      { name: to, inode },
    ])
  }

  async sync(): Promise<void> {
    const count = this.#nameChanges.length
    await this.turn()
    this.countSync()
    for (const change of this.#nameChanges.splice(0, count)) apply(change, this.#syncedNames)
  }

  async lock(): Promise<DirectoryLock> {
    await this.turn()
    if (this.#isLocked)
      throw new KhazanaError('directory-in-use', `${this.path} is served by another process`)
    this.#isLocked = true
    return {
      release: () => {
        this.#isLocked = false
        return Promise.resolve()
      },
    }
  }

  /** Waits as long as an operation takes. Never settles on a dead directory. */
  async turn(): Promise<void> {
    if (!this.#isDead) await this.#delay()
    if (this.#isDead) await new Promise<never>(() => undefined)
  }

  countSync(): void {
    this.counts.syncs++
    if (this.faults.failingSyncs === 0) return
    this.faults.failingSyncs--
    throw new KhazanaError('storage-failed', `${this.path}: injected: a flush failed`)
  }

  countWrite(bytes: number): void {
    this.counts.writes++
    this.counts.bytesWritten += bytes
    if (this.faults.failingWrites === 0) return
    this.faults.failingWrites--
    throw new KhazanaError('storage-failed', `${this.path}: injected: a write failed`)
  }

  /** Throws `no-space` where growing by this much would pass the capacity. */
  checkRoom(bytes: number): void {
    let used = 0
    for (const inode of new Set(this.#names.values())) used += inode.current.length
    if (used + bytes > this.capacityBytes)
      throw new KhazanaError('no-space', `${this.path}: the simulated disk is full`)
  }

  #change(change: NameChange): void {
    apply(change, this.#names)
    this.#nameChanges.push(change)
  }

  #inode(name: string): SimInode {
    const inode = this.#names.get(name)
    if (inode === undefined) throw new KhazanaError('bad-format', `${this.path}/${name} is missing`)
    return inode
  }
}

/** What names mean from then on, all at once; without a file: nothing. */
type NameChange = readonly { readonly name: string; readonly inode: SimInode | undefined }[]

function apply(change: NameChange, names: Map<string, SimInode>): void {
  for (const { name, inode } of change) {
    if (inode === undefined) names.delete(name)
    else names.set(name, inode)
  }
}

/** A file's bytes twice: as a reader sees them, and as a power cut would leave them for certain. */
class SimInode {
  current = new Uint8Array(0)
  synced = new Uint8Array(0)
  /** Sectors that may differ. */
  readonly unsynced = new Set<number>()

  copy(): SimInode {
    const copy = new SimInode()
    copy.current = this.current.slice()
    copy.synced = this.synced.slice()
    for (const sector of this.unsynced) copy.unsynced.add(sector)
    return copy
  }

  afterCrash(random: Random): SimInode {
    const copy = new SimInode()
    const isSizeKept = this.current.length === this.synced.length || random.uint32() % 2 === 0
    const data = new Uint8Array(isSizeKept ? this.current.length : this.synced.length)
    data.set(this.synced.subarray(0, data.length))
    // How much of what was on its way arrived differs from crash to crash: nothing, all, and anything between.
    const keptShare = (random.uint32() % 5) * 2 ** 30
    for (const sector of [...this.unsynced].sort((a, b) => a - b)) {
      const start = sector * sectorBytes
      const fate = random.uint32()
      if (start >= data.length) continue
      if (fate % 64 === 0) data.set(random.bytes(Math.min(sectorBytes, data.length - start)), start)
      else if (fate < keptShare)
        data.set(this.current.subarray(start, start + sectorBytes).subarray(0, data.length - start), start)
    }
    copy.current = data
    copy.synced = data.slice()
    return copy
  }
}

class SimFile implements File {
  readonly #directory: SimDirectory
  readonly #name: string
  readonly #inode: SimInode
  #isOpen = true

  constructor(directory: SimDirectory, name: string, inode: SimInode) {
    this.#directory = directory
    this.#name = name
    this.#inode = inode
  }

  size(): number {
    return this.#inode.current.length
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    this.#checkOpen()
    await this.#directory.turn()
    const sectors = this.#directory.faults.unreadable.get(this.#name)
    for (let at = Math.floor(position / sectorBytes); at * sectorBytes < position + into.length; at++) {
      if (sectors?.has(at) === true)
        throw new KhazanaError('storage-failed', `${this.#name}: injected: cannot be read`)
    }
    const found = this.#inode.current.subarray(position, position + into.length)
    into.set(found)
    return found.length
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen()
    let bytes = 0
    for (const chunk of chunks) bytes += chunk.length
    this.#directory.countWrite(bytes)
    let at = position
    this.#grow(position + bytes)
    for (const chunk of chunks) {
      this.#inode.current.set(chunk, at)
      at += chunk.length
    }
    this.#dirty(position, at)
    await this.#directory.turn()
  }

  async sync(): Promise<void> {
    this.#checkOpen()
    const sectors = [...this.#inode.unsynced]
    await this.#directory.turn()
    this.#directory.countSync()
    const { current, synced } = this.#inode
    if (synced.length !== current.length) {
      this.#inode.synced = new Uint8Array(current.length)
      this.#inode.synced.set(synced.subarray(0, current.length))
    }
    for (const sector of sectors) {
      const start = sector * sectorBytes
      this.#inode.synced.set(current.subarray(start, start + sectorBytes), start)
      this.#inode.unsynced.delete(sector)
    }
  }

  async resize(bytes: number): Promise<void> {
    this.#checkOpen()
    const before = this.#inode.current.length
    if (bytes > before) {
      this.#grow(bytes)
      this.#dirty(before, bytes)
    } else {
      this.#inode.current = this.#inode.current.slice(0, bytes)
    }
    await this.#directory.turn()
  }

  async close(): Promise<void> {
    this.#isOpen = false
    await this.#directory.turn()
  }

  #grow(bytes: number): void {
    const before = this.#inode.current
    if (bytes <= before.length) return
    this.#directory.checkRoom(bytes - before.length)
    this.#inode.current = new Uint8Array(bytes)
    this.#inode.current.set(before)
  }

  #dirty(start: number, end: number): void {
    for (let at = Math.floor(start / sectorBytes); at * sectorBytes < end; at++) this.#inode.unsynced.add(at)
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new KhazanaError('closed', `${this.#name} is closed`)
  }
}

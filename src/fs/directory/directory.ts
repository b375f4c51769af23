import { FsError } from '../errno.js'
import { viewOf } from '../layout/fields.js'
import type { Inode } from '../layout/inode.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { Entries, entryBytes } from './entries.js'
import type { DirectoryEntry } from './entries.js'
import { hashBits, nameHash, sameHashMax } from './name-hash.js'

/** What a page of a directory is, in its first byte. A page that was never written is `absent`. */
const absent = 0
const leaf = 1
const split = 2
/** Bytes before the entries of a leaf: what it is, 3 that are 0, how many bytes are in use. */
const leafHeadBytes = 8

/** Page 1 is the whole of it. */
const rootPage = 1
const depthMax = hashBits

type NewEntry = Omit<DirectoryEntry, 'name' | 'position'>

/**
 * A directory's names. Few are in the tail of its inode; more are in a tree of pages, in which the bits of a name's hash say where it is: page 1 has all
 * of them until it is full, then pages 2 and 3 have those that begin with 0 and with 1, and so on: below page `n` are `2n` and `2n + 1`. So the page of a
 * name follows from its hash and the depth alone, without any table; and the depth is nearly the same everywhere, so that the first look nearly always hits.
 *
 *                    1: split
 *           2: split         3: leaf 1...
 *    4: leaf 00...  5: leaf 01...
 *
 * Leaves from left to right are in the order of hashes, which is that of listing; what is split keeps its order, so that a listing goes on where it was,
 * whatever was added or removed meanwhile. Rejected: a tree of names in their order, whose pages must be found from its root and balanced.
 */
export class Directory {
  readonly #attempt: Attempt
  readonly #region: FsRegion
  readonly #inode: Inode
  /** Where storage ends when what was asked for is done. */
  #grown = 0

  /** The inode's page must have been asked for to be written, if anything is to be changed. */
  constructor(attempt: Attempt, region: FsRegion, inode: Inode) {
    this.#attempt = attempt
    this.#region = region
    this.#inode = inode
  }

  /** Throws `Miss`. */
  find(name: Uint8Array): DirectoryEntry | undefined {
    const hash = nameHash(name, this.#inode.hashSeed)
    if (this.#inode.isInTail) return this.#inTail().find(name, hash)
    const { page } = this.#leafOf(hash)
    const bytes = this.#read(page)
    return bytes === undefined ? undefined : entriesOf(bytes).find(name, hash)
  }

  /** Asks for all pages that are needed to add a name that is not there; what it answers does it. Throws `Miss`, `ENOSPC`. */
  toAdd(name: Uint8Array): (entry: NewEntry) => void {
    const add = this.#toAdd(name)
    return (entry) => {
      add(entry)
      this.#inode.entries += 1
      if (this.#grown > this.#inode.allocatedEnd) this.#inode.allocatedEnd = this.#grown
      if (!this.#inode.isInTail) this.#inode.size = (this.#inode.allocatedEnd - 1) * this.#region.pageSize
    }
  }

  #toAdd(name: Uint8Array): (entry: NewEntry) => void {
    const hash = nameHash(name, this.#inode.hashSeed)
    if (this.#inode.isInTail) {
      if (this.#inTail().fits(name))
        return (entry) => {
          const entries = this.#inTail()
          entries.add(name, hash, entry)
          this.#inode.tailBytes = entries.used
        }
      return this.#toAddAfterMove(name, hash)
    }
    const place = this.#leafOf(hash)
    const plan = this.#planSplits(this.#all(place.page), place, name, hash)
    return (entry) => {
      plan()(entry)
    }
  }

  /** To make room in the inode's page: what is in the tail goes to a page. Throws `Miss`. */
  toLeaveTail(): () => void {
    if (!this.#inode.isInTail) return () => undefined
    const moved = [...this.#inTail().all()]
    const bytes = this.#writable(rootPage)
    return () => {
      fill(bytes, moved)
      this.#inode.isInTail = false
      this.#inode.tailBytes = 0
      this.#inode.allocatedEnd = Math.max(this.#inode.allocatedEnd, this.#grown)
    }
  }

  /** The same to remove one that is there, when it is done: whatever was added to the directory in between. */
  toRemove(name: Uint8Array): () => void {
    const change = this.#toChange(name)
    return () => {
      change((entries, hash) => {
        entries.remove(name, hash)
      })
      this.#inode.entries -= 1
    }
  }

  /** The same to let one that is there mean something else. */
  toReplace(name: Uint8Array): (entry: NewEntry) => void {
    const change = this.#toChange(name)
    return (entry) => {
      change((entries, hash) => {
        entries.replace(name, hash, entry)
      })
    }
  }

  #toChange(name: Uint8Array): (how: (entries: Entries, hash: number) => void) => void {
    const hash = nameHash(name, this.#inode.hashSeed)
    const place = this.#inode.isInTail ? { page: rootPage, depth: 0, hash } : this.#leafOf(hash)
    if (!this.#inode.isInTail) this.#attempt.write(this.#region, place.page)
    return (how) => {
      if (this.#inode.isInTail) {
        const entries = this.#inTail()
        how(entries, hash)
        this.#inode.tailBytes = entries.used
        return
      }
      // What was added may have split the leaf: the parts are held, too.
      let { page, depth } = place
      let bytes = this.#attempt.write(this.#region, page)
      while (bytes[0] === split) {
        depth += 1
        page = pageAt(hash, depth)
        bytes = this.#attempt.write(this.#region, page)
      }
      const entries = entriesOf(bytes)
      how(entries, hash)
      setUsed(bytes, entries.used)
    }
  }

  /** Entries behind a position, in their order: those of a page at least, unless there are no more. -1 is before all. Throws `Miss`. */
  list(behind: number): readonly DirectoryEntry[] {
    if (this.#inode.isInTail) return sorted([...this.#inTail().all()], behind)
    let hash = behind < 0 ? 0 : Math.floor(behind / sameHashMax)
    for (;;) {
      const place = this.#leafOf(hash)
      const bytes = this.#read(place.page)
      const found = bytes === undefined ? [] : sorted([...entriesOf(bytes).all()], behind)
      if (found.length > 0) return found
      const next = firstBehind(place)
      if (next === undefined) return []
      hash = next
    }
  }

  #inTail(): Entries {
    return new Entries(this.#inode.tail, this.#inode.tailBytes)
  }

  #all(page: number): DirectoryEntry[] {
    const bytes = this.#read(page)
    return bytes === undefined ? [] : [...entriesOf(bytes).all()]
  }

  /** Undefined for a page that has never been one. */
  #read(page: number): Uint8Array | undefined {
    if (page >= this.#inode.allocatedEnd) return undefined
    const bytes = this.#attempt.read(this.#region, page)
    return bytes?.[0] === absent ? undefined : bytes
  }

  #leafOf(hash: number): Place {
    let depth = this.#region.directoryDepth
    let page = pageAt(hash, depth)
    let bytes = this.#read(page)
    while (bytes === undefined && depth > 0) {
      depth -= 1
      page = pageAt(hash, depth)
      bytes = this.#read(page)
    }
    while (bytes?.[0] === split && depth < depthMax) {
      depth += 1
      page = pageAt(hash, depth)
      bytes = this.#read(page)
    }
    this.#region.directoryDepth = depth
    return { page, depth, hash }
  }

  /** All in the tail goes to page 1, and as deep as it must. */
  #toAddAfterMove(name: Uint8Array, hash: number): (entry: NewEntry) => void {
    const place: Place = { page: rootPage, depth: 0, hash }
    const moved = [...this.#inTail().all()]
    const plan = this.#planSplits(moved, place, name, hash, true)
    return (entry) => {
      this.#inode.isInTail = false
      this.#inode.tailBytes = 0
      plan()(entry)
    }
  }

  /**
   * Asks for the leaf, and where it is too full for the name, for those that it is split into, down to one that has room. What it answers carries it out, and
   * then answers what adds the name.
   */
  #planSplits(
    entries: readonly DirectoryEntry[],
    { page, depth }: Place,
    name: Uint8Array,
    hash: number,
    isNew = false,
  ): () => (entry: NewEntry) => void {
    const { pageSize } = this.#region
    const room = pageSize - leafHeadBytes
    const used = entries.reduce((total, one) => total + entryBytes(one.name), 0)
    if (used + entryBytes(name) <= room) {
      const bytes = this.#writable(page)
      return () => {
        const leafEntries = isNew ? fill(bytes, entries) : entriesOf(bytes)
        return (entry) => {
          leafEntries.add(name, hash, entry)
          setUsed(bytes, leafEntries.used)
        }
      }
    }
    if (depth === depthMax) throw new FsError('ENOSPC', 'too many names of the directory have the same hash')
    const isRight = (position: number): boolean => bitAt(Math.floor(position / sameHashMax), depth)
    const left = entries.filter(({ position }) => !isRight(position))
    const right = entries.filter(({ position }) => isRight(position))
    const bytes = this.#writable(page)
    const goesRight = bitAt(hash, depth)
    const [near, far] = goesRight ? [right, left] : [left, right]
    const farBytes = this.#writable(goesRight ? 2 * page : 2 * page + 1)
    const child = { page: goesRight ? 2 * page + 1 : 2 * page, depth: depth + 1, hash }
    const rest = this.#planSplits(near, child, name, hash, true)
    return () => {
      bytes.fill(0)
      bytes[0] = split
      fill(farBytes, far)
      return rest()
    }
  }

  #writable(page: number): Uint8Array {
    const { allocatedEnd } = this.#inode
    if (page >= allocatedEnd) {
      // A level at a time, as they fill at nearly the same time; a leaf that is far deeper than the rest has its two pages alone.
      const levelEnd = 2 ** (Math.floor(Math.log2(page)) + 1)
      const isNext = page < allocatedEnd * 2 + 2
      const [first, count] = isNext ? [allocatedEnd, levelEnd - allocatedEnd] : [page - (page % 2), 2]
      this.#attempt.allocate(this.#region, first, count)
      this.#grown = Math.max(this.#grown, first + count)
    }
    return this.#attempt.write(this.#region, page)
  }
}

interface Place {
  readonly page: number
  readonly depth: number
  readonly hash: number
}

/** Where names with this hash are, if the tree is that deep there. */
function pageAt(hash: number, depth: number): number {
  return 2 ** depth + Math.floor(hash / 2 ** (hashBits - depth))
}

function bitAt(hash: number, depth: number): boolean {
  return Math.floor(hash / 2 ** (hashBits - 1 - depth)) % 2 === 1
}

/** The least hash that is beyond a leaf. */
function firstBehind({ depth, hash }: Place): number | undefined {
  const width = 2 ** (hashBits - depth)
  const next = (Math.floor(hash / width) + 1) * width
  return next >= 2 ** hashBits ? undefined : next
}

function entriesOf(bytes: Uint8Array): Entries {
  if (bytes[0] !== leaf) throw new FsError('EIO', 'a directory is damaged: a page is no leaf')
  return new Entries(bytes.subarray(leafHeadBytes), viewOf(bytes).getUint32(4))
}

function setUsed(bytes: Uint8Array, used: number): void {
  viewOf(bytes).setUint32(4, used)
}

/** Makes the page a leaf with just these. */
function fill(bytes: Uint8Array, entries: readonly DirectoryEntry[]): Entries {
  bytes.fill(0)
  bytes[0] = leaf
  const made = new Entries(bytes.subarray(leafHeadBytes), 0)
  for (const entry of entries) made.addAt(entry.name, entry.position, entry)
  setUsed(bytes, made.used)
  return made
}

function sorted(entries: readonly DirectoryEntry[], behind: number): DirectoryEntry[] {
  return entries.filter(({ position }) => position > behind).sort((a, b) => a.position - b.position)
}

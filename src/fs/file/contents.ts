import { FsError } from '../errno.js'
import type { Inode } from '../layout/inode.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { fileBytesMax, growthPagesMax } from './limits.js'

/** The first page of a file's region that is not its inode. */
const firstDataPage = 1

/** The page of the region in which a byte of the file is, where it is not in the tail. */
export function pageOfByte(offset: number, pageSize: number): number {
  return firstDataPage + Math.floor(offset / pageSize)
}

/** The byte of the file with which a page of the region begins. */
export function byteOfPage(page: number, pageSize: number): number {
  return (page - firstDataPage) * pageSize
}

/**
 * The bytes of a file or a symbolic link: in the tail of the inode where they fit there, else in the pages behind it, byte by byte at its place: there is no
 * table of blocks, as the region is as large as the largest file. Pages get storage when they are written.
 */
export class Contents {
  readonly #attempt: Attempt
  readonly #region: FsRegion
  readonly #inode: Inode

  constructor(attempt: Attempt, region: FsRegion, inode: Inode) {
    this.#attempt = attempt
    this.#region = region
    this.#inode = inode
  }

  /** A copy of at most `length` bytes: fewer where the file ends. Throws `Miss`. */
  read(offset: number, length: number): Uint8Array {
    const { size, isInTail, tailBytes, allocatedEnd } = this.#inode
    const into = new Uint8Array(Math.max(0, Math.min(length, size - offset)))
    if (into.length === 0) return into
    if (isInTail) {
      into.set(
        this.#inode.tail.subarray(Math.min(offset, tailBytes), Math.min(offset + into.length, tailBytes)),
      )
      return into
    }
    const { pageSize } = this.#region
    const stored = Math.min(into.length, byteOfPage(allocatedEnd, pageSize) - offset)
    if (stored > 0)
      this.#attempt.copyOut(this.#region, firstDataPage * pageSize + offset, into.subarray(0, stored))
    return into
  }

  /**
   * Asks for all pages that are needed; what it answers writes, which the inode's page must have been asked for, too. Beyond `size` everything must be zeros:
   * `Inode.residueEnd`. Throws `Miss`, `EFBIG`.
   */
  toWrite(offset: number, bytes: Uint8Array): () => void {
    const end = offset + bytes.length
    if (end > fileBytesMax) throw new FsError('EFBIG', `a file has at most ${fileBytesMax} bytes`)
    if (bytes.length === 0) return () => undefined
    if (this.#inode.isInTail && end <= this.#inode.tail.length) {
      return () => {
        const { tail, tailBytes } = this.#inode
        if (offset > tailBytes) tail.fill(0, tailBytes, offset)
        tail.set(bytes, offset)
        this.#inode.tailBytes = Math.max(tailBytes, end)
        this.#noteEnd(end)
      }
    }
    const moved = this.#toMoveOut()
    const storage = this.#toStore(
      pageOfByte(offset, this.#region.pageSize),
      pageOfByte(end - 1, this.#region.pageSize),
    )
    const pieces = this.#pagesOf(offset, end)
    return () => {
      moved()
      storage()
      place(pieces, offset % this.#region.pageSize, bytes)
      this.#noteEnd(end)
    }
  }

  /** The same to cut the file off, or to let it end further on, with zeros. */
  toTruncate(size: number): () => void {
    if (size > fileBytesMax) throw new FsError('EFBIG', `a file has at most ${fileBytesMax} bytes`)
    const { size: before, isInTail } = this.#inode
    if (size >= before) {
      return () => {
        if (size > before) this.#inode.becomeSparse()
        this.#noteEnd(size)
      }
    }
    if (isInTail) {
      return () => {
        const { tail, tailBytes } = this.#inode
        if (size < tailBytes) tail.fill(0, size, tailBytes)
        this.#inode.tailBytes = Math.min(size, tailBytes)
        this.#inode.size = size
        this.#inode.residueEnd = size
      }
    }
    const { pageSize } = this.#region
    const cut = this.toZero(size, Math.min(before, Math.ceil(size / pageSize) * pageSize))
    return () => {
      cut()
      this.#inode.size = size
      // What is in pages behind is taken away later.
      const isAllGone =
        Math.ceil(size / pageSize) >= Math.ceil(Math.max(before, this.#inode.residueEnd) / pageSize)
      this.#inode.residueEnd = isAllGone ? size : Math.max(before, this.#inode.residueEnd)
    }
  }

  /** The same to make a range within the file zeros, which has storage or not; at most as long as what one operation may write. */
  toZero(from: number, to: number): () => void {
    if (to <= from) return () => undefined
    const { pageSize } = this.#region
    if (this.#inode.isInTail) {
      return () => {
        const { tail, tailBytes } = this.#inode
        tail.fill(0, Math.min(from, tailBytes), Math.min(to, tailBytes))
      }
    }
    const zeroings: (() => void)[] = []
    for (let at = from; at < to;) {
      const page = pageOfByte(at, pageSize)
      const end = Math.min(to, byteOfPage(page + 1, pageSize))
      const start = at % pageSize
      const length = end - at
      at = end
      if (page >= this.#inode.allocatedEnd || this.#attempt.read(this.#region, page) === undefined) continue
      const bytes = this.#attempt.write(this.#region, page)
      zeroings.push(() => bytes.fill(0, start, start + length))
    }
    return () => {
      for (const zero of zeroings) zero()
    }
  }

  /** The same to give the range storage, as `fallocate` does; so many pages of it are holes, before where storage ends. */
  toAllocate(from: number, to: number, holes: number): () => void {
    if (to > fileBytesMax) throw new FsError('EFBIG', `a file has at most ${fileBytesMax} bytes`)
    const moved = this.#inode.isInTail ? this.#toMoveOut() : () => undefined
    const { pageSize } = this.#region
    const [first, last] = [pageOfByte(from, pageSize), pageOfByte(to - 1, pageSize)]
    this.#attempt.allocate(this.#region, first, last + 1 - first)
    return () => {
      moved()
      if (first > this.#inode.allocatedEnd) this.#inode.becomeSparse()
      const { allocatedEnd } = this.#inode
      this.#inode.allocatedEnd = Math.max(allocatedEnd, last + 1)
      this.#count(first, last, { allocatedEnd, filled: holes })
    }
  }

  /** To make room in the inode's page: what is in the tail goes to pages. Throws `Miss`. */
  toLeaveTail(): () => void {
    return this.#inode.isInTail ? this.#toMoveOut() : () => undefined
  }

  #noteEnd(end: number): void {
    if (end <= this.#inode.size) return
    this.#inode.size = end
    this.#inode.residueEnd = end
  }

  /** What is in the tail moves to the first pages. */
  #toMoveOut(): () => void {
    if (!this.#inode.isInTail) return () => undefined
    const { tailBytes } = this.#inode
    if (tailBytes === 0) {
      return () => {
        this.#inode.isInTail = false
      }
    }
    const storage = this.#toStore(firstDataPage, pageOfByte(tailBytes - 1, this.#region.pageSize))
    const pieces = this.#pagesOf(0, tailBytes)
    return () => {
      const { tail } = this.#inode
      storage()
      place(pieces, 0, tail.subarray(0, tailBytes))
      tail.fill(0, 0, tailBytes)
      this.#inode.isInTail = false
      this.#inode.tailBytes = 0
    }
  }

  /** Storage for these pages, and some ahead where the file grows page by page. */
  #toStore(first: number, last: number): () => void {
    const { allocatedEnd, isSparse } = this.#inode
    const filled = isSparse
      ? this.#attempt.filledHoles(this.#region, first, Math.min(last + 1, allocatedEnd) - first)
      : 0
    if (last < allocatedEnd) {
      return () => {
        this.#count(first, last, { allocatedEnd, filled })
      }
    }
    const isNext = first <= allocatedEnd
    const from = isNext ? allocatedEnd : first
    const ahead = isNext && !isSparse ? Math.min(allocatedEnd, growthPagesMax) : 0
    const end = Math.min(last + 1 + ahead, pageOfByte(fileBytesMax, this.#region.pageSize))
    this.#attempt.allocate(this.#region, from, end - from)
    return () => {
      if (!isNext) this.#inode.becomeSparse()
      this.#inode.allocatedEnd = Math.max(this.#inode.allocatedEnd, end)
      this.#count(first, last, { allocatedEnd, filled })
    }
  }

  /** These pages are in use, of which `filled` were holes, before where storage ended. */
  #count(
    first: number,
    last: number,
    { allocatedEnd, filled }: { readonly allocatedEnd: number; readonly filled: number },
  ): void {
    const { isSparse, storedPages } = this.#inode
    this.#inode.storedPages = isSparse
      ? storedPages + filled + Math.max(0, last + 1 - Math.max(first, allocatedEnd))
      : Math.max(storedPages, last + 1 - firstDataPage)
  }

  #pagesOf(from: number, to: number): Uint8Array[] {
    const { pageSize } = this.#region
    const first = pageOfByte(from, pageSize)
    return this.#attempt.writeRun(this.#region, first, pageOfByte(to - 1, pageSize) + 1 - first)
  }
}

/** Puts the bytes into pieces of memory that follow each other, from `start` of the first on. */
function place(pieces: readonly Uint8Array[], start: number, bytes: Uint8Array): void {
  let at = start
  let done = 0
  for (const piece of pieces) {
    if (at >= piece.length) {
      at -= piece.length
      continue
    }
    const count = Math.min(piece.length - at, bytes.length - done)
    piece.set(bytes.subarray(done, done + count), at)
    done += count
    at = 0
    if (done === bytes.length) return
  }
}

import type { Region } from '../../client/region.js'
import { assert } from '../../stdx/assert.js'
import { FsError } from '../errno.js'
import { HeldPages } from './fs-region.js'
import type { FsRegion } from './fs-region.js'
import type { Lock } from './lock.js'
import { Miss } from './miss.js'
import type { Need, PagesNeed } from './miss.js'
import { overlap } from './page-order.js'

/** Pages of one region that are known to have no storage at this moment, and so are zeros. */
export interface Hole {
  readonly region: FsRegion
  readonly page: number
}

/** Pages that have got storage for this operation. */
export interface Allocated {
  readonly region: FsRegion
  readonly first: number
  readonly count: number
}

/** What an attempt may begin with, as it had to be waited for. The locks are its own until it ends. */
export interface Beforehand {
  readonly locks: readonly { readonly region: FsRegion; readonly lock: Lock }[]
  readonly holes: readonly Hole[]
  readonly allocated: readonly Allocated[]
}

export const nothingBeforehand: Beforehand = { locks: [], holes: [], allocated: [] }

/**
 * One run of an operation: a plain function that looks at pages, then changes some, without ever waiting. What is not at hand ends it with a `Miss`;
 * it is then brought, and the operation is run again from its beginning. So an operation asks for all pages before it changes the first, which is checked.
 *
 * What is read stays locked until the end of the run, what is changed until the release of the batch that the run becomes part of: so
 * that nobody ever sees half of it.
 */
export class Attempt {
  readonly #reading: { readonly region: FsRegion; readonly lock: Lock }[]
  readonly #taken: HeldPages[] = []
  readonly #holes: readonly Hole[]
  readonly #allocated: readonly Allocated[]
  #isChanging = false
  #next: PagesNeed | undefined

  constructor({ locks, holes, allocated }: Beforehand) {
    this.#reading = locks.filter(({ lock }) => lock.mode === 'read')
    for (const { region, lock } of locks) if (lock.mode !== 'read') this.#hold(region, lock)
    this.#holes = holes
    this.#allocated = allocated
  }

  /** These pages will be needed, if they have storage still: so that they need not be waited for after the first ones. */
  expect(region: FsRegion, first: number, count: number, mode: 'read' | 'write'): void {
    const there = Math.min(count, region.storageEnd - first)
    if (there > 0 && !region.held.has(first))
      this.#next = { kind: 'pages', region, first, count: there, mode }
  }

  /** The page's bytes, which are not to be changed, until the end of the run; undefined where it has no storage. Throws `Miss`. */
  read(region: FsRegion, page: number): Uint8Array | undefined {
    const held = region.held.get(page)
    if (held !== undefined) return part(held, region, page)
    const lock = this.#readLock(region, page, 1)
    if (lock === undefined) return undefined
    const { pageSize } = region
    return lock.map(page * pageSize, pageSize)
  }

  /** The same for pages that have storage. Throws also `EIO`. */
  pageOf(region: FsRegion, page: number): Uint8Array {
    const bytes = this.read(region, page)
    if (bytes === undefined) throw new FsError('EIO', 'a page of the file system has no storage')
    return bytes
  }

  /** Copies bytes of the region to `into`; zeros where there is no storage. Throws `Miss`. */
  copyOut(region: FsRegion, offset: number, into: Uint8Array): void {
    const { pageSize } = this.#sized(region)
    let done = 0
    while (done < into.length) {
      const page = Math.floor((offset + done) / pageSize)
      const start = (offset + done) % pageSize
      const run = this.#runOf(region, page, Math.ceil((start + into.length - done) / pageSize))
      const bytes = Math.min(run.count * pageSize - start, into.length - done)
      const target = into.subarray(done, done + bytes)
      if (run.held !== undefined) {
        const at = (page - run.held.first) * pageSize + start
        target.set(run.held.bytes.subarray(at, at + bytes))
      } else {
        const lock = this.#readLock(region, page, run.count)
        if (lock === undefined) target.fill(0)
        else lock.read(page * pageSize + start, bytes, target)
      }
      done += bytes
    }
  }

  /** The bytes of a page that is to be changed: not before all pages have been asked for. Throws `Miss`. */
  write(region: FsRegion, page: number): Uint8Array {
    return this.writeRun(region, page, 1)[0] ?? new Uint8Array(0)
  }

  /** The same for several pages: their bytes in order, in one or several pieces, of whole pages each. Throws `Miss`. */
  writeRun(region: FsRegion, first: number, count: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    for (let page = first; page < first + count;) {
      const run = this.#runOf(region, page, first + count - page)
      const held = run.held ?? this.#take(region, page, run.count)
      const start = (page - held.first) * region.pageSize
      pieces.push(held.bytes.subarray(start, start + run.count * region.pageSize))
      page += run.count
    }
    return pieces
  }

  /** These pages are to have storage: what has none yet is zeros then. Throws `Miss`. */
  allocate(region: FsRegion, first: number, count: number): void {
    const isDone = this.#allocated.some(
      (one) => one.region === region && one.first <= first && one.first + one.count >= first + count,
    )
    if (isDone) return
    this.#sized(region)
    throw this.#missing({ kind: 'storage', region, first, count })
  }

  /** How many of these pages were holes, and have got storage for this operation. */
  filledHoles(region: FsRegion, first: number, count: number): number {
    let filled = 0
    for (const one of this.#allocated) {
      if (one.region !== region) continue
      filled += Math.max(0, Math.min(one.first + one.count, first + count) - Math.max(one.first, first))
    }
    return filled
  }

  /** All pages have been asked for: from here on something changes. */
  change(): void {
    this.#isChanging = true
  }

  /** Anything else that has to be waited for. */
  await(call: () => Promise<void>): never {
    throw this.#missing({ kind: 'call', call })
  }

  /** The run has come to its end. Answers what it has changed, which is locked still. */
  finish(): readonly HeldPages[] {
    this.#endReading()
    if (!this.#isChanging) {
      this.#giveBack(this.#taken)
      return []
    }
    this.#giveBack(this.#taken.filter(({ isUsed }) => !isUsed))
    return this.#taken.filter(({ isUsed }) => isUsed)
  }

  /** The run has failed, before it has changed anything. */
  abandon(): void {
    this.#endReading()
    this.#giveBack(this.#taken)
  }

  /** Whether it must not be run again. */
  get isChanging(): boolean {
    return this.#isChanging
  }

  /** How many pages from this one on are held, in one piece, or are not, up to `count`. */
  #runOf(
    region: FsRegion,
    page: number,
    count: number,
  ): { readonly held: HeldPages | undefined; readonly count: number } {
    const held = region.held.get(page)
    if (held !== undefined) return { held, count: Math.min(count, held.first + held.count - page) }
    let length = 1
    while (length < count && !region.held.has(page + length) && !this.#isHole(region, page + length))
      length += 1
    return { held, count: this.#isHole(region, page) ? 1 : length }
  }

  #isHole(region: FsRegion, page: number): boolean {
    return this.#holes.some((hole) => hole.region === region && hole.page === page)
  }

  /** Undefined for a hole. */
  #readLock(region: FsRegion, first: number, count: number): Lock | undefined {
    if (count === 1 && this.#isHole(region, first)) return undefined
    const { handle, pageSize } = this.#sized(region)
    const range = { offset: first * pageSize, length: count * pageSize }
    const known = this.#reading.find(
      (one) =>
        one.region === region && one.lock.first <= first && one.lock.first + one.lock.count >= first + count,
    )
    if (known !== undefined) return known.lock
    this.#awaitLeaving(region, first, count)
    const lock = tryLock(region, handle, 'read', range)
    if (lock === undefined) throw this.#missing({ kind: 'pages', region, first, count, mode: 'read' })
    this.#reading.push({ region, lock })
    return lock
  }

  #take(region: FsRegion, first: number, count: number): HeldPages {
    const { handle, pageSize } = this.#sized(region)
    // It was written to before, or is about to be: a hole is no place for that.
    if (this.#isHole(region, first)) throw this.#missing({ kind: 'storage', region, first, count })
    this.#awaitLeaving(region, first, count)
    this.#endReadingOf(region, first, count)
    const range = { offset: first * pageSize, length: count * pageSize }
    const lock = tryLock(region, handle, 'write', range)
    if (lock === undefined) throw this.#missing({ kind: 'pages', region, first, count, mode: 'write' })
    return this.#hold(region, lock)
  }

  #awaitLeaving({ leaving }: FsRegion, first: number, count: number): void {
    if (leaving.size === 0) return
    for (let page = first; page < first + count; page++) {
      const ending = leaving.get(page)
      if (ending !== undefined) throw this.#missing({ kind: 'call', call: () => ending })
    }
  }

  #hold(region: FsRegion, lock: Lock): HeldPages {
    const held = new HeldPages(region, lock)
    this.#taken.push(held)
    for (let page = held.first; page < held.first + held.count; page++) region.held.set(page, held)
    return held
  }

  /** What this run reads of these pages it may also write: nobody else comes between. */
  #endReadingOf(region: FsRegion, first: number, count: number): void {
    for (let index = this.#reading.length - 1; index >= 0; index--) {
      const one = this.#reading[index]
      if (one?.region !== region) continue
      if (one.lock.first >= first + count || one.lock.first + one.lock.count <= first) continue
      one.lock.discard()
      this.#reading.splice(index, 1)
    }
  }

  #sized(region: FsRegion): { readonly handle: NonNullable<FsRegion['handle']>; readonly pageSize: number } {
    const { handle, isGone } = region
    if (isGone) throw new FsError('ESTALE', 'the file is no more')
    if (handle === undefined) throw this.#missing({ kind: 'region', region })
    return { handle, pageSize: handle.pageSize }
  }

  #missing(need: Need): Miss {
    assert(!this.#isChanging, 'all pages are asked for before the first is changed')
    const next = this.#next
    return new Miss(
      need,
      need.kind === 'pages' && next !== undefined && !overlap(need, next) ? next : undefined,
    )
  }

  #endReading(): void {
    for (const { lock } of this.#reading) lock.discard()
    this.#reading.length = 0
  }

  #giveBack(taken: readonly HeldPages[]): void {
    for (const { region, lock, first, count } of taken) {
      for (let page = first; page < first + count; page++) region.held.delete(page)
      lock.discard()
    }
  }
}

/** As `Region.tryLock`. Undefined also where the region has ended, which whoever waits for the lock hears of. */
function tryLock(
  region: FsRegion,
  handle: NonNullable<FsRegion['handle']>,
  ...[mode, range]: [Lock['mode'], Parameters<Region['tryLock']>[1]]
): Lock | undefined {
  try {
    return handle.tryLock(mode, range)
  } catch (reason) {
    region.noteEnd(reason)
    return undefined
  }
}

function part({ first, bytes }: HeldPages, { pageSize }: FsRegion, page: number): Uint8Array {
  return bytes.subarray((page - first) * pageSize, (page - first + 1) * pageSize)
}

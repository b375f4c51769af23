import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { FsEnvironment } from '../environment.js'
import { KeptLock } from '../pages/kept-lock.js'
import type { Lock } from '../pages/lock.js'

/** Pages of the region: files whose numbers have the same remainder share one. */
export const openingsPages = 1024
/** Brought together. */
const broughtPages = 64

interface Opening {
  count: number
  readonly lock: KeptLock | Promise<KeptLock>
}

/**
 * Which files are open, at whichever mount: a file that is open somewhere has a read lock on a page of a region of its own, by the file's number. Who wants to
 * take a file without a name away waits for the write lock on that page; that the lock is had says that nobody has the file open, and those who are dead have
 * lost their locks with their leases. It costs no message to open a file again whose page is still here.
 */
export class Openings {
  readonly #region: Region
  readonly #environment: FsEnvironment
  readonly #open = new Map<number, Opening>()
  readonly #timeoutMs: number
  #isBringing = false

  constructor(region: Region, environment: FsEnvironment, timeoutMs: number) {
    this.#region = region
    this.#environment = environment
    this.#timeoutMs = timeoutMs
  }

  /** The file is open here, once more: for this mount from now on, for all when what it answers resolves. Nothing, where all can know already. */
  open(ino: number): Promise<void> | undefined {
    const page = ino % openingsPages
    const known = this.#open.get(page)
    if (known !== undefined) {
      known.count += 1
      return known.lock instanceof Promise ? known.lock.then(nothing) : undefined
    }
    const range = this.#rangeOf(page)
    const hit = this.#region.tryLock('read', range)
    if (hit !== undefined) {
      this.#open.set(page, { count: 1, lock: this.#keep(page, hit) })
      return undefined
    }
    const lock = this.#region
      .lock('read', range, { timeoutMs: this.#timeoutMs })
      .then((first) => this.#keep(page, first))
    const entry = { count: 1, lock }
    this.#open.set(page, entry)
    this.#bringNext(page)
    return lock.then(nothing, (reason: unknown) => {
      if (this.#open.get(page) === entry) this.#open.delete(page)
      throw reason
    })
  }

  /** Once less. */
  close(ino: number): void {
    const page = ino % openingsPages
    const known = this.#open.get(page)
    if (known === undefined) return
    known.count -= 1
    if (known.count > 0) return
    this.#open.delete(page)
    end(known.lock)
  }

  /** Whether a file on the same page is open here. */
  isOpenHere(ino: number): boolean {
    return this.#open.has(ino % openingsPages)
  }

  /** Runs while nobody has the file open, and answers true; false where that is not possible now. */
  async whileClosed(ino: number, waitMs: number, run: () => Promise<void>): Promise<boolean> {
    if (this.isOpenHere(ino)) return false
    let lock: Lock
    try {
      lock = await this.#region.lock('write', this.#rangeOf(ino % openingsPages), { timeoutMs: waitMs })
    } catch (reason) {
      if (KhazanaError.from(reason).code === 'timeout') return false
      throw reason
    }
    try {
      await run()
      return true
    } finally {
      lock.discard()
    }
  }

  closeAll(): void {
    for (const { lock } of this.#open.values()) end(lock)
    this.#open.clear()
  }

  /** Files that are made one after the other have pages one after the other: it costs one message to have them all here. */
  #bringNext(page: number): void {
    if (this.#isBringing) return
    this.#isBringing = true
    const first = Math.floor(page / broughtPages) * broughtPages
    const { pageSize } = this.#region
    const range = { offset: first * pageSize, length: broughtPages * pageSize }
    this.#region
      .lock('read', range, { timeoutMs: this.#timeoutMs })
      .then((lock) => {
        lock.discard()
      }, nothing)
      .finally(() => {
        this.#isBringing = false
      })
  }

  /** Where a home is lost the file stays open. */
  #keep(page: number, first: Lock): KeptLock {
    const range = this.#rangeOf(page)
    const [region, environment, timeoutMs] = [this.#region, this.#environment, this.#timeoutMs]
    return new KeptLock({ region, mode: 'read', range, environment, timeoutMs }, first)
  }

  #rangeOf(page: number): { readonly offset: number; readonly length: number } {
    const { pageSize } = this.#region
    return { offset: page * pageSize, length: pageSize }
  }
}

function end(lock: KeptLock | Promise<KeptLock>): void {
  if (lock instanceof Promise) lock.then(end, nothing)
  else lock.discard()
}

function nothing(): void {
  // Whoever opened the file hears of what went wrong.
}

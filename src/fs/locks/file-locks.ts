import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import type { FsEnvironment } from '../environment.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { DeadMounts } from './dead-mounts.js'
import { isDeadlock } from './deadlock.js'
import { isSameOwner } from './file-lock.js'
import type { FileLock, LockMount, LockOwner, WaitingLock } from './file-lock.js'
import type { LockPage } from './lock-page.js'
import { LockTable } from './lock-table.js'
import { LockWaiters } from './lock-waiters.js'
import { PageTenure } from './page-tenure.js'

/** Until a home that did not answer is asked again, by those who wait for locks. Milliseconds. */
const againMs = 1000
/** How often those who wait see whether the mounts live that they wait for. Milliseconds. */
const lookMs = 1100

export interface FileLocksOptions {
  readonly mount: LockMount
  readonly page: LockPage
  readonly dead: DeadMounts
  readonly environment: FsEnvironment
  /** Of what waits at this mount for locks on other files, whom an owner waits for. */
  readonly waitsElsewhere: (owner: LockOwner) => readonly LockOwner[]
  /** Nothing of the file is locked here any more, and nobody waits. */
  readonly unused: () => void
}

/** Something to be done with the table, which is not at hand. */
interface Job {
  readonly run: () => void
  readonly failed: (reason: FsError) => void
}

/**
 * The locks on one file, as one mount has to do with them. All mounts have one table, in a page of the file's region (`LockPage`), and whoever has that page locked for
 * writing does with it what its programs ask for, at once and in memory. The table is written down, and the page let go, as soon as somebody else wants it, and after some
 * moments in any case (`PageTenure`); if it is then as it was, there is nothing to write.
 *
 * Who has to wait says so in the table, lets the page go, and takes a lock for reading on it. That is in the way of whoever wants to change the table, so that this mount
 * hears of it, gets out of the way, and asks for the page again: which is in the way of the other one, so that it lets the page go as soon as it has changed it. So nobody asks
 * again and again, and what is given back at one mount is had at the other after what it takes to make one page durable.
 *
 * Rejected: an operation of the `PageRunner` for each lock. After each release of a batch the next lock would wait for the disk, which it has no need of.
 */
export class FileLocks {
  readonly #options: FileLocksOptions
  #mount: LockMount
  /** What this mount was before, to others who took it for dead. */
  readonly #formerly = new Set<number>()
  /** As it was seen last, or as it has become here since. */
  #table = new LockTable()
  readonly #tenure: PageTenure
  #cancelLook: (() => void) | undefined
  /** What was changed last may not be in the table that others see. */
  #isUnsure = false
  readonly #waiters = new LockWaiters()
  readonly #jobs: Job[] = []
  #isWorking = false
  #working: Promise<void> = Promise.resolve()
  #stopWatching: (() => void) | undefined
  #isClosed = false

  constructor(options: FileLocksOptions) {
    this.#options = options
    this.#mount = options.mount
    const { page, environment } = options
    const adopt = this.#adopt.bind(this)
    const lost = (): void => {
      this.#isUnsure = true
    }
    const isInUse = (): boolean => this.#isInUse
    this.#tenure = new PageTenure({ page, environment, adopt, lost, toEnd: this.#work.bind(this), isInUse })
  }

  /** This mount, as others know it. */
  get mount(): LockMount {
    return this.#mount
  }

  /** As it was seen last: what is this mount's own in it is so still. */
  get table(): LockTable {
    return this.#table
  }

  /** Of this mount: who waits. */
  get waiting(): Iterable<WaitingLock> {
    return this.#waiters.locks()
  }

  /** Whether something is to be done that has to wait for the table. */
  get isBusy(): boolean {
    return this.#jobs.length > 0
  }

  /** Whether programs here have locks. */
  get #isInUse(): boolean {
    return this.#table.held.some(({ mount }) => mount.incarnation === this.#mount.incarnation)
  }

  /** Does something with the table as it is at this moment: at once, or when that is at hand. Throws what `change` throws, and `FsError`. */
  run<T>(change: (table: LockTable) => T | Promise<T>): T | Promise<T> {
    if (this.#isClosed) throw new FsError('EIO', 'the file system is not mounted any more')
    if (!this.#isWorking && this.#writeAtOnce()) return this.#apply(change)
    return new Promise<T>((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(this.#apply(change))
        } catch (reason) {
          reject(reason instanceof Error ? reason : new Error(String(reason)))
        }
      }
      this.#jobs.push({ run, failed: reject })
      this.#stopWatching?.()
      this.#work()
    })
  }

  /**
   * Has the lock wait in the table. Resolves when it is had. Throws, at once, `ENOLCK` where the table is full, and `EDEADLK`; rejects with `EINTR` by the signal. Within
   * `run`.
   */
  wait(lock: FileLock, signal: AbortSignal | undefined): Promise<void> {
    if (this.#isDeadlock(lock)) throw deadlock()
    const ticket = this.#waiters.ticket()
    const waiting = { ...lock, ticket }
    if (this.#table.wait(waiting) === 'full') throw tableIsFull()
    return this.#waiters.add(waiting, signal, () => {
      void this.#stopWait(ticket)
    })
  }

  /** Others may have taken this mount for dead, and what it had with it: it has another number from now on, and claims what it had. */
  become(mount: LockMount): void {
    if (mount.incarnation === this.#mount.incarnation) return
    this.#formerly.add(this.#mount.incarnation)
    this.#table.rename(this.#mount.incarnation, mount)
    this.#waiters.become(mount)
    this.#mount = mount
    this.#isUnsure = true
    this.#tenure.drop()
    void this.#lookAgain()
  }

  /** Whose locks stand in the way is asked for, where they are other mounts': they may be dead. */
  inTheWay(locks: readonly FileLock[]): void {
    const { dead } = this.#options
    for (const { incarnation } of new Set(locks.map((lock) => lock.mount))) {
      const one = locks.find((lock) => lock.mount.incarnation === incarnation)?.mount
      if (one === undefined || incarnation === this.#mount.incarnation) continue
      dead.inTheWay(one, () => {
        void this.#lookAgain()
      })
    }
  }

  /** All that this mount has here is given back, and who waits fails. Throws `FsError` where others will have to find out that the mount is over. */
  async close(): Promise<void> {
    this.#waiters.failAll(new FsError('EIO', 'the file system is not mounted any more'))
    try {
      await this.run((table) => {
        table.removeMount(this.#mount.incarnation)
      })
      this.#tenure.end()
      await this.#working
      if (this.#isUnsure) throw new FsError('EIO', 'it could not be written down that locks are given back')
    } finally {
      this.#end()
    }
  }

  // ---- with the table at hand --------------------------------------------------------------------------------------

  #apply<T>(change: (table: LockTable) => T): T {
    this.#bury()
    try {
      return change(this.#table)
    } finally {
      this.#settle()
    }
  }

  /** What mounts have left that are dead. */
  #bury(): void {
    const { dead } = this.#options
    if (dead.isEmpty) return
    for (const { mount } of [...this.#table.held, ...this.#table.waiting])
      if (dead.has(mount)) this.#table.removeMount(mount.incarnation)
  }

  /** Something may have become free. */
  #settle(): void {
    for (const { mount, ticket } of this.#table.grant()) {
      if (mount.incarnation === this.#mount.incarnation) this.#waiters.granted(ticket)
      // It waits for the page.
      else this.#tenure.end()
    }
    if (!this.#isInUse) this.#tenure.noteUnused()
    this.#lookLater()
  }

  /** The page is at hand: the table as it is there. */
  #adopt(found: LockTable, mode: 'read' | 'write'): void {
    const { incarnation } = this.#mount
    const isForgotten = this.#table.hasMount(incarnation) && !found.hasMount(incarnation)
    if (this.#isUnsure || isForgotten) {
      if (mode === 'write') this.#claimAgain(found)
      else void this.#lookAgain()
      return
    }
    this.#table = found
    const tickets = found.waiting.flatMap(({ mount, ticket }) =>
      mount.incarnation === incarnation ? [ticket] : [],
    )
    this.#waiters.grantedBut(new Set(tickets))
  }

  /** What this mount has is not in the table, as a home was lost, or this mount was taken for dead: it is put there again, where nobody else has taken it. */
  #claimAgain(found: LockTable): void {
    const { environment } = this.#options
    const mount = this.#mount
    const before = this.#table
    this.#table = found
    this.#isUnsure = false
    for (const incarnation of [...this.#formerly, mount.incarnation]) found.removeMount(incarnation)
    for (const lock of before.held) {
      if (lock.mount.incarnation !== mount.incarnation) continue
      if (found.conflict(lock) !== undefined || found.set(lock) === 'full')
        environment.warn('a lock on a file was lost', new FsError('ENOLCK', 'another mount has taken it'))
    }
    for (const lock of this.#waiters.locks())
      if (this.#isDeadlock(lock)) this.#waiters.fail(lock.ticket, deadlock())
      else if (found.wait(lock) === 'full') this.#waiters.fail(lock.ticket, tableIsFull())
  }

  /**
   * Whether who waits for the lock would wait for himself: all is seen of those who wait for locks on this file, at any mount, and of those who wait at this mount for others at
   * this mount, on any file. What goes over several files and several mounts is not. Of `flock` nobody asks that.
   */
  #isDeadlock(lock: FileLock): boolean {
    if (lock.kind === 'flock') return false
    const table = this.#table
    const waitsFor = (owner: LockOwner): LockOwner[] => [
      ...table.waiting.flatMap((one) => (isSameOwner(one, owner) ? table.conflicts(one) : [])),
      ...(owner.mount.incarnation === this.#mount.incarnation ? this.#options.waitsElsewhere(owner) : []),
    ]
    return isDeadlock(lock, table.conflicts(lock), waitsFor)
  }

  // ---- what takes its time -----------------------------------------------------------------------------------------

  /** Throws `FsError`. */
  #writeAtOnce(): boolean {
    try {
      return this.#tenure.writeAtOnce()
    } catch (reason) {
      const error = this.#failure(reason)
      this.#work()
      throw error
    }
  }

  /** Does what cannot be done at once, one thing after the other. */
  #work(): void {
    if (this.#isWorking) return
    this.#isWorking = true
    this.#working = this.#workOn()
  }

  /** Never rejects. */
  async #workOn(): Promise<void> {
    const tenure = this.#tenure
    for (;;) {
      if (this.#jobs.length > 0) await this.#doJobs()
      else if (tenure.isToEnd) await this.#writeDown()
      else if (!tenure.isHeld && this.#mustWatch) await this.#watch()
      else break
    }
    this.#isWorking = false
    const isUnused = !tenure.isHeld && this.#waiters.size === 0 && !this.#isUnsure
    if (isUnused && !this.#table.hasMount(this.#mount.incarnation)) this.#end()
  }

  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelLook?.()
    this.#tenure.drop()
    this.#options.unused()
  }

  /** Never rejects. */
  async #doJobs(): Promise<void> {
    try {
      await this.#tenure.write()
    } catch (reason) {
      const error = this.#failure(reason)
      for (const { failed } of this.#jobs.splice(0)) failed(error)
      return
    }
    for (const { run } of this.#jobs.splice(0)) run()
  }

  /** Never rejects. */
  async #writeDown(): Promise<void> {
    try {
      await this.#tenure.writeDown(this.#table)
    } catch {
      // What it has is put there again when the page can be had.
      this.#isUnsure = true
      this.#lookAgainLater()
    }
  }

  /** Waits until others have changed the table. Never rejects. */
  async #watch(): Promise<void> {
    const stop = new AbortController()
    this.#stopWatching = () => {
      stop.abort()
    }
    try {
      await this.#tenure.read(stop.signal)
      if (this.#mustWatch) this.#lookLater()
      else this.#tenure.drop()
    } catch (reason) {
      if (!stop.signal.aborted && this.#failure(reason).code !== 'ESTALE') await this.#pause(stop.signal)
    } finally {
      this.#stopWatching = undefined
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve) => {
      const cancel = this.#options.environment.after(againMs, resolve)
      signal.addEventListener('abort', () => {
        cancel()
        resolve()
      })
    })
  }

  #failure(reason: unknown): FsError {
    const error = reason instanceof FsError ? reason : fsErrorFrom(KhazanaError.from(reason))
    if (error.code === 'ESTALE') {
      // The file is no more, and its locks have gone with it.
      this.#table = new LockTable()
      this.#isUnsure = false
      this.#waiters.failAll(error)
    }
    return error
  }

  // ---- those who wait ----------------------------------------------------------------------------------------------

  /** Whether others may let somebody have a lock who waits here. */
  get #mustWatch(): boolean {
    return this.#waiters.dependOnOthers((lock) => this.#table.conflicts(lock))
  }

  /** Somebody does not want to wait any more: unless it turns out that he has the lock already. Never rejects. */
  async #stopWait(ticket: number): Promise<void> {
    const isInterrupted = new FsError('EINTR', 'the wait for a lock was interrupted')
    try {
      await this.run((table) => {
        if (!this.#waiters.has(ticket)) return
        table.endWait(this.#mount.incarnation, ticket)
        this.#waiters.fail(ticket, isInterrupted)
      })
    } catch {
      if (!this.#waiters.has(ticket)) return
      this.#waiters.fail(ticket, isInterrupted)
      // It is in the table still, and may get the lock: all is put there anew when the page can be had.
      this.#isUnsure = true
      this.#lookAgainLater()
    }
  }

  /** What there is to be done with the table is done without anybody's asking. Never rejects. */
  async #lookAgain(): Promise<void> {
    if (this.#isClosed) return
    try {
      await this.run(() => undefined)
    } catch {
      this.#lookAgainLater()
    }
  }

  #lookAgainLater(): void {
    this.#options.environment.after(againMs, () => {
      void this.#lookAgain()
    })
  }

  /** Others may be dead for whose locks somebody waits. */
  #lookLater(): void {
    if (this.#cancelLook !== undefined || !this.#mustWatch) return
    for (const lock of this.#waiters.locks()) this.inTheWay(this.#table.conflicts(lock))
    this.#cancelLook = this.#options.environment.after(lookMs, () => {
      this.#cancelLook = undefined
      this.#lookLater()
    })
  }
}

function deadlock(): FsError {
  return new FsError('EDEADLK', 'who has the lock waits for one of its own')
}

export function tableIsFull(): FsError {
  return new FsError('ENOLCK', 'the file has as many locks as there is room for')
}

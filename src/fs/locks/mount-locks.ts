import { inodePage } from '../layout/inode.js'
import type { Address } from '../../address/address.js'
import { FsError } from '../errno.js'
import type { FsEnvironment } from '../environment.js'
import type { PageRunner } from '../pages/page-runner.js'

import { DeadMounts } from './dead-mounts.js'
import { FileLocks, tableIsFull } from './file-locks.js'
import { isSameOwner, lockEndMax } from './file-lock.js'
import type { FileLock, LockKind, LockMount, LockOwner, LockType } from './file-lock.js'
import { LockPage } from './lock-page.js'
import type { LockTable } from './lock-table.js'
import type { MountIdentity } from './mount-identity.js'

/** Programs of one mount that wait for locks. */
const waitsMax = 1024
/** Files whose locks are given back at a time when a mount ends. */
const closedAtOnce = 16
/** How often a mount that has locks sees whether it lives, to others. Milliseconds. */
const pulseMs = 1000
const ownerMax = 2n ** 64n - 1n
const pidMax = 2 ** 32 - 1

/** A lock as a program asks for it. */
export interface LockRequest {
  readonly kind: LockKind
  /** Whose it is: 0 to 2^64 - 1. What that stands for is the caller's business: a process, or an open file. */
  readonly owner: bigint
  readonly type: LockType
  /** Bytes, both included, up to 2^63 - 1. Of `flock` it is the whole file, whatever they are. */
  readonly start: bigint
  readonly end: bigint
  /** 0 to 2^32 - 1; others are told. */
  readonly pid: number
}

/** A lock that is in the way. */
export interface LockInTheWay {
  readonly type: LockType
  readonly start: bigint
  readonly end: bigint
  /** On the machine of the mount that has it. */
  readonly pid: number
  readonly isOfThisMount: boolean
}

export interface MountLocksOptions {
  readonly runner: PageRunner
  readonly identity: MountIdentity
  readonly environment: FsEnvironment
  readonly timeoutMs: number
  /** Whether a mount is over. */
  readonly isOver: (mount: LockMount) => Promise<boolean>
}

/** What the programs of one mount have locked, of all files. */
export class MountLocks {
  readonly #options: MountLocksOptions
  readonly #files = new Map<Address, FileLocks>()
  readonly #dead: DeadMounts
  /** As it was last. */
  #mount: LockMount | undefined
  #waits = 0
  #cancelPulse: (() => void) | undefined
  #isClosed = false

  constructor(options: MountLocksOptions) {
    this.#options = options
    this.#dead = new DeadMounts(options.isOver, options.environment)
  }

  /** The lock that begins first of those that keep this one from being had. */
  test(file: Address, request: LockRequest): LockInTheWay | undefined | Promise<LockInTheWay | undefined> {
    check(request)
    return this.#with(file, (locks) =>
      locks.run((table) => {
        const found = table.conflict(lockOf(request, locks.mount))
        if (found === undefined) return undefined
        locks.inTheWay([found])
        const { type, start, end, pid } = found
        return { type, start, end, pid, isOfThisMount: found.mount.incarnation === locks.mount.incarnation }
      }),
    )
  }

  /** Throws `EAGAIN` where another one is in the way, `ENOLCK`. */
  set(file: Address, request: LockRequest): void | Promise<void> {
    check(request)
    return this.#with(file, (locks) =>
      locks.run((table) => {
        const conflicts = take(locks, table, lockOf(request, locks.mount))
        if (conflicts.length === 0) return
        locks.inTheWay(conflicts)
        throw new FsError('EAGAIN', 'another one has the lock')
      }),
    )
  }

  /** Waits until the lock can be had. Throws `EDEADLK`, `ENOLCK`; `EINTR` by the signal. */
  setWait(file: Address, request: LockRequest, signal?: AbortSignal): void | Promise<void> {
    check(request)
    return this.#with(file, (locks) =>
      locks.run((table): void | Promise<void> => {
        const lock = lockOf(request, locks.mount)
        const conflicts = take(locks, table, lock)
        if (conflicts.length === 0) return
        if (signal?.aborted === true) throw new FsError('EINTR', 'the wait for a lock was interrupted')
        if (this.#waits >= waitsMax) throw new FsError('ENOLCK', `${waitsMax} programs wait for locks`)
        const had = locks.wait(lock, signal)
        this.#waits += 1
        return had.finally(() => {
          this.#waits -= 1
        })
      }),
    )
  }

  /** The owner has no lock of this kind in the range. Throws `ENOLCK` where there is no room for the two halves of a lock. */
  clear(file: Address, request: Omit<LockRequest, 'type' | 'pid'>): void | Promise<void> {
    const whole: LockRequest = { ...request, type: 'read', pid: 0 }
    check(whole)
    const locks = this.#files.get(file)
    const { owner, kind } = request
    const own = locks?.table.held.find((one) => isOfOwner(one, locks.mount, kind, owner))
    // What this mount has it knows.
    if (locks === undefined || (own === undefined && !locks.isBusy)) return undefined
    return locks.run((table) => {
      if (table.clear(lockOf(whole, locks.mount)) === 'full') throw tableIsFull()
    })
  }

  /** All is given back. What cannot be now others find to be a dead mount's. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelPulse?.()
    const files = [...this.#files.values()]
    const closeNext = async (): Promise<void> => {
      for (let locks = files.pop(); locks !== undefined; locks = files.pop()) {
        try {
          await locks.close()
        } catch (reason) {
          this.#options.environment.warn('locks of a file are given back when this mount is over', reason)
        }
      }
    }
    await Promise.all(Array.from({ length: closedAtOnce }, closeNext))
  }

  /** Does something with the locks of a file, as the mount that this one is to others by then. */
  #with<T>(file: Address, use: (locks: FileLocks) => T | Promise<T>): T | Promise<T> {
    if (this.#isClosed) throw isOver()
    const mount = this.#options.identity.get()
    if (!(mount instanceof Promise)) return this.#withFile(file, mount, use)
    return mount.then((known) => this.#withFile(file, known, use))
  }

  #withFile<T>(file: Address, mount: LockMount, use: (locks: FileLocks) => T | Promise<T>): T | Promise<T> {
    this.#become(mount)
    const known = this.#files.get(file)
    if (known !== undefined) return use(known)
    const { runner } = this.#options
    const region = runner.region(file)
    const open = (page: LockPage): T | Promise<T> =>
      use(this.#files.get(file) ?? this.#open(file, this.#mount ?? mount, page))
    const page = runner.run((attempt): LockPage => {
      if (attempt.read(region, inodePage) === undefined || region.handle === undefined)
        throw new FsError('ESTALE', 'the file is no more')
      return new LockPage(region.handle, this.#options.timeoutMs)
    })
    return page instanceof Promise ? page.then(open) : open(page)
  }

  #open(file: Address, mount: LockMount, page: LockPage): FileLocks {
    if (this.#isClosed) throw isOver()
    const { environment } = this.#options
    const waitsElsewhere = this.#waitsElsewhere.bind(this, file)
    const unused = (): void => {
      this.#files.delete(file)
    }
    const opened = new FileLocks({ mount, page, dead: this.#dead, environment, waitsElsewhere, unused })
    this.#files.set(file, opened)
    this.#beat()
    return opened
  }

  #become(mount: LockMount): void {
    if (this.#mount === mount) return
    this.#mount = mount
    for (const locks of this.#files.values()) locks.become(mount)
  }

  /** Where others may have taken this mount for dead, what it has is claimed soon, and not only when one of its programs comes. */
  #beat(): void {
    this.#cancelPulse ??= this.#options.environment.after(pulseMs, () => {
      void this.#beatOnce()
    })
  }

  /** Never rejects. */
  async #beatOnce(): Promise<void> {
    try {
      this.#become(await this.#options.identity.get())
    } catch {
      // The others cannot be reached: that is tried again, and whoever wants a lock meanwhile hears of it.
    }
    this.#cancelPulse = undefined
    if (this.#files.size > 0 && !this.#isClosed) this.#beat()
  }

  /** Of what waits here for locks on other files than this one, whom an owner waits for, of this mount. */
  #waitsElsewhere(here: Address, owner: LockOwner): readonly LockOwner[] {
    const found: LockOwner[] = []
    for (const [file, locks] of this.#files) {
      if (file === here) continue
      for (const one of locks.waiting) {
        if (!isSameOwner(one, owner)) continue
        // What others have there may be known no more as it is.
        const { incarnation } = locks.mount
        found.push(...locks.table.conflicts(one).filter(({ mount }) => mount.incarnation === incarnation))
      }
    }
    return found
  }
}

function isOver(): FsError {
  return new FsError('EIO', 'the file system is not mounted any more')
}

/** Takes the lock, or answers what is in the way. Throws `ENOLCK`. */
function take(locks: FileLocks, table: LockTable, lock: FileLock): readonly FileLock[] {
  if (lock.kind === 'flock') {
    const before = table.held.find((one) => isSameOwner(one, lock))
    if (before?.type === lock.type) return []
    // As Linux does: what one has is given up before another is asked for, whatever becomes of that.
    if (before !== undefined) table.clear(lock)
  }
  const conflicts = table.conflicts(lock)
  if (conflicts.length > 0 || table.set(lock) === 'done') return conflicts
  locks.inTheWay(table.held)
  throw tableIsFull()
}

function lockOf({ kind, owner, type, start, end, pid }: LockRequest, mount: LockMount): FileLock {
  if (kind === 'flock') return { kind, mount, owner, type, start: 0n, end: lockEndMax, pid }
  return { kind, mount, owner, type, start, end, pid }
}

function isOfOwner(lock: FileLock, mount: LockMount, kind: LockKind, owner: bigint): boolean {
  return lock.owner === owner && lock.kind === kind && lock.mount.incarnation === mount.incarnation
}

function check({ kind, owner, start, end, pid }: LockRequest): void {
  if (kind === 'posix' && !(start >= 0n && start <= end && end <= lockEndMax))
    throw new FsError('EINVAL', 'a lock is on bytes from 0 to 2^63 - 1')
  if (!(owner >= 0n && owner <= ownerMax)) throw new FsError('EINVAL', 'an owner is a number of 64 bits')
  if (!(pid >= 0 && pid <= pidMax)) throw new FsError('EINVAL', 'a process has a number of 32 bits')
}

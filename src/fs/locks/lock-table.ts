import { areInConflict, isSameOwner } from './file-lock.js'
import type { FileLock, LockMount, LockOwner, LockRange, WaitingLock } from './file-lock.js'
import { bytesNeeded, lockTableBytes } from './lock-table-size.js'

/** `full`: there is no room for what it would become; it has not changed. */
export type Fitting = 'done' | 'full'

/**
 * The locks on one file, of all mounts, and those that are waited for, in the order in which that began. Nothing here knows of time or of messages.
 *
 * Who takes a lock away gives it to those who wait for it (`grant`), on any mount, in the same step: so nobody who takes the same lock again and again keeps others from it.
 */
export class LockTable {
  #held: readonly FileLock[]
  #waiting: readonly WaitingLock[]

  constructor(held: readonly FileLock[] = [], waiting: readonly WaitingLock[] = []) {
    this.#held = held
    this.#waiting = waiting
  }

  get held(): readonly FileLock[] {
    return this.#held
  }

  /** Who waits longest comes first. */
  get waiting(): readonly WaitingLock[] {
    return this.#waiting
  }

  /** All that keep the lock from being had. */
  conflicts(lock: FileLock): readonly FileLock[] {
    return this.#held.filter((one) => areInConflict(one, lock))
  }

  /** The one of them that begins first. */
  conflict(lock: FileLock): FileLock | undefined {
    let first: FileLock | undefined
    for (const one of this.#held)
      if (areInConflict(one, lock) && (first === undefined || one.start < first.start)) first = one
    return first
  }

  /** The owner has the lock: instead of whatever it had there before. Nobody's else may be in conflict with it. */
  set(lock: FileLock): Fitting {
    const { kind, mount, owner, type, pid } = lock
    let { start, end } = lock
    const held: FileLock[] = []
    for (const one of this.#held) {
      if (!isSameOwner(one, lock)) held.push(one)
      else if (one.type === type) {
        // What overlaps or touches becomes one.
        if (one.start > end + 1n || one.end + 1n < start) held.push(one)
        else {
          if (one.start < start) start = one.start
          if (one.end > end) end = one.end
        }
      } else pushOutside(held, one, lock)
    }
    held.push({ kind, mount, owner, type, start, end, pid })
    return this.#become(held, this.#waiting)
  }

  /** The owner has no lock in the range. */
  clear(whose: LockOwner & LockRange): Fitting {
    const held: FileLock[] = []
    for (const one of this.#held)
      if (isSameOwner(one, whose)) pushOutside(held, one, whose)
      else held.push(one)
    return this.#become(held, this.#waiting)
  }

  /** Somebody waits from now on. */
  wait(lock: WaitingLock): Fitting {
    return this.#become(this.#held, [...this.#waiting, lock])
  }

  /** It waits no more. Answers whether it did. */
  endWait(incarnation: number, ticket: number): boolean {
    const waiting = this.#waiting.filter(
      (one) => one.mount.incarnation !== incarnation || one.ticket !== ticket,
    )
    const isFound = waiting.length < this.#waiting.length
    this.#waiting = waiting
    return isFound
  }

  /** All that the mount has, and waits for, is gone. */
  removeMount(incarnation: number): void {
    this.#held = this.#held.filter(({ mount }) => mount.incarnation !== incarnation)
    this.#waiting = this.#waiting.filter(({ mount }) => mount.incarnation !== incarnation)
  }

  /** What a mount has, and waits for, is that of another one. */
  rename(incarnation: number, mount: LockMount): void {
    const renamed = <T extends FileLock>(lock: T): T =>
      lock.mount.incarnation === incarnation ? { ...lock, mount } : lock
    this.#held = this.#held.map(renamed)
    this.#waiting = this.#waiting.map(renamed)
  }

  /** Who waits and can have the lock has it now, whoever waits longest first. Answers these. */
  grant(): readonly WaitingLock[] {
    const granted: WaitingLock[] = []
    for (const one of this.#waiting) {
      if (this.conflict(one) !== undefined) continue
      this.#waiting = this.#waiting.filter((other) => other !== one)
      // There is room: what waits counts as what it may become.
      this.set(one)
      granted.push(one)
    }
    return granted
  }

  /** Whether the mount has, or waits for, anything. */
  hasMount(incarnation: number): boolean {
    const isOfMount = ({ mount }: FileLock): boolean => mount.incarnation === incarnation
    return this.#held.some(isOfMount) || this.#waiting.some(isOfMount)
  }

  #become(held: readonly FileLock[], waiting: readonly WaitingLock[]): Fitting {
    const isMore = held.length > this.#held.length || waiting.length > this.#waiting.length
    if (isMore && bytesNeeded(held, waiting) > lockTableBytes) return 'full'
    this.#held = held
    this.#waiting = waiting
    return 'done'
  }
}

/** What is left of a lock when the range is taken out of it. */
function pushOutside(into: FileLock[], lock: FileLock, { start, end }: LockRange): void {
  if (lock.end < start || lock.start > end) {
    into.push(lock)
    return
  }
  if (lock.start < start) into.push({ ...lock, end: start - 1n })
  if (lock.end > end) into.push({ ...lock, start: end + 1n })
}

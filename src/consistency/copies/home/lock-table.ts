import type { SiteId } from '../../../address/identity.js'
import type { LockMode } from '../../../address/lock-mode.js'
import type { PageRange } from '../../../address/page.js'
import type { LockClaim, LockId } from '../../contract.js'
import { overlaps } from '../message.js'
import type { CopiesPolicy, Turn } from '../policy.js'

/** A lock that takes its turn at the home, from the request to its end. */
export interface TableLock extends Turn {
  readonly owner:
    | {
        readonly kind: 'child'
        readonly child: SiteId
        readonly serial: number
        readonly known: readonly number[]
      }
    | { readonly kind: 'local'; readonly lock: LockId | undefined }
  readonly range: PageRange
  readonly mode: LockMode
  readonly claim: LockClaim
  /** To take storage away: it keeps out everything on its pages, also what takes no turns. */
  readonly isSeizure: boolean
  /** `ending`: its commit is on the way to storage, and others must wait for what that makes of the pages. */
  state: 'waiting' | 'held' | 'ending'
}

/**
 * Who holds and who waits, in the order of arrival. A lock is held once no earlier one conflicts with it, held or waiting:
 * first come, first served, and whoever is in nobody's way passes. As conflicts are symmetric, no later lock can be held
 * that is in the way of an earlier one.
 */
export class LockTable {
  readonly #policy: CopiesPolicy
  /** A set goes through its members in the order in which they came. */
  readonly #locks = new Set<TableLock>()
  /** Those that may have become free to be held. */
  readonly #stirred = new Set<TableLock>()

  constructor(policy: CopiesPolicy) {
    this.#policy = policy
  }

  add(lock: TableLock): void {
    this.#locks.add(lock)
    this.#stirred.add(lock)
  }

  /** Adds one that `isFree`, as held. */
  addHeld(lock: TableLock): void {
    lock.state = 'held'
    this.#locks.add(lock)
  }

  has(lock: TableLock): boolean {
    return this.#locks.has(lock)
  }

  /** Ends the lock, held or waiting. */
  remove(lock: TableLock): void {
    if (!this.#locks.delete(lock)) return
    this.#stirred.delete(lock)
    for (const other of this.#locks) {
      if (other.state === 'waiting' && this.#conflicts(lock, other)) this.#stirred.add(other)
    }
  }

  /** All that wait are to be looked at once more. */
  stir(): void {
    for (const lock of this.#locks) if (lock.state === 'waiting') this.#stirred.add(lock)
  }

  /** Takes those that can be held by now, and marks them so. */
  takeReady(mayHold: (lock: TableLock) => boolean): TableLock[] {
    const ready: TableLock[] = []
    for (const lock of this.#stirred) {
      this.#stirred.delete(lock)
      if (!mayHold(lock) || !this.isFree(lock)) continue
      lock.state = 'held'
      ready.push(lock)
    }
    return ready
  }

  /** Whether no lock that came earlier is in its way; for one that is not in the table, whether none at all is. */
  isFree(lock: TableLock): boolean {
    for (const other of this.#locks) {
      if (other === lock) return true
      if (this.#policy.plantedBug === 'grant-before-release' && other.state === 'held') continue
      if (this.#conflicts(other, lock)) return false
    }
    return true
  }

  #conflicts(a: TableLock, b: TableLock): boolean {
    if (a.isSeizure || b.isSeizure) return overlaps(a.range, b.range)
    return this.#policy.conflicts(a, b)
  }

  [Symbol.iterator](): Iterator<TableLock> {
    return this.#locks.values()
  }
}

import type { FsEnvironment } from '../environment.js'
import type { LockMount } from './file-lock.js'

/** For how long a lock stands in somebody's way before it is asked whether its mount lives, and how often that is asked at most. Milliseconds. */
const firstCheckMs = 1000
const nextCheckMs = 3000
/** What is not in anybody's way any more is forgotten, some time. Mounts. */
const watchedMax = 256

interface Watched {
  readonly since: number
  checked: number | undefined
  isBeingChecked: boolean
}

/** Of which mounts it is known that they are over, as their locks stood in the way of this one. */
export class DeadMounts {
  readonly #isOver: (mount: LockMount) => Promise<boolean>
  readonly #environment: FsEnvironment
  readonly #watched = new Map<number, Watched>()
  readonly #dead = new Set<number>()

  /** `isOver` looks whether a mount lives; it may take its time. */
  constructor(isOver: (mount: LockMount) => Promise<boolean>, environment: FsEnvironment) {
    this.#isOver = isOver
    this.#environment = environment
  }

  /** Nobody has been found dead: the usual case. */
  get isEmpty(): boolean {
    return this.#dead.size === 0
  }

  has({ incarnation }: LockMount): boolean {
    return this.#dead.has(incarnation)
  }

  /**
   * A lock of the mount stands in somebody's way: it is asked whether the mount lives, where it is time for that. Calls back when it has turned out to be
   * dead; else somebody who still waits calls this again, after a second or so.
   */
  inTheWay(mount: LockMount, died: () => void): void {
    const { incarnation } = mount
    if (this.#dead.has(incarnation)) {
      died()
      return
    }
    const now = this.#nowMs()
    const known = this.#watched.get(incarnation)
    // Long ago it may have been another lock; and the time of day may be set back.
    const ageMs = now - (known?.checked ?? known?.since ?? 0)
    const isNews = known === undefined || ageMs > 10 * nextCheckMs || ageMs < 0
    const watched = isNews ? { since: now, checked: undefined, isBeingChecked: false } : known
    if (isNews) this.#watch(incarnation, watched)
    const isDue =
      watched.checked === undefined
        ? now - watched.since >= firstCheckMs
        : now - watched.checked >= nextCheckMs
    if (!isDue || watched.isBeingChecked) return
    watched.checked = now
    watched.isBeingChecked = true
    void this.#check(mount, watched, died)
  }

  /** Never rejects. */
  async #check(mount: LockMount, watched: Watched, died: () => void): Promise<void> {
    try {
      if (!(await this.#isOver(mount))) return
      this.#dead.add(mount.incarnation)
      this.#watched.delete(mount.incarnation)
      died()
    } catch (reason) {
      this.#environment.warn('it could not be found out whether a mount with locks lives', reason)
    } finally {
      watched.isBeingChecked = false
    }
  }

  #watch(incarnation: number, watched: Watched): void {
    this.#watched.delete(incarnation)
    this.#watched.set(incarnation, watched)
    for (const oldest of this.#watched.keys()) {
      if (this.#watched.size <= watchedMax) break
      this.#watched.delete(oldest)
    }
  }

  #nowMs(): number {
    const { seconds, nanoseconds } = this.#environment.now()
    return seconds * 1000 + nanoseconds / 1e6
  }
}

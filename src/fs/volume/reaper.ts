import type { Address } from '../../address/address.js'
import { Inode } from '../layout/inode.js'
import type { FsEnvironment } from '../environment.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { PageRunner } from '../pages/page-runner.js'
import type { Openings } from './openings.js'
import type { Orphans } from './orphans.js'

/** Files that are taken away at a time. */
const atOnceMax = 64
/** How long is waited for a file to be closed elsewhere, before the next is looked at. Milliseconds. */
const waitMs = 100
/** Until a file that is open is looked at again, at first and at most. Milliseconds. */
const againMs = 500
const againMsMax = 60_000
const timeoutMs = 30_000
/** The list is full: until all files are looked at again for that. */
const allAgainSeconds = 5
/** For how long a file stays that may have been found by its name a moment ago, and is about to be opened. Milliseconds. */
const graceMs = 100
/** Files that stay so long, at most: beyond, they go at once. */
const graceMax = 256

interface Orphan {
  readonly region: FsRegion
  readonly ino: number
  /** In the list of orphans. */
  readonly place: number
  tries: number
}

/** Takes files away that have no name any more, once nobody has them open, at any mount; in the background, and again until it is done. */
export class Reaper {
  readonly #runner: PageRunner
  readonly #orphans: Orphans
  readonly #openings: Openings
  readonly #record: FsRegion
  readonly #environment: FsEnvironment
  readonly #queue: Orphan[] = []
  /** They wait until it is durable that they have no name. */
  readonly #unsettled: Orphan[] = []
  #isSettling = false
  readonly #waiting: (() => void)[] = []
  /** When the list was full last, and all in it were looked at for that. Seconds. */
  #allLookedAt = -Infinity
  readonly #later = new Map<Orphan, () => void>()
  readonly #working = new Set<Promise<void>>()
  #isClosed = false

  constructor(
    runner: PageRunner,
    parts: { readonly orphans: Orphans; readonly openings: Openings; readonly record: FsRegion },
    environment: FsEnvironment,
  ) {
    this.#runner = runner
    this.#orphans = parts.orphans
    this.#openings = parts.openings
    this.#record = parts.record
    this.#environment = environment
    this.#orphans.onFull(() => this.#whenRoom())
  }

  /** The file has lost its last name, by something that is not durable yet. */
  add(address: Address, ino: number, place: number): void {
    const orphan = { region: this.#runner.region(address), ino, place, tries: 0 }
    if (this.#later.size < graceMax) this.#workLater(orphan, graceMs)
    else this.#workSoon(orphan)
  }

  /** A file has been closed here: it may be one that waits for that. */
  closed(ino: number): void {
    for (const [orphan, cancel] of this.#later) {
      // One that was never looked at yet has its time still.
      if (orphan.ino !== ino || orphan.tries === 0) continue
      cancel()
      this.#later.delete(orphan)
      this.#workSoon(orphan)
    }
  }

  /** Nothing more is begun. Resolves when what was has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const cancel of this.#later.values()) cancel()
    for (const go of this.#waiting.splice(0)) go()
    await Promise.all(this.#working)
  }

  get #isBusy(): boolean {
    return this.#working.size > 0 || this.#queue.length > 0 || this.#isSettling
  }

  /** Resolves when some file has been taken away, or was looked at in vain; undefined where all have just been. */
  #whenRoom(): Promise<void> | undefined {
    if (this.#isClosed) return undefined
    if (!this.#isBusy) {
      const { seconds } = this.#environment.now()
      if (seconds - this.#allLookedAt < allAgainSeconds) return undefined
      this.#allLookedAt = seconds
      for (const [orphan, cancel] of this.#later) {
        cancel()
        this.#workSoon(orphan)
      }
      this.#later.clear()
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** When it is durable that the file has no name: of all that come meanwhile together. */
  #workSoon(orphan: Orphan): void {
    this.#unsettled.push(orphan)
    if (!this.#isSettling) void this.#settle()
  }

  /** Never rejects. */
  async #settle(): Promise<void> {
    this.#isSettling = true
    while (this.#unsettled.length > 0) {
      // What takes the name away is part of a batch then.
      await Promise.resolve()
      const group = this.#unsettled.splice(0)
      await this.#runner.settled(this.#record)
      this.#queue.push(...group)
      this.#work()
    }
    this.#isSettling = false
  }

  #work(): void {
    while (!this.#isClosed && this.#working.size < atOnceMax) {
      const orphan = this.#queue.shift()
      if (orphan === undefined) return
      const work = this.#reap(orphan).finally(() => {
        this.#working.delete(work)
        this.#waiting.shift()?.()
        this.#work()
        // Nothing more is about to go: each sees for itself.
        if (!this.#isBusy) for (const go of this.#waiting.splice(0)) go()
      })
      this.#working.add(work)
    }
  }

  /** Never rejects. */
  async #reap(orphan: Orphan): Promise<void> {
    const { region, ino, place } = orphan
    try {
      let isOver = !(await this.#isOrphan(region))
      if (!isOver) {
        isOver = await this.#openings.whileClosed(ino, waitMs, async () => {
          await region.handle?.unreserve({ timeoutMs })
        })
        if (isOver) this.#runner.forget(region)
      }
      if (isOver) {
        await this.#runner.run((attempt) => {
          const remove = this.#orphans.toRemove(attempt, place)
          attempt.change()
          remove()
        })
        return
      }
    } catch (reason) {
      if (!this.#isClosed) this.#environment.warn('a file without a name is not taken away yet', reason)
    }
    if (this.#isClosed) return
    orphan.tries += 1
    this.#workLater(orphan, Math.min(againMs * 2 ** Math.min(orphan.tries - 1, 10), againMsMax))
  }

  #workLater(orphan: Orphan, ms: number): void {
    const cancel = this.#environment.after(ms, () => {
      this.#later.delete(orphan)
      this.#workSoon(orphan)
    })
    this.#later.set(orphan, cancel)
  }

  /** What took its name away may have been lost; or it is gone already. */
  async #isOrphan(region: FsRegion): Promise<boolean> {
    try {
      return await this.#runner.run((attempt) => {
        const bytes = attempt.read(region, 0)
        // Without storage it has been begun already.
        if (bytes === undefined) return true
        // It was done, and the address is that of a new region, which is no file yet.
        if (bytes.every((byte) => byte === 0)) return false
        return new Inode(bytes).links === 0
      })
    } catch (reason) {
      if (reason instanceof Error && 'code' in reason && reason.code === 'ESTALE') return false
      throw reason
    }
  }
}

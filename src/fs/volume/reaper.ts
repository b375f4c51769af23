import type { Address } from '../../address/address.js'
import { Inode } from '../layout/inode.js'
import type { FsEnvironment } from '../environment.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { PageRunner } from '../pages/page-runner.js'
import type { Openings } from './openings.js'
import type { Orphans } from './orphans.js'

/** Files that are taken away at a time. */
const atOnceMax = 8
/** How long is waited for a file to be closed elsewhere, before the next is looked at. Milliseconds. */
const waitMs = 100
/** Until a file that is open is looked at again, at first and at most. Milliseconds. */
const againMs = 500
const againMsMax = 60_000
const timeoutMs = 30_000
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
  }

  /** The file has lost its last name, by something that is not durable yet. */
  add(address: Address, ino: number, place: number): void {
    const orphan = { region: this.#runner.region(address), ino, place, tries: 0 }
    if (this.#later.size < graceMax) this.#workLater(orphan, graceMs)
    else {
      this.#queue.push(orphan)
      this.#work()
    }
  }

  /** A file has been closed here: it may be one that waits for that. */
  closed(ino: number): void {
    for (const [orphan, cancel] of this.#later) {
      // One that was never looked at yet has its time still.
      if (orphan.ino !== ino || orphan.tries === 0) continue
      cancel()
      this.#later.delete(orphan)
      this.#queue.push(orphan)
    }
    this.#work()
  }

  /** Nothing more is begun. Resolves when what was has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const cancel of this.#later.values()) cancel()
    await Promise.all(this.#working)
  }

  #work(): void {
    while (!this.#isClosed && this.#working.size < atOnceMax) {
      const orphan = this.#queue.shift()
      if (orphan === undefined) return
      const work = this.#reap(orphan).finally(() => {
        this.#working.delete(work)
        this.#work()
      })
      this.#working.add(work)
    }
  }

  /** Never rejects. */
  async #reap(orphan: Orphan): Promise<void> {
    const { region, ino, place } = orphan
    try {
      await this.#runner.settled(this.#record)
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
      this.#queue.push(orphan)
      this.#work()
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

import type { MapEntry } from '../../location/address-map/map-entry.js'
import { emptyMap } from '../../location/address-map/address-map.js'
import { loadMap } from '../../location/address-map/load.js'
import { mapPageBytes } from '../../location/address-map/map-layout.js'
import type { PageWrite } from '../../location/address-map/page-access.js'
import type { PageSpace } from '../../location/address-map/page-space.js'
import { carryOut, reconcile } from '../../location/address-map/reconcile.js'
import type { MapStep } from '../../location/address-map/reconcile.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { MapRegion } from './map-region.js'

/** Changes that wait to be written. Where more come, the map is compared with the records instead, once. */
const stepsWaitingMax = 10_000
/** How long one page may take. */
const pageMs = 30_000
/** After a failure: how long until the next attempt, at first and at most. */
const retryMsMin = 500
const retryMsMax = 60_000
/** Pages of storage that are added to the map at a time. */
const growPages = 16

export interface PoolMapOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly region: MapRegion
  readonly range: { readonly start: bigint; readonly size: bigint }
  /** Pages of the map's region. */
  readonly pagesMax: number
  /** Gives the region storage up to this page, exclusively; what has some keeps it. */
  readonly allocate: (pages: number) => Promise<void>
  /** What the map is to say, ascending, as of now. */
  readonly wanted: () => Iterable<MapEntry>
}

/**
 * Keeps the map of one pool in step with what the pool's node has on its disk. The disk counts: the map is written behind it,
 * compared with it at every start, and after every failure, and nobody waits for that: a region that is not in the map yet is
 * found by asking the node. Changes that come while others are written go together, a page at a time.
 */
export class PoolMap {
  readonly #options: PoolMapOptions
  #waiting: MapStep[] = []
  /** Whether all that has changed since the records were looked at is in the map, or waits: else they are looked at again. */
  #isFollowing = false
  /** Undefined where the map has not been read. */
  #space: PageSpace | undefined
  #allocated = 0
  #isAtWork = false
  #retry: Timer | undefined
  #retryMs = retryMsMin
  #isStopped = false

  constructor(options: PoolMapOptions) {
    this.#options = options
  }

  /** Whether it says all that it is to say. */
  get isCurrent(): boolean {
    return this.#isFollowing && this.#waiting.length === 0 && !this.#isAtWork
  }

  start(): void {
    void this.#work()
  }

  stop(): void {
    this.#isStopped = true
    this.#retry?.cancel()
  }

  /** The records have changed so: the map follows. */
  add(step: MapStep): void {
    if (this.#waiting.length >= stepsWaitingMax) this.#isFollowing = false
    if (this.#isFollowing) this.#waiting.push(step)
    else this.#waiting = []
    void this.#work()
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    if (this.#isAtWork || this.#isStopped || this.#retry !== undefined) return
    this.#isAtWork = true
    try {
      while (!this.#isDone()) await this.#writeOn()
      this.#retryMs = retryMsMin
    } catch (reason) {
      this.#failed(KhazanaError.from(reason))
    } finally {
      this.#isAtWork = false
    }
  }

  #isDone(): boolean {
    return this.#isStopped || (this.#isFollowing && this.#waiting.length === 0)
  }

  #failed({ code, message, stack }: KhazanaError): void {
    const { clock, logger } = this.#options
    this.#space = undefined
    this.#isFollowing = false
    if (this.#isStopped || code === 'closed') return
    const reason = code === 'internal' ? stack : message
    logger.log('warn', 'the address map could not be written: it is tried again', { code, reason })
    this.#retry = clock.after(this.#retryMs, () => {
      this.#retry = undefined
      void this.#work()
    })
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2)
  }

  async #writeOn(): Promise<void> {
    const space = this.#space ?? (await this.#load())
    this.#space = space
    if (!this.#isFollowing) {
      await this.#write(space, await this.#plan())
      return
    }
    const steps = this.#waiting
    this.#waiting = []
    await this.#write(space, steps)
  }

  /** The map as it is; an empty one where there is none, or none that can be read. */
  async #load(): Promise<PageSpace> {
    const { region, pagesMax, range, logger } = this.#options
    await this.#grow(0)
    try {
      const space = await region.read(loadMap(pagesMax), wait)
      if (space !== undefined) return space
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'damaged') throw error
      logger.log('warn', 'the address map is damaged: it is made anew', { reason: error.message })
    }
    await region.write([{ kind: 'write', page: 0, bytes: emptyMap(range) }], wait)
    return present(await region.read(loadMap(pagesMax), wait), 'a map that was written is there')
  }

  /** What makes the map say what the records do. What changes in these from now on waits as a step. */
  async #plan(): Promise<readonly MapStep[]> {
    const { region, pagesMax, wanted } = this.#options
    this.#isFollowing = true
    this.#waiting = []
    try {
      return await region.read(reconcile([...wanted()], pagesMax), wait)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'damaged') throw error
      // A leaf, which is not read when the map is loaded: the next attempt begins anew.
      await region.write([{ kind: 'write', page: 0, bytes: emptyMap(this.#options.range) }], wait)
      throw error
    }
  }

  /**
   * Steps that change one page each are written together, a page at a time; one that changes several is written by itself, after
   * those before it, in the order that its readers need.
   */
  async #write(space: PageSpace, steps: readonly MapStep[]): Promise<void> {
    const { region } = this.#options
    const news = new Map<number, Uint8Array>()
    const together = new Map<number, PageWrite>()
    const flush = async (): Promise<void> => {
      await this.#put([...together.values()])
      together.clear()
    }
    for (const step of steps) {
      const writes = await region.read(carryOut(space, step), wait, news)
      for (const write of writes) if (write.kind === 'write') news.set(write.page, write.bytes)
      const [only] = writes
      if (only?.kind === 'write' && writes.length === 1) together.set(only.page, only)
      else if (writes.length > 0) {
        await flush()
        await this.#put(writes)
      }
    }
    await flush()
  }

  async #put(writes: readonly PageWrite[]): Promise<void> {
    if (writes.length === 0) return
    await this.#grow(Math.max(...writes.map(({ page }) => page)))
    await this.#options.region.write(writes, wait)
  }

  /** Storage at least up to this page. */
  async #grow(page: number): Promise<void> {
    if (page < this.#allocated) return
    const { pagesMax, allocate } = this.#options
    const pages = Math.min(pagesMax, (Math.floor(page / growPages) + 1) * growPages)
    await allocate(pages)
    this.#allocated = pages
  }
}

const wait = { timeoutMs: pageMs }

/** How many pages a map's region of so many bytes has. */
export function pagesIn(bytes: number): number {
  return Math.floor(bytes / mapPageBytes)
}

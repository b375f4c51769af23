import type { NodeId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { emptyMap } from '../../location/address-map/address-map.js'
import { findInMap } from '../../location/address-map/find.js'
import { loadMap } from '../../location/address-map/load.js'
import { isSameEntry } from '../../location/address-map/map-entry.js'
import type { SubtreeEntry } from '../../location/address-map/map-entry.js'
import { reserveInMap } from '../../location/address-map/reserve.js'
import { updateInMap } from '../../location/address-map/update.js'
import { present } from '../../stdx/assert.js'
import { addressSpaceEnd } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { SpaceReport } from '../../wire/message.js'
import type { MapRegion } from './map-region.js'
import { pagesIn } from './pool-map.js'
import { rootMapBytes } from './system-regions.js'

/** How long one page may take. */
const wait = { timeoutMs: 5000 }
const retryMsMin = 1000
const retryMsMax = 60_000
/** Pools that wait to be entered; of what is over it, nodes tell again at their next report. */
const waitingMax = 10_000

/** Pages of the tree: all but the last of the region. */
export const rootPagesMax = pagesIn(rootMapBytes) - 1
/** The last page, which is none of the tree: whoever changes the map has it for itself meanwhile. */
const turnPage = rootPagesMax

export interface RootMapOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** This node's copy of the region at address 0. Throws, or rejects, where its home is not known, or cannot be reached. */
  readonly region: () => Promise<MapRegion>
  /** Gives pages of the root storage, at its home. */
  readonly allocate: (pages: number) => Promise<void>
}

/**
 * What a cluster manager writes into the root of the address map: which pool has which map, and at which node, as nodes
 * report it. Any node may be the manager, and more than one at a time, so each change is made while the writer has the turn
 * page for itself, on the map as it is then. Where the root's home cannot be reached, it is tried again and again: until then
 * pools are found by hints.
 */
export class RootMap {
  readonly #options: RootMapOptions
  readonly #waiting = new Map<bigint, SubtreeEntry>()
  /** What is known to stand there. */
  readonly #written = new Map<bigint, SubtreeEntry>()
  #isAtWork = false
  #retry: Timer | undefined
  #retryMs = retryMsMin
  #isStopped = false

  constructor(options: RootMapOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
    this.#retry?.cancel()
  }

  get isCurrent(): boolean {
    return this.#waiting.size === 0 && !this.#isAtWork
  }

  /** A node has these pools. */
  reported(node: NodeId, { pools }: SpaceReport): void {
    for (const { start, size, map } of pools) {
      if (map === undefined) continue
      const entry: SubtreeEntry = { kind: 'subtree', start, size, map, homes: [node] }
      const known = this.#waiting.get(start) ?? this.#written.get(start)
      if (known !== undefined && isSameEntry(known, entry)) continue
      if (this.#waiting.size < waitingMax) this.#waiting.set(start, entry)
    }
    void this.#work()
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    if (this.#isAtWork || this.#isStopped || this.#retry !== undefined || this.#waiting.size === 0) return
    this.#isAtWork = true
    try {
      while (this.#waiting.size > 0 && !this.#hasStopped()) await this.#enter([...this.#waiting.values()])
      this.#retryMs = retryMsMin
    } catch (reason) {
      this.#failed(KhazanaError.from(reason))
    } finally {
      this.#isAtWork = false
    }
  }

  #hasStopped(): boolean {
    return this.#isStopped
  }

  #failed({ code, message, stack }: KhazanaError): void {
    const { clock, logger } = this.#options
    if (this.#isStopped || code === 'closed') return
    const reason = code === 'internal' ? stack : message
    logger.log('info', 'the root of the address map could not be written: it is tried again', {
      code,
      reason,
    })
    this.#retry = clock.after(this.#retryMs, () => {
      this.#retry = undefined
      void this.#work()
    })
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2)
  }

  async #enter(entries: readonly SubtreeEntry[]): Promise<void> {
    const { allocate } = this.#options
    const region = await this.#options.region()
    await region.exclusively(turnPage, wait, async () => {
      let space = await region.read(loadMap(rootPagesMax), wait)
      if (space === undefined) {
        const all = { start: 0n, size: addressSpaceEnd }
        await region.write([{ kind: 'write', page: 0, bytes: emptyMap(all) }], wait)
        space = present(await region.read(loadMap(rootPagesMax), wait), 'a map that was written is there')
      }
      for (const entry of entries) {
        const found = await region.read(findInMap(entry.start, rootPagesMax), wait)
        const isThere = found.kind === 'subtree' && found.start === entry.start
        const change = isThere ? updateInMap(space, entry) : reserveInMap(space, entry)
        const writes = await region.read(change, wait)
        const last = Math.max(0, ...writes.map(({ page }) => page))
        if (last > 0) await allocate(last + 1)
        await region.write(writes, wait)
        if (this.#waiting.get(entry.start) === entry) this.#waiting.delete(entry.start)
        this.#written.set(entry.start, entry)
      }
    })
  }
}

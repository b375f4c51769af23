import type { ByteRange } from '../../address/range.js'
import type { PageWrite, Reading } from '../../location/address-map/page-access.js'
import { mapPageBytes } from '../../location/address-map/map-layout.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { LockContext } from '../replica/lock-context.js'
import type { Replica } from '../replica/replica.js'

/** The pages of an address map, reached like those of any other region: under locks, at this site's replica. */
export class MapRegion {
  readonly #replica: () => Replica

  /** `replica`: the one that there is at the moment. */
  constructor(replica: () => Replica) {
    this.#replica = replica
  }

  /** Carries out an algorithm that reads the map. Pages of `news` are as they say. Throws what the algorithm and locks do. */
  async read<T>(reading: Reading<T>, wait: WaitOptions, news?: ReadonlyMap<number, Uint8Array>): Promise<T> {
    let next = reading.next()
    while (next.done !== true) {
      const { page } = next.value
      const bytes = news?.get(page) ?? (await this.#page(page, wait))
      next = reading.next(bytes)
    }
    return next.value
  }

  async #page(page: number, wait: WaitOptions): Promise<Uint8Array> {
    let lock: LockContext
    try {
      lock = await this.#replica().lock('read', rangeOf(page), undefined, wait)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      // A page that was never written is blank.
      if (error.code === 'not-allocated') return new Uint8Array(mapPageBytes)
      throw error
    }
    try {
      return lock.read(page * mapPageBytes, mapPageBytes)
    } finally {
      lock.discard()
    }
  }

  /**
   * Writes the pages, each under a lock of its own, in this order, in which readers see them and the disk has them. Resolves
   * when all are durable. Where it fails, some may have been written, from the first on.
   */
  async write(writes: readonly PageWrite[], wait: WaitOptions): Promise<void> {
    const endings: Promise<void>[] = []
    try {
      for (const { page, ...write } of writes) {
        if (write.kind === 'release') continue
        const lock = await this.#replica().lock('write', rangeOf(page), undefined, wait)
        lock.write(page * mapPageBytes, write.bytes)
        endings.push(lock.unlock())
      }
    } finally {
      await settled(endings)
    }
  }

  /** Does the work while this site has the page, which is no page of the tree, for itself: one writer at a time. */
  async exclusively<T>(page: number, wait: WaitOptions, work: () => Promise<T>): Promise<T> {
    const turn = await this.#replica().lock('write', rangeOf(page), undefined, wait)
    try {
      return await work()
    } finally {
      turn.discard()
    }
  }
}

function rangeOf(page: number): ByteRange {
  return { offset: page * mapPageBytes, length: mapPageBytes }
}

/** Waits for all, and throws the first error. */
async function settled(endings: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(endings)
  for (const end of ends) if (end.status === 'rejected') throw KhazanaError.from(end.reason)
}

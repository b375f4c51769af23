import type { Address } from '../../address/address.js'
import type { FsEnvironment } from '../environment.js'
import { FsError } from '../errno.js'
import { Slots } from '../layout/slots.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { orphansFirstPage, orphansPages } from './mount-record.js'

/** How long is waited for a place in the list, where no file at all goes. Milliseconds. */
const roomMsMax = 5000

/** Files that have no name any more and are to be taken away: a list in the mount's record, so that none is forgotten when the mount dies. */
export class Orphans {
  readonly #record: FsRegion
  readonly #environment: FsEnvironment
  /** Who waits for a place. */
  readonly #waiting = new Set<() => void>()
  /** In use, by number of the whole list. */
  readonly #used = new Set<number>()

  constructor(record: FsRegion, environment: FsEnvironment) {
    this.#record = record
    this.#environment = environment
  }

  /**
   * Asks for a place in the list; what it answers puts the file there, and tells where. Where there is none, as names go faster than their files, that is waited for. Throws
   * `Miss`, `ENOSPC` where none becomes free for long.
   */
  toAdd(attempt: Attempt, address: Address): () => number {
    const perPage = Math.floor(this.#record.pageSize / 16)
    const count = perPage * orphansPages
    // From the front, as the list is short mostly: so it stays on one page.
    let place = 0
    while (this.#used.has(place)) place += 1
    if (place >= count) attempt.await(() => this.#room(count))
    const slots = new Slots(attempt.write(this.#record, orphansFirstPage + Math.floor(place / perPage)))
    if (slots.get(place % perPage) !== undefined) {
      // Of a mount that had the record before.
      this.#used.add(place)
      return this.toAdd(attempt, address)
    }
    return () => {
      slots.set(place % perPage, address)
      this.#used.add(place)
      return place
    }
  }

  /** A place is in use, by a mount that had the record before. */
  adopt(place: number): void {
    this.#used.add(place)
  }

  /** The same to take it off the list. */
  toRemove(attempt: Attempt, place: number): () => void {
    const perPage = Math.floor(this.#record.pageSize / 16)
    const slots = new Slots(attempt.write(this.#record, orphansFirstPage + Math.floor(place / perPage)))
    return () => {
      slots.set(place % perPage, undefined)
      this.#used.delete(place)
      for (const resume of this.#waiting) resume()
      this.#waiting.clear()
    }
  }

  /** Resolves when a place has become free. Throws `ENOSPC`. */
  #room(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const resume = (): void => {
        cancel()
        resolve()
      }
      const cancel = this.#environment.after(roomMsMax, () => {
        this.#waiting.delete(resume)
        reject(new FsError('ENOSPC', `${count} files without a name are open`))
      })
      this.#waiting.add(resume)
    })
  }
}

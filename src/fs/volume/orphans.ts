import type { Address } from '../../address/address.js'
import { FsError } from '../errno.js'
import { Slots } from '../layout/slots.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { orphansFirstPage, orphansPages } from './mount-record.js'

/** Files that have no name any more and are to be taken away: a list in the mount's record, so that none is forgotten when the mount dies. */
export class Orphans {
  readonly #record: FsRegion
  /** In use, by number of the whole list. */
  readonly #used = new Set<number>()
  /** Given back, the last one at the end. */
  readonly #free: number[] = []
  /** From here on none was ever in use here. */
  #untouched = 0
  /** Resolves when one has been given back; undefined where none is about to be. */
  #room: () => Promise<void> | undefined = () => undefined

  constructor(record: FsRegion) {
    this.#record = record
  }

  /** How to wait for a place, where there is none. */
  onFull(room: () => Promise<void> | undefined): void {
    this.#room = room
  }

  /** Asks for a place in the list; what it answers puts the file there, and tells where. Throws `Miss`; `ENOSPC` where all are of files that are open. */
  toAdd(attempt: Attempt, address: Address): () => number {
    const perPage = Math.floor(this.#record.pageSize / 16)
    const count = perPage * orphansPages
    const place = this.#next()
    if (place >= count) {
      const room = this.#room()
      if (room === undefined) throw new FsError('ENOSPC', `${count} files without a name are open`)
      attempt.await(() => room)
    }
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
      this.#free.push(place)
    }
  }

  /** From the front, where there is a choice, as the list is short mostly: so it stays on one page. */
  #next(): number {
    for (;;) {
      const place = this.#free.at(-1)
      if (place === undefined) break
      if (!this.#used.has(place)) return place
      this.#free.pop()
    }
    while (this.#used.has(this.#untouched)) this.#untouched += 1
    return this.#untouched
  }
}

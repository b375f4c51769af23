import { assert } from '../../stdx/assert.js'
import type { LinkName } from './link-name.js'

/**
 * A synchronisation with one backup and the commits after it, at the primary: one order of entries, which the backup acknowledges by their
 * number, from 1. One of them is no commit, but says that the comparison is whole.
 */
export class BackupLink {
  readonly name: LinkName
  /** All commits up to this one are in what the primary compares. */
  readonly #base: number
  #last = 0
  #whole = Infinity
  #stored = 0

  constructor(name: LinkName, base: number) {
    this.name = name
    this.#base = base
  }

  /** The number of an entry that is sent now. */
  next(): number {
    return ++this.#last
  }

  /** The same, for the entry that says that all has been compared. */
  nextWhole(): number {
    assert(this.#whole === Infinity, 'a synchronisation becomes whole once')
    this.#whole = this.next()
    return this.#whole
  }

  /** False where nothing is new, or nothing such was sent. */
  onStored(index: number): boolean {
    if (index <= this.#stored || index > this.#last) return false
    this.#stored = index
    return true
  }

  get isWhole(): boolean {
    return this.#stored >= this.#whole
  }

  get owes(): boolean {
    return !this.isWhole || this.#stored < this.#last
  }

  /** The last commit that the backup has stored, with all before it or without what is being compared. */
  get storedTo(): number {
    return this.#base + this.#stored - (this.isWhole ? 1 : 0)
  }
}

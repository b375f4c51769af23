import type { MetadataPut } from '../../store/commit-group.js'
import { spaceId } from '../../store/space.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'

const key = 'generation'

/** A place in the store, and what is durable with its first use. */
export interface PlaceTaken {
  readonly space: SpaceId
  readonly puts: readonly MetadataPut[]
}

/** Numbers of reservations that this node makes, and of places for pages in its store: each is given once. */
export class HomeNumbers {
  readonly #store: Pick<Store, 'get' | 'commit'>
  #last = 0

  constructor(store: Pick<Store, 'get' | 'commit'>) {
    this.#store = store
  }

  load(): void {
    const value = this.#store.get(key)
    this.#last = value === undefined ? 0 : Number(new TextDecoder().decode(value))
  }

  /** The next; what `records` says then is to be durable with its first use. */
  take(): number {
    this.#last += 1
    return this.#last
  }

  /** A place in the store for the pages of one more region. As `take`. */
  takeSpace(): SpaceId {
    return spaceId(this.take())
  }

  takePlace(): PlaceTaken {
    return { space: this.takeSpace(), puts: this.records() }
  }

  /** The last that was given. */
  get last(): number {
    return this.#last
  }

  /** Which were given, as it is now. */
  records(): readonly MetadataPut[] {
    return [{ key, value: new TextEncoder().encode(String(this.#last)) }]
  }

  /** Reservations here get higher numbers than this: address space comes here on which another node has used so many. */
  async raise(last: number): Promise<void> {
    if (last <= this.#last) return
    this.#last = last
    await this.#store.commit({ puts: this.records() })
  }
}

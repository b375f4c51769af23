import type { KhazanaError } from '../../stdx/errors.js'
import type { FsRegion, HeldPages } from './fs-region.js'

/** Locks that are released together at most: Khazana has a limit of 256. */
const locksMax = 128
/** Regions that are written together at most: Khazana has a limit of 64. */
const regionsMax = 48
const bytesMax = 16 * 1024 * 1024

/**
 * What operations have changed since the last release, locked until it is released: all of it together, so that a crash leaves all of an operation or
 * nothing, and so much at a time that a release costs little for each. Whoever works on the same pages meanwhile finds them here.
 */
export class Batch {
  readonly #held: HeldPages[] = []
  readonly #regions = new Set<FsRegion>()
  #bytes = 0
  /** Why it is not durable and never will be, once that is known. */
  failure: KhazanaError | undefined
  readonly #ended: (() => void)[] = []

  /** Calls back when it is durable, or has failed. */
  onEnded(callback: () => void): void {
    this.#ended.push(callback)
  }

  ended(failure: KhazanaError | undefined): void {
    this.failure = failure
    for (const callback of this.#ended.splice(0)) callback()
  }

  add(pages: readonly HeldPages[]): void {
    for (const held of pages) {
      this.#held.push(held)
      this.#regions.add(held.region)
      this.#bytes += held.bytes.length
    }
  }

  get held(): readonly HeldPages[] {
    return this.#held
  }

  get regions(): ReadonlySet<FsRegion> {
    return this.#regions
  }

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  /** Whether it is time to release it, so that the next operation surely finds room in the next batch. */
  get isFull(): boolean {
    return this.#held.length >= locksMax || this.#regions.size >= regionsMax || this.#bytes >= bytesMax
  }
}

import { inodePage } from '../layout/inode.js'
import { LRUCache } from 'lru-cache'
import type { Address } from '../../address/address.js'
import type { Region } from '../../client/region.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { PageRunner } from '../pages/page-runner.js'

type RightHold = NonNullable<ReturnType<Region['tryHold']>>
/** Why a hold is to end: see `Region.tryHold`. */
type HoldEnd = Parameters<Parameters<Region['tryHold']>[1]>[0]

/** Is told that copies of what is known of a file must go, once for each hold; who has them calls `release` when they have gone. */
export type HoldEnded = (file: Address, why: HoldEnd) => void

/** Tells one hold of a file from the next. */
export type HoldNumber = number

interface Held {
  readonly number: HoldNumber
  readonly hold: RightHold
}

/**
 * What keeps copies of files' attributes, names and bytes outside of Khazana valid, as a kernel's caches are. All changes of a file write to the page of its inode, also those of its bytes,
 * and those of the names in a directory. So the right to read that one page, kept at this mount, covers all that is known of the file.
 */
export class FileHolds {
  readonly #ended: HoldEnded
  readonly #held: LRUCache<Address, Held>
  /** Those of which copies are to go. */
  readonly #ending = new Map<Address, Held>()
  #last = 0

  /** `max`: files that are held; beyond that the one that was used least lately is to end. */
  constructor(runner: PageRunner, ended: HoldEnded, max: number) {
    this.#ended = ended
    const dispose = (held: Held, file: Address, reason: LRUCache.DisposeReason): void => {
      if (reason === 'evict') this.#end(file, held, 'wanted')
    }
    this.#held = new LRUCache({ max, dispose })
    runner.onLost((region) => {
      this.#tell(region.address, 'lost')
    })
  }

  get count(): number {
    return this.#held.size + this.#ending.size
  }

  /** Holds the file from now on, where that can be: in an operation that has its inode it can. Never throws: the operation may have changed something. */
  take(region: FsRegion): void {
    const { address, handle, pageSize } = region
    if (handle === undefined || this.#held.has(address) || this.#ending.has(address)) return
    const range = { offset: inodePage * pageSize, length: pageSize }
    const hold = tryHold(handle, range, (why) => {
      this.#tell(address, why)
    })
    if (hold === undefined) return
    this.#last += 1
    this.#held.set(address, { number: this.#last, hold })
  }

  /** The hold under which a copy that is made now is valid; undefined where there is none, or it is to end. */
  current(file: Address): HoldNumber | undefined {
    const held = this.#held.get(file)
    return held?.hold.isHeld === true ? held.number : undefined
  }

  /** No copy of what the file was is in use any more. Idempotent. */
  release(file: Address): void {
    const held = this.#held.peek(file) ?? this.#ending.get(file)
    this.#held.delete(file)
    this.#ending.delete(file)
    held?.hold.release()
  }

  releaseAll(): void {
    for (const file of [...this.#held.keys(), ...this.#ending.keys()]) this.release(file)
  }

  #tell(file: Address, why: HoldEnd): void {
    const held = this.#held.peek(file)
    if (held === undefined) return
    this.#held.delete(file)
    this.#end(file, held, why)
  }

  #end(file: Address, held: Held, why: HoldEnd): void {
    this.#ending.set(file, held)
    this.#ended(file, why)
  }
}

/** Undefined also where the region has ended, or the mount is about to. */
function tryHold(
  ...[region, range, ended]: [Region, ...Parameters<Region['tryHold']>]
): RightHold | undefined {
  try {
    return region.tryHold(range, ended)
  } catch {
    return undefined
  }
}

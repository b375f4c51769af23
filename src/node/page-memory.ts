import type { PageIndex } from '../address/page.js'
import { FrameCache } from '../store/frame-cache.js'
import type { Frame, FrameLinks } from '../store/frame-cache.js'

/** Who keeps frames, and is asked before one goes. */
export interface FrameOwner {
  /** Lets go of the frame if nothing is lost with it; false where it is in use. */
  evict(frame: RegionFrame): boolean
}

/** The frame of a region's page. */
export class RegionFrame implements Frame {
  bytes: Uint8Array
  pins = 0
  uses = 0
  /** Whether others may hold the bytes for as long as they like: a view that was given out, a message on its way. */
  isEscaped = false
  readonly queued: FrameLinks = { queue: 'none', previous: undefined, next: undefined, key: 0 }
  readonly owner: FrameOwner
  readonly page: PageIndex

  constructor(owner: FrameOwner, page: PageIndex, bytes: Uint8Array) {
    this.owner = owner
    this.page = page
    this.bytes = bytes
  }
}

/**
 * The RAM that all regions of a site share. A frame that must be kept finds a place even where everything else is in use
 * at the moment: it is surplus then, and enters the cache when there is room. What cannot go is locked, on its way to the disk,
 * or read by children, who are asked to let go: each has a bound or an end, and so has the surplus.
 */
export class PageMemory {
  readonly #cache: FrameCache
  readonly #surplus = new Set<RegionFrame>()
  #surplusBytes = 0

  constructor(bytesMax: number) {
    this.#cache = new FrameCache({
      bytesMax,
      evict: (frame) => (frame instanceof RegionFrame && frame.owner.evict(frame) ? 'evicted' : 'kept'),
    })
  }

  get bytesMax(): number {
    return this.#cache.bytesMax
  }

  /** Changes the bound, and evicts. False while what cannot go is above it: to be tried again. */
  resize(bytesMax: number): boolean {
    const fits = this.#cache.resize(bytesMax)
    this.#admitSurplus()
    return fits && this.#surplusBytes === 0
  }

  get usedBytes(): number {
    return this.#cache.usedBytes + this.#surplusBytes
  }

  /** `key` names the page over its evictions: any number, the same for the same page. */
  insert(frame: RegionFrame, key: number): void {
    this.#admitSurplus()
    frame.queued.key = key
    if (this.#cache.insert(frame, key)) return
    this.#surplus.add(frame)
    this.#surplusBytes += frame.bytes.length
  }

  remove(frame: RegionFrame): void {
    if (this.#surplus.delete(frame)) this.#surplusBytes -= frame.bytes.length
    else this.#cache.remove(frame)
  }

  #admitSurplus(): void {
    for (const frame of this.#surplus) {
      if (!this.#cache.insert(frame, frame.queued.key)) return
      this.#surplus.delete(frame)
      this.#surplusBytes -= frame.bytes.length
    }
  }
}

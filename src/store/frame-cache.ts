import { assert } from '../stdx/assert.js'

/**
 * A page in RAM, as far as the cache cares. Whoever owns frames embeds or extends this; the fields under "the cache's
 * own" are not for others.
 */
export interface Frame {
  /** Published bytes are never changed: a write replaces the array by one of the same length. */
  bytes: Uint8Array
  /** Above 0 while somebody holds the frame: it is not evicted. */
  pins: number
  /** Raised by every hit: `frame.uses++` is all that a hit costs. The cache lowers it. */
  uses: number
  /** The cache's own. */
  readonly queued: FrameLinks
}

/** Where the frame hangs in the cache's queues. */
export interface FrameLinks {
  queue: 'none' | 'small' | 'main'
  previous: Frame | undefined
  next: Frame | undefined
  /** Names the page among the ghosts. */
  key: number
}

export function newFrame(bytes: Uint8Array): Frame {
  return { bytes, pins: 0, uses: 0, queued: { queue: 'none', previous: undefined, next: undefined, key: 0 } }
}

/** `evicted`: the owner has let go of the frame. `kept`: it cannot now (dirty, in use); it is asked again later. */
export type EvictAnswer = 'evicted' | 'kept'

export interface FrameCacheOptions {
  readonly bytesMax: number
  /** Asked for frames without pins. When it answers `evicted`, the frame is out of the cache already. */
  readonly evict: (frame: Frame) => EvictAnswer
}

/**
 * Which frames stay in RAM: S3-FIFO (Yang and others, 2023). New frames enter a small queue that takes a tenth of the bytes;
 * one that is used again before it comes out moves to the main queue, any other leaves the cache. So a scan of pages that
 * are read once flows through the small queue and cannot touch the hot ones. In the main queue a used frame goes round
 * again, up to three times. What left the small queue is remembered by key for a while (the ghosts), and enters the main queue
 * directly if it comes back: that is how a hot set larger than the small queue gets in.
 *
 * LRU was rejected: a scan flushes it, and each hit would have to move a list entry, while here it is one increment. ARC
 * and 2Q resist scans, but also work on every hit.
 */
export class FrameCache {
  #bytesMax: number
  readonly #evict: (frame: Frame) => EvictAnswer
  readonly #small = new FrameQueue('small')
  readonly #main = new FrameQueue('main')
  readonly #ghosts = new Ghosts()

  constructor(options: FrameCacheOptions) {
    this.#bytesMax = options.bytesMax
    this.#evict = options.evict
  }

  get bytesMax(): number {
    return this.#bytesMax
  }

  /**
   * Changes the bound, and evicts what is above it. False where frames that are pinned or kept are in the way: then
   * `usedBytes` is above the bound until a further call, or an insertion, finds them gone.
   */
  resize(bytesMax: number): boolean {
    this.#bytesMax = bytesMax
    if (this.#makeRoom(0)) return true
    // It is rare, so each frame may be asked, which an insertion cannot wait for.
    for (let round = 0; round < usesMax + 2; round++) {
      for (let left = this.#small.count; left > 0 && this.usedBytes > bytesMax; left--) this.#passSmall()
      for (let left = this.#main.count; left > 0 && this.usedBytes > bytesMax; left--) this.#passMain()
    }
    return this.usedBytes <= bytesMax
  }

  get usedBytes(): number {
    return this.#small.bytes + this.#main.bytes
  }

  get count(): number {
    return this.#small.count + this.#main.count
  }

  /**
   * Adds the frame, evicting others first so that it never leads above `bytesMax`. False, and nothing is added, where
   * what was asked to go is pinned or kept. `key` names the page over its evictions: any number, where two pages of
   * the same key cost only a wrong guess.
   */
  insert(frame: Frame, key: number): boolean {
    assert(frame.queued.queue === 'none', 'a frame is in the cache once')
    const bytes = frame.bytes.length
    if (!this.#makeRoom(bytes)) return false
    frame.queued.key = key
    if (this.#ghosts.delete(key)) this.#main.push(frame)
    else this.#small.push(frame)
    return true
  }

  /** Takes the frame out, without asking; its owner no longer needs it. No error for one that is not there. */
  remove(frame: Frame): void {
    this.#unlink(frame)
  }

  /** Evicts until so many bytes are free. False where that cannot be. */
  #makeRoom(bytes: number): boolean {
    if (bytes > this.bytesMax) return false
    // Every frame is met at most so often before it is known that none can go: each pass lowers its uses by one.
    let patience = (usesMax + 2) * (this.count + 1)
    let kept = 0
    while (this.usedBytes + bytes > this.bytesMax) {
      if (patience-- === 0 || kept === keptMax) return false
      const isSmallFull = this.#small.bytes > this.bytesMax * smallShare
      const answer = isSmallFull || this.#main.count === 0 ? this.#passSmall() : this.#passMain()
      if (answer === 'kept') kept++
    }
    return true
  }

  #passSmall(): PassAnswer {
    const frame = this.#small.first
    if (frame === undefined) return 'passed'
    this.#small.unlink(frame)
    if (frame.uses > 0) {
      frame.uses = 0
      this.#main.push(frame)
    } else if (frame.pins > 0 || this.#evict(frame) === 'kept') {
      // Held for long is used: it would only be met here again and again.
      this.#main.push(frame)
      return 'kept'
    } else {
      this.#ghosts.add(frame.queued.key, Math.max(ghostsMin, this.count))
    }
    return 'passed'
  }

  #passMain(): PassAnswer {
    const frame = this.#main.first
    if (frame === undefined) return 'passed'
    this.#main.unlink(frame)
    if (frame.uses > 0) {
      frame.uses = Math.min(frame.uses, usesMax) - 1
      this.#main.push(frame)
    } else if (frame.pins > 0 || this.#evict(frame) === 'kept') {
      this.#main.push(frame)
      return 'kept'
    }
    return 'passed'
  }

  #unlink(frame: Frame): void {
    if (frame.queued.queue === 'small') this.#small.unlink(frame)
    else if (frame.queued.queue === 'main') this.#main.unlink(frame)
  }
}

/**
 * Keys of what has left lately: half as many as there are frames in the cache to as many, which is enough to notice a set that would just fit. In two generations, of which
 * the older one goes as a whole. (Rejected: one set in the order of leaving. To find its oldest, V8 steps over all that have been deleted before it, which took more time than
 * all else in the cache.)
 */
class Ghosts {
  #young = new Set<number>()
  #old = new Set<number>()

  add(key: number, limit: number): void {
    if (this.#young.size >= limit / 2) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(key)
  }

  /** Whether it was there. */
  delete(key: number): boolean {
    const wasYoung = this.#young.delete(key)
    return this.#old.delete(key) || wasYoung
  }
}

type PassAnswer = 'passed' | 'kept'

/** Frames that may refuse to go before an insertion gives up: it must not search a cache in which nothing can go. */
const keptMax = 64
const smallShare = 0.1
const usesMax = 3
const ghostsMin = 64

/** A doubly linked list through the frames themselves: nothing is allocated. */
class FrameQueue {
  readonly #name: 'small' | 'main'
  #last: Frame | undefined
  first: Frame | undefined
  bytes = 0
  count = 0

  constructor(name: 'small' | 'main') {
    this.#name = name
  }

  push(frame: Frame): void {
    const links = frame.queued
    links.queue = this.#name
    links.previous = this.#last
    links.next = undefined
    if (this.#last === undefined) this.first = frame
    else this.#last.queued.next = frame
    this.#last = frame
    this.bytes += frame.bytes.length
    this.count++
  }

  unlink(frame: Frame): void {
    const links = frame.queued
    if (links.previous === undefined) this.first = links.next
    else links.previous.queued.next = links.next
    if (links.next === undefined) this.#last = links.previous
    else links.next.queued.previous = links.previous
    links.queue = 'none'
    links.previous = undefined
    links.next = undefined
    this.bytes -= frame.bytes.length
    this.count--
  }
}

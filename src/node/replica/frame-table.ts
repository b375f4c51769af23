import type { PageIndex, PageRange } from '../../address/page.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { isZeroPage, zeroPage } from '../../stdx/zero-page.js'
import { RegionFrame } from '../page-memory.js'
import type { FrameOwner, PageMemory } from '../page-memory.js'
import type { HomeBacking } from './home-backing.js'
import { contiguous } from './lock-context.js'

export interface FrameTableOptions {
  readonly pageSize: number
  readonly memory: PageMemory
  /** Where buffers that nobody uses any more go. */
  readonly give: (buffer: Uint8Array) => void
  /** Whether storage may still hold the page's newest bytes. */
  readonly isUnsettled: (page: PageIndex) => boolean
  /** Told apart from other regions' pages by it, in the memory's guesses. */
  readonly key: number
  /** Gives a page up, if its state allows: nothing may be lost with it. */
  readonly mayEvict: (page: PageIndex) => boolean
}

export interface LoadedFrames {
  readonly pinned: readonly RegionFrame[]
  readonly failure: KhazanaError | undefined
}

/**
 * The page frames of one region in this process. A frame's bytes never change once others can see them: a writer
 * replaces them by new ones. So they can be sent, logged and read without a copy.
 */
export class FrameTable implements FrameOwner {
  readonly #frames = new Map<PageIndex, RegionFrame>()
  readonly #loading = new Map<PageIndex, Promise<RegionFrame>>()
  readonly #options: FrameTableOptions
  #backing: HomeBacking | undefined

  /** `backing`: at the home, where pages that are not in memory come from. */
  constructor(options: FrameTableOptions, backing: HomeBacking | undefined) {
    this.#options = options
    this.#backing = backing
  }

  /** Starts anew, empty: at another home, or at none. */
  reset(backing: HomeBacking | undefined): void {
    this.clear()
    this.#loading.clear()
    this.#backing = backing
  }

  /** Goes on with these, as far as they are in memory, and with nothing behind them. */
  keepOnly(pages: readonly PageIndex[]): void {
    const kept = new Set(pages)
    for (const page of this.pages()) if (!kept.has(page)) this.drop(page)
    this.#loading.clear()
    this.#backing = undefined
  }

  /** Those in memory. */
  pages(): PageIndex[] {
    return [...this.#frames.keys()]
  }

  /** Bytes. */
  get pageSize(): number {
    return this.#options.pageSize
  }

  get isEmpty(): boolean {
    return this.#frames.size === 0
  }

  get(page: PageIndex): RegionFrame | undefined {
    return this.#frames.get(page)
  }

  /** The page's bytes, where nothing has to be waited for; for others to hold for as long as they like. */
  peek(page: PageIndex): Uint8Array | undefined {
    const frame = this.#frames.get(page)
    if (frame === undefined)
      return this.#backing?.isNeverWritten(page) === true ? zeroPage(this.pageSize) : undefined
    frame.isEscaped = true
    return frame.bytes
  }

  /** Makes the bytes the page's. Takes them over. */
  set(page: PageIndex, bytes: Uint8Array): RegionFrame {
    const existing = this.#frames.get(page)
    if (existing !== undefined) {
      this.replace(existing, bytes)
      return existing
    }
    const frame = new RegionFrame(this, page, bytes)
    // Before it is inserted, as that may evict others and ask them, and must find a whole table.
    this.#frames.set(page, frame)
    this.#options.memory.insert(frame, this.#options.key + page)
    return frame
  }

  /** As `set`, for bytes that others may hold for as long as they like, as they may the old ones. */
  setShared(page: PageIndex, bytes: Uint8Array): void {
    const existing = this.#frames.get(page)
    if (existing !== undefined) existing.isEscaped = true
    this.set(page, bytes).isEscaped = true
  }

  /** Gives the frame new bytes, and the old ones away if they are nobody else's. */
  replace(frame: RegionFrame, bytes: Uint8Array): void {
    this.#recycle(frame)
    frame.bytes = bytes
    frame.isEscaped = false
  }

  /** Making a buffer costs more than filling it, so those that are certainly free are used again. */
  #recycle(frame: RegionFrame): void {
    const { bytes, page } = frame
    if (frame.isEscaped || bytes.buffer.byteLength !== bytes.length || this.#options.isUnsettled(page)) return
    this.#options.give(bytes)
  }

  drop(page: PageIndex): void {
    const frame = this.#frames.get(page)
    if (frame === undefined) return
    this.#frames.delete(page)
    // Open locks go on seeing what they saw.
    if (frame.pins > 0) frame.isEscaped = true
    this.#recycle(frame)
    this.#options.memory.remove(frame)
  }

  clear(): void {
    for (const page of [...this.#frames.keys()]) this.drop(page)
  }

  /** The page's frame, from storage where it is not in memory, pinned: the caller owes an `unpin`. */
  async load(page: PageIndex): Promise<RegionFrame> {
    for (;;) {
      const frame = this.#frames.get(page) ?? (await this.#loadOnce(page))
      // Another's eviction or replacement may have come in between.
      if (this.#frames.get(page) !== frame) continue
      frame.pins += 1
      return frame
    }
  }

  /**
   * The frames of the range, each pinned, and all in the table at the moment in which this resolves; or those that could be
   * had, and why not all. Never rejects.
   */
  async loadAll({ first, count }: PageRange): Promise<LoadedFrames> {
    const pages = Array.from({ length: count }, (_, offset) => (first + offset) as PageIndex)
    for (;;) {
      const results = await Promise.allSettled(pages.map((page) => this.load(page)))
      const pinned: RegionFrame[] = []
      let failure: KhazanaError | undefined
      for (const result of results) {
        if (result.status === 'fulfilled') pinned.push(result.value)
        else failure ??= KhazanaError.from(result.reason)
      }
      // One may have gone while the others were on their way, with its page's storage.
      if (failure !== undefined || pinned.every((frame) => this.#frames.get(frame.page) === frame)) {
        return { pinned, failure }
      }
      for (const frame of pinned) frame.pins -= 1
    }
  }

  async #loadOnce(page: PageIndex): Promise<RegionFrame> {
    const running = this.#loading.get(page)
    if (running !== undefined) return running
    const loading = this.#read(page)
    this.#loading.set(page, loading)
    try {
      return await loading
    } finally {
      if (this.#loading.get(page) === loading) this.#loading.delete(page)
    }
  }

  async #read(page: PageIndex): Promise<RegionFrame> {
    const backing = present(this.#backing, 'only a home loads pages from its disk')
    for (;;) {
      const stored = await backing.load(page)
      if (this.#backing !== backing)
        throw new KhazanaError('context-broken', 'the home of the region has moved')
      const frame = this.#frames.get(page)
      if (frame !== undefined) return frame
      // What was read was overtaken while it was being read. Bytes that are not durable yet never leave memory.
      if (stored?.version !== backing.storedVersion(page)) continue
      return this.set(page, stored?.bytes ?? zeroPage(this.#options.pageSize))
    }
  }

  /**
   * Moves the frames of neighbouring pages next to each other, unless they are. Pinned ones that were dropped, too: an open
   * lock goes on with them.
   */
  makeContiguous(frames: readonly RegionFrame[]): Uint8Array {
    const size = this.#options.pageSize
    for (const frame of frames) frame.isEscaped = true
    const found = contiguous(
      frames.map((frame) => frame.bytes),
      frames.length,
      size,
    )
    // Who gets the view should not write to it. Who does so all the same spoils one page, not all that were never written.
    if (found !== undefined && !frames.some((frame) => isZeroPage(frame.bytes))) return found
    const memory = new Uint8Array(frames.length * size)
    frames.forEach((frame, slot) => {
      const part = memory.subarray(slot * size, (slot + 1) * size)
      part.set(frame.bytes)
      frame.bytes = part
    })
    return memory
  }

  evict(frame: RegionFrame): boolean {
    if (frame.pins > 0 || !this.#options.mayEvict(frame.page)) return false
    this.#frames.delete(frame.page)
    this.#recycle(frame)
    return true
  }
}

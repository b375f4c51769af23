import type { RegionDescriptor } from '../../address/descriptor.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex } from '../../address/page.js'
import type { ByteRange } from '../../address/range.js'
import { timeoutOf } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import { checkBytes } from '../../stdx/checks.js'
import { KhazanaError } from '../../stdx/errors.js'
import { isZeroPage } from '../../stdx/zero-page.js'
import type { TransactionTag } from '../../wire/transaction-message.js'
import type { RegionFrame } from '../page-memory.js'

/** What a lock context needs of the replica it was granted on. */
export interface ContextOwner {
  readonly pageSize: number
  readonly descriptor: RegionDescriptor
  /** Whether what is written here could be released with others, elsewhere. */
  readonly isStar: boolean
  /** Whether the rights behind locks of this mode may be used at this moment. */
  isValid(mode: LockMode, terms: LockTerms): boolean
  takeBuffer(): Uint8Array
  giveBuffer(buffer: Uint8Array): void
  /** Puts frames of neighbouring pages next to each other in memory and returns that memory. */
  makeContiguous(frames: readonly RegionFrame[]): Uint8Array
  /** `together`: what was written happens as part of that, or not at all. */
  release(context: LockContext, together?: TransactionTag): Promise<void>
  /** Resolves when all that may have been seen under the lock, but for what it wrote itself, is durable; rejects where it never will be. */
  whenSeenDurable(context: LockContext): Promise<void>
  /** The promise's outcome, or `timeout` or `aborted`, where the limits of the wait come first; the promise is then left to itself. */
  waitFor(ending: Promise<void>, wait: WaitOptions): Promise<void>
  /** The lock ends, what was written is dropped. */
  abandon(context: LockContext): void
  /** How old, in milliseconds, what the page's bytes say may be. */
  ageMs(page: PageIndex): number
  /** The next number for a context with an exclusive right. Throws `unsupported`, `busy`. */
  nextFence(): bigint
}

/** What a lock was granted on. */
export interface LockedPages {
  readonly first: PageIndex
  /** In page order; pinned in memory. */
  readonly frames: readonly RegionFrame[]
  /** Undefined where nobody changes the frames while the lock is held, and all of a written page is new: the plain case. */
  readonly kept: KeptBytes | undefined
}

/** Bytes that a lock context keeps besides the frames, by their place among these. Its own. */
export interface KeptBytes {
  /** What the lock sees: the bytes at the moment of the grant. Undefined: what the frames become. */
  readonly snapshot: Uint8Array[] | undefined
  /** What shadows began as, to tell at the end what was written. Undefined where that is not needed. */
  readonly bases: (Uint8Array | undefined)[] | undefined
}

const settledAlready = Promise.resolve()

/**
 * A granted lock (paper 2): the only way to the bytes. Reads, writes and maps under it are synchronous, as its pages
 * are in this process's memory until it ends. Offsets are bytes from the start of the region.
 *
 * What is written stays private to the context until `unlock`, and then becomes visible and durable as a whole (P3).
 * Every use checks that the right still stands: a context whose right was lost throws `context-broken` from then on
 * (P4), and nothing written under it remains.
 */
export class LockContext {
  readonly mode: LockMode
  /** Bytes from the start of the region, as asked for. */
  readonly offset: number
  readonly length: number
  readonly first: PageIndex
  readonly count: number
  /** In page order; pinned in memory. */
  readonly frames: readonly RegionFrame[]
  readonly terms: LockTerms
  readonly #kept: KeptBytes | undefined
  /** New bytes of pages written so far, by their place in `frames`. Not visible to anybody else. */
  shadows: (Uint8Array | undefined)[] | undefined
  /** Whether the user was given views of the shadows, which it may use after the end. */
  hasViews = false
  readonly #owner: ContextOwner
  readonly #pageSize: number
  #state: 'open' | 'closed' | 'broken' = 'open'
  /** Once it was asked for. */
  #fence: bigint | undefined
  /** What the end of the context has come to. */
  #ending: Promise<void> = settledAlready
  /** For what others wait: 'write' is more than 'read'. */
  #wanted: 'read' | 'write' | undefined
  #onWanted: ((mode: 'read' | 'write') => void) | undefined
  #onBroken: (() => void) | undefined

  constructor(owner: ContextOwner, mode: LockMode, range: ByteRange, terms: LockTerms, pages: LockedPages) {
    this.#owner = owner
    this.#pageSize = owner.pageSize
    this.mode = mode
    this.offset = range.offset
    this.length = range.length
    this.first = pages.first
    this.count = pages.frames.length
    this.frames = pages.frames
    this.terms = terms
    this.#kept = pages.kept
  }

  /** What shadows began as, by their place in `frames`, where that is needed at the end. */
  get bases(): readonly (Uint8Array | undefined)[] {
    return this.#kept?.bases ?? []
  }

  /** Where it was granted: for `Khazana.unlockAll`. */
  get owner(): ContextOwner {
    return this.#owner
  }

  /** Whether anything was written under it. */
  get hasWritten(): boolean {
    return this.shadows !== undefined
  }

  /** Whether `unlock` or `discard` was called. */
  get isEnded(): boolean {
    return this.#state === 'closed'
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /**
   * Copies `length` bytes at `offset` out: into `into` from its start, which is returned, or into a new array. Sees
   * what was written under this context.
   *
   * Throws `context-closed`, `context-broken`, `out-of-range` for bytes outside the locked range or beyond `into`.
   */
  read(offset: number, length: number, into?: Uint8Array): Uint8Array {
    this.#check(offset, length)
    if (into !== undefined) checkBytes(into, 'what to read into')
    const target = into ?? new Uint8Array(length)
    if (target.length < length) throw outOfRange(`${length} bytes do not fit in an array of ${target.length}`)
    const size = this.#pageSize
    let done = 0
    while (done < length) {
      const at = offset + done
      const slot = Math.floor(at / size) - this.first
      const start = at % size
      const bytes = Math.min(size - start, length - done)
      const source = this.#bytesOf(slot)
      if (bytes === source.length) target.set(source, done)
      else target.set(source.subarray(start, start + bytes), done)
      done += bytes
    }
    return target
  }

  /**
   * Writes the bytes at `offset`. Nobody else sees them before `unlock`.
   *
   * Throws `context-closed`, `context-broken`, `wrong-mode` under a read lock, `out-of-range`.
   */
  write(offset: number, bytes: Uint8Array): void {
    checkBytes(bytes, 'what to write')
    this.#check(offset, bytes.length)
    if (this.mode === 'read') throw wrongMode()
    const size = this.#pageSize
    let done = 0
    while (done < bytes.length) {
      const at = offset + done
      const slot = Math.floor(at / size) - this.first
      const start = at % size
      const count = Math.min(size - start, bytes.length - done)
      const shadow = this.#shadowOf(slot, count === size)
      shadow.set(count === bytes.length ? bytes : bytes.subarray(done, done + count), start)
      done += count
    }
  }

  /**
   * The memory itself: no copy. Under a write lock, what is stored there is written, and all pages it touches count as
   * written. Under a read lock it must not be stored to: the language cannot forbid it, and who does so corrupts the
   * copy that others on this node read. The view must not be used after the end of the lock.
   *
   * A range over several pages is moved into one piece of memory first, once; views of its pages that were taken
   * before are then out of date. Throws as `read` and `write` do.
   */
  map(offset: number, length: number): Uint8Array {
    this.#check(offset, length)
    const size = this.#pageSize
    const firstSlot = Math.floor(offset / size) - this.first
    const lastSlot = length === 0 ? firstSlot : Math.floor((offset + length - 1) / size) - this.first
    const start = offset - (this.first + firstSlot) * size
    const memory =
      this.mode === 'read' ? this.#mapFrames(firstSlot, lastSlot) : this.#mapShadows(firstSlot, lastSlot)
    return memory.subarray(start, start + length)
  }

  /**
   * How old, in milliseconds, what is read here may be: 0 where it is certainly the newest. More only in regions whose
   * synchronization is `bounded` or `background`, or while a `read-only` region cannot reach its home.
   */
  get ageMs(): number {
    let age = 0
    for (let page = this.first; page < this.first + this.count; page++) {
      age = Math.max(age, this.#owner.ageMs(page))
    }
    return age
  }

  /**
   * A number for systems outside, which may be written to under this lock and know nothing of it: of two contexts that had the
   * exclusive right to a page one after the other, the later one has the greater fence. So a store that remembers the greatest fence that it has
   * seen, and refuses what comes with a smaller one, is never written to by who has lost the right and does not know it yet (P4).
   * `examples/fenced-store` is worked out.
   *
   * 1 to 2^63 - 1; the same whenever it is asked for. It costs no message and no wait. Fences of different regions, and of a region that was
   * unreserved and another one at its address, are not to be compared. Write locks in regions with the preset `strict` and without a conflict
   * test have one.
   *
   * Throws `context-closed`, `context-broken`; `unsupported` under a read lock, in any other region, and where a region has
   * used its numbers up; `busy` where the next ones are on their way from the home, after thousands within moments, or where it is out of reach.
   */
  get fence(): bigint {
    this.#checkOpen()
    if (this.mode === 'read') {
      throw new KhazanaError('unsupported', "a read lock has no fence: take the lock in mode 'write'")
    }
    return (this.#fence ??= this.#owner.nextFence())
  }

  /**
   * Ends the lock. What was written becomes visible, and the promise resolves when it is durable (P2). For a read
   * lock it resolves when what may have been seen is durable, which is at once but for pages just written here.
   *
   * Rejects with `context-broken` where the right was lost before, or the home, and others have written since; `no-space` where the home's disk is full;
   * and `outcome-unknown` where the home was lost before it answered, and neither it nor the next one can tell. Nothing was kept in the first
   * two cases. While there is no home it waits: for as long as that takes, unless `wait` says how long. Then it rejects with `timeout`, or
   * `aborted` by the signal, which end the wait and not the release: that goes on, and may still succeed. Called again it waits for the same outcome.
   * Throws `invalid-argument` for what is no limit: the lock is open still.
   */
  unlock(wait?: WaitOptions): Promise<void> {
    if (wait === undefined) return this.#unlock(undefined)
    timeoutOf(wait)
    const ending = this.#unlock(undefined)
    return this.#owner.waitFor(ending, wait)
  }

  /** For `Khazana.unlockAll`: the same, as part of what happens as a whole. */
  unlockTogether(together: TransactionTag): Promise<void> {
    return this.#unlock(together)
  }

  #unlock(together: TransactionTag | undefined): Promise<void> {
    if (this.#state === 'closed') return this.#ending
    if (this.#state === 'broken') return Promise.reject(broken())
    if (!this.#owner.isValid(this.mode, this.terms)) {
      this.discard()
      return Promise.reject(broken())
    }
    this.#state = 'closed'
    this.#ending = this.#owner.release(this, together)
    return this.#ending
  }

  /**
   * Has `listener` called when somebody else, at any site or in this process, waits for pages of this lock in a mode that it is in the way of: whoever keeps
   * a lock for longer than one piece of work, to save taking it again, then ends it early, and nobody need wait for long. Called at most once for each mode, in a
   * turn of its own; soon where somebody waits already; never after the end. A later listener replaces the one before. In regions of other
   * consistency than `strict` without a conflict test nobody is told, but for changes of the region itself, which wait for all locks.
   */
  onWanted(listener: (mode: 'read' | 'write') => void): void {
    this.#onWanted = listener
    if (this.#wanted !== undefined) this.#tellWanted(this.#wanted)
  }

  /**
   * Has `listener` called when the right is lost (`context-broken`), in a turn of its own; soon where it is lost already; never after the end. For who keeps a lock without
   * using it. A later listener replaces the one before.
   */
  onBroken(listener: () => void): void {
    this.#onBroken = listener
    if (this.#state === 'broken') this.#tellBroken()
  }

  #tellBroken(): void {
    if (this.#onBroken === undefined) return
    void settledAlready.then(() => {
      if (this.#state === 'broken') this.#onBroken?.()
    })
  }

  /** Somebody waits. Not for users. */
  want(mode: 'read' | 'write'): void {
    if (this.#wanted === mode || this.#wanted === 'write') return
    this.#wanted = mode
    this.#tellWanted(mode)
  }

  /** Not within whatever has brought it up. */
  #tellWanted(mode: 'read' | 'write'): void {
    if (this.#onWanted === undefined) return
    void settledAlready.then(() => {
      if (this.#state === 'open') this.#onWanted?.(mode)
    })
  }

  /** Ends the lock and drops what was written under it. Idempotent; never throws. */
  discard(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#owner.abandon(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unlock()
  }

  /** The right is lost: every further use says so. */
  break(): void {
    if (this.#state !== 'open') return
    this.#state = 'broken'
    this.#tellBroken()
  }

  #checkOpen(): void {
    if (this.#state !== 'open') {
      throw this.#state === 'broken'
        ? broken()
        : new KhazanaError('context-closed', 'the lock was released already')
    }
    if (!this.#owner.isValid(this.mode, this.terms)) throw broken()
  }

  #check(offset: number, length: number): void {
    this.#checkOpen()
    // Written so that NaN fails.
    if (!(offset >= this.offset && length >= 0 && offset + length <= this.offset + this.length)) {
      throw outOfRange(
        `bytes ${offset} to ${offset + length} are not all within the locked range, ${this.offset} to ${this.offset + this.length}`,
      )
    }
    if (!Number.isInteger(offset) || !Number.isInteger(length)) {
      throw new KhazanaError('invalid-argument', 'offset and length are whole numbers of bytes')
    }
  }

  #bytesOf(slot: number): Uint8Array {
    const shadow = this.shadows?.[slot]
    if (shadow !== undefined) return shadow
    const bytes = this.#kept?.snapshot?.[slot] ?? this.frames[slot]?.bytes
    if (bytes === undefined) throw outOfRange('no such page under this lock')
    return bytes
  }

  #shadowOf(slot: number, isWhole: boolean): Uint8Array {
    const shadows = (this.shadows ??= [])
    const existing = shadows[slot]
    if (existing !== undefined) return existing
    const made = this.#owner.takeBuffer()
    if (this.#kept?.bases !== undefined) this.#keepBase(slot, this.#kept.bases)
    if (!isWhole) made.set(this.#bytesOf(slot))
    shadows[slot] = made
    return made
  }

  /** What a shadow begins as, unless there is one already. */
  #keepBase(slot: number, bases: (Uint8Array | undefined)[]): void {
    bases[slot] ??= this.#bytesOf(slot)
  }

  #mapFrames(firstSlot: number, lastSlot: number): Uint8Array {
    const count = lastSlot - firstSlot + 1
    const snapshot = this.#kept?.snapshot
    const frames = this.frames.slice(firstSlot, lastSlot + 1)
    if (snapshot === undefined) return this.#owner.makeContiguous(frames)
    // Whoever has the view may have it for longer than the lock.
    for (const frame of frames) frame.isEscaped = true
    const size = this.#pageSize
    const pages = snapshot.slice(firstSlot, lastSlot + 1)
    const found = contiguous(pages, count, size)
    // As in `FrameTable.makeContiguous`.
    if (found !== undefined && !pages.some(isZeroPage)) return found
    const memory = new Uint8Array(count * size)
    for (let slot = firstSlot; slot <= lastSlot; slot++) {
      const part = memory.subarray((slot - firstSlot) * size, (slot - firstSlot + 1) * size)
      part.set(this.#bytesOf(slot))
      snapshot[slot] = part
    }
    return memory
  }

  #mapShadows(firstSlot: number, lastSlot: number): Uint8Array {
    const size = this.#pageSize
    this.hasViews = true
    if (firstSlot === lastSlot) return this.#shadowOf(firstSlot, false)
    const found = contiguous(
      this.shadows?.slice(firstSlot, lastSlot + 1) ?? [],
      lastSlot - firstSlot + 1,
      size,
    )
    if (found !== undefined) return found
    const memory = new Uint8Array((lastSlot - firstSlot + 1) * size)
    const shadows = (this.shadows ??= [])
    for (let slot = firstSlot; slot <= lastSlot; slot++) {
      const part = memory.subarray((slot - firstSlot) * size, (slot - firstSlot + 1) * size)
      if (this.#kept?.bases !== undefined) this.#keepBase(slot, this.#kept.bases)
      part.set(this.#bytesOf(slot))
      shadows[slot] = part
    }
    return memory
  }
}

/** The one piece of memory that the pages lie in, in order, or undefined where they do not. */
export function contiguous(
  pages: readonly (Uint8Array | undefined)[],
  count: number,
  pageSize: number,
): Uint8Array | undefined {
  const first = pages[0]
  if (first === undefined || pages.length < count) return undefined
  for (let slot = 0; slot < count; slot++) {
    const page = pages[slot]
    if (page?.buffer !== first.buffer || page.byteOffset !== first.byteOffset + slot * pageSize)
      return undefined
  }
  return new Uint8Array(first.buffer, first.byteOffset, count * pageSize)
}

function broken(): KhazanaError {
  return new KhazanaError(
    'context-broken',
    'the right behind this lock was lost, and what was written under it is discarded: lock again',
  )
}

function wrongMode(): KhazanaError {
  return new KhazanaError(
    'wrong-mode',
    "a read lock allows no writing: take the lock in mode 'write' or 'write-shared'",
  )
}

function outOfRange(message: string): KhazanaError {
  return new KhazanaError('out-of-range', message)
}

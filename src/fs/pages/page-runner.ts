import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { FsEnvironment } from '../environment.js'
import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { Attempt, nothingBeforehand } from './attempt.js'
import type { Allocated, Beforehand, Hole } from './attempt.js'
import { Batch } from './batch.js'
import { FsRegion } from './fs-region.js'
import type { HeldPages } from './fs-region.js'
import type { Lock } from './lock.js'
import { Miss } from './miss.js'
import { inOrder, overlap } from './page-order.js'
import { redo } from './redo.js'
import type { Need, PagesNeed } from './miss.js'

/** A plain function over pages: see `Attempt`. */
export type Operation<T> = (attempt: Attempt) => T

export interface PageRunnerOptions {
  readonly khazana: Khazana
  readonly environment: FsEnvironment
  /** For how long what is changed stays in the open batch at most, where nobody waits for it. Milliseconds. */
  readonly releaseAfterMs: number
  /** For how long an operation waits for locks and homes. Milliseconds. */
  readonly timeoutMs: number
}

/** How often an operation may lose a page again that it had waited for, before it holds all that it needs while it waits for the rest. */
const lossesMax = 2
/** Runs of an operation that needs something else each time, before it is given up. */
const runsMax = 1000
/** Regions whose handles are kept. */
const regionsMax = 65_536

/**
 * Runs operations on pages of global memory. Where all that an operation needs is at hand it runs at once, and its result is a plain value; else its result is a
 * promise. What operations change comes into one batch after the other, which becomes visible elsewhere and durable as a whole, when
 *
 * - somebody waits until it is durable,
 * - somebody else, at any node, waits for one of its pages,
 * - it is full, or its time is over.
 *
 * Rejected: a release for each operation. Its pages could not be used again before it is durable, so each operation in the same directory would wait for the disk.
 */
export class PageRunner {
  readonly #options: PageRunnerOptions
  readonly #regions = new Map<Address, FsRegion>()
  #open = new Batch()
  #cancelTimer: (() => void) | undefined
  /** Releases that are on their way, by their batches. */
  readonly #releasing = new Map<Batch, Promise<void>>()
  #isClosed = false
  #lost: (region: FsRegion) => void = () => undefined

  constructor(options: PageRunnerOptions) {
    this.#options = options
  }

  /**
   * The one that stands for the region that has been known here by the address. Where that has ended, nothing is found through it: whoever has the address in hand means
   * what was there, and not what may have come there since.
   */
  region(address: Address): FsRegion {
    const known = this.#regions.get(address)
    if (known !== undefined) return known
    const made = new FsRegion(address, undefined)
    this.#regions.set(address, made)
    if (this.#regions.size > regionsMax) this.#forgetSome()
    return made
  }

  /** The same for an address that has just been read in a directory: where the region that was known by it has ended, another one has it by now. */
  named(address: Address): FsRegion {
    const known = this.#regions.get(address)
    if (known?.isGone === true) this.forget(known)
    return this.region(address)
  }

  /** The same for a region that has just been reserved here. */
  reserved(handle: Region): FsRegion {
    this.#regions.delete(handle.address)
    const region = this.region(handle.address)
    region.handle = handle
    return region
  }

  /** Calls back for each region of which changes were lost that operations here have seen. */
  onLost(listener: (region: FsRegion) => void): void {
    this.#lost = listener
  }

  /** The region is no more. */
  forget(region: FsRegion): void {
    if (this.#regions.get(region.address) === region) this.#regions.delete(region.address)
  }

  /** Throws `FsError`, at once or later. */
  run<T>(operation: Operation<T>): T | Promise<T> {
    if (this.#isClosed) throw new FsError('EIO', 'the file system is not mounted any more')
    const outcome = this.#try(operation, nothingBeforehand)
    if (outcome.kind === 'done') return outcome.result
    return this.#runPatiently(operation, outcome.miss)
  }

  /** Its result where all that it needs is at hand; else undefined, and nothing is asked for. Throws `FsError`. */
  runNow<T>(operation: Operation<T>): T | undefined {
    if (this.#isClosed) return undefined
    const outcome = this.#try(operation, nothingBeforehand)
    return outcome.kind === 'done' ? outcome.result : undefined
  }

  /** Resolves when all that has been changed in the region before is durable. Throws `FsError` where something was lost since it was last asked. */
  async durable(region: FsRegion): Promise<void> {
    if (this.#open.regions.has(region)) void this.release()
    const waits: Promise<void>[] = []
    for (const [batch, ending] of this.#releasing) if (batch.regions.has(region)) waits.push(ending)
    await Promise.all(waits)
    const { failure } = region
    region.failure = undefined
    if (failure !== undefined) throw fsErrorFrom(failure)
  }

  /** The same of all that has been changed. */
  async allDurable(): Promise<void> {
    void this.release()
    const batches = [...this.#releasing]
    await Promise.all(batches.map(([, ending]) => ending))
    for (const [{ failure }] of batches) if (failure !== undefined) throw fsErrorFrom(failure)
  }

  /** Resolves when nothing of what is changed in the region now is on its way any more, durable or lost, without hurrying it. */
  async settled(region: FsRegion): Promise<void> {
    const waits: Promise<void>[] = []
    const open = this.#open
    if (open.regions.has(region))
      waits.push(
        new Promise((resolve) => {
          open.onEnded(resolve)
        }),
      )
    for (const [batch, ending] of this.#releasing) if (batch.regions.has(region)) waits.push(ending)
    await Promise.all(waits)
  }

  /** Whether something of the region is changed and not durable yet. */
  isPending(region: FsRegion): boolean {
    if (this.#open.regions.has(region)) return true
    for (const { regions } of this.#releasing.keys()) if (regions.has(region)) return true
    return false
  }

  /** Releases what is open. Never rejects. */
  release(): Promise<void> {
    const batch = this.#open
    if (batch.isEmpty) return Promise.resolve()
    this.#close(batch)
    const ending = this.#releaseBatch(batch)
    this.#releasing.set(batch, ending)
    for (const { region, first, count } of batch.held)
      for (let page = first; page < first + count; page++) region.leaving.set(page, ending)
    void ending.then(() => {
      this.#releasing.delete(batch)
      for (const { region, first, count } of batch.held)
        for (let page = first; page < first + count; page++)
          if (region.leaving.get(page) === ending) region.leaving.delete(page)
    })
    return ending
  }

  /** All is durable, or lost with a warning; nothing is run any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    void this.release()
    await Promise.all(this.#releasing.values())
  }

  /** Never rejects. */
  async #releaseBatch(batch: Batch): Promise<void> {
    const { khazana, environment } = this.#options
    try {
      await khazana.unlockAll(batch.held.map(({ lock }) => lock))
      batch.ended(undefined)
    } catch (reason) {
      for (const { lock } of batch.held) lock.discard()
      const error = await redo(batch, KhazanaError.from(reason), this.#options)
      batch.ended(error)
      if (error === undefined) return
      for (const region of batch.regions) this.#lose(region, error)
      environment.warn('changes of a file system were lost', error)
    }
  }

  #lose(region: FsRegion, error: KhazanaError): void {
    region.failure = error
    this.#lost(region)
  }

  #forgetSome(): void {
    for (const [address, region] of this.#regions) {
      if (region.uses > 0 || region.held.size > 0 || region.leaving.size > 0) continue
      if (region.failure !== undefined) continue
      this.#regions.delete(address)
      if (this.#regions.size <= regionsMax * 0.75) return
    }
  }

  #try<T>(
    operation: Operation<T>,
    beforehand: Beforehand,
  ): { readonly kind: 'done'; readonly result: T } | { readonly kind: 'missing'; readonly miss: Miss } {
    const attempt = new Attempt(beforehand)
    try {
      const result = operation(attempt)
      this.#keep(attempt.finish())
      return { kind: 'done', result }
    } catch (reason) {
      if (attempt.isChanging) {
        this.#dropWith(attempt.finish(), KhazanaError.from(reason))
        throw reason
      }
      attempt.abandon()
      if (reason instanceof Miss) return { kind: 'missing', miss: reason }
      throw reason instanceof KhazanaError ? fsErrorFrom(reason) : reason
    }
  }

  /** Half of an operation, by a fault of ours: nobody may see that, nor what else is in the batch, whose pages it may have changed. */
  #dropWith(held: readonly HeldPages[], error: KhazanaError): void {
    const batch = this.#open
    batch.add(held)
    this.#close(batch)
    for (const region of batch.regions) this.#lose(region, error)
    for (const { lock } of batch.held) lock.discard()
    batch.ended(error)
    this.#options.environment.warn('changes of a file system were lost', error)
  }

  /** What comes from now on is part of the next one. */
  #close(batch: Batch): void {
    this.#open = new Batch()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    for (const { region, first, count } of batch.held)
      for (let page = first; page < first + count; page++) region.held.delete(page)
  }

  #keep(held: readonly HeldPages[]): void {
    if (held.length === 0) return
    const batch = this.#open
    batch.add(held)
    for (const { lock } of held) {
      lock.onWanted(() => {
        if (this.#open === batch) void this.release()
      })
    }
    if (batch.isFull) void this.release()
    else
      this.#cancelTimer ??= this.#options.environment.after(this.#options.releaseAfterMs, () => {
        this.#cancelTimer = undefined
        void this.release()
      })
  }

  async #runPatiently<T>(operation: Operation<T>, first: Miss): Promise<T> {
    const holes: Hole[] = []
    const allocated: Allocated[] = []
    const needs: PagesNeed[] = []
    let losses = 0
    let miss = first
    for (let run = 1; run <= runsMax; run++) {
      const { need, next } = miss
      if (next !== undefined) void this.#fetch(next)
      if (need.kind === 'pages' && isLost(needs, need)) losses += 1
      const locks = await this.#bring(need, losses > lossesMax ? needs : [], { holes, allocated })
      if (need.kind === 'pages') addNeed(needs, need)
      const outcome = this.#try(operation, { locks, holes, allocated })
      if (outcome.kind === 'done') return outcome.result
      miss = outcome.miss
    }
    throw new FsError('EIO', `an operation needed something else ${runsMax} times`)
  }

  /** Waits for what is needed. Answers what is locked by then: first all that was needed before, in one order for all. */
  async #bring(
    need: Need,
    before: PagesNeed[],
    { holes, allocated }: { readonly holes: Hole[]; readonly allocated: Allocated[] },
  ): Promise<{ readonly region: FsRegion; readonly lock: Lock }[]> {
    const { khazana, timeoutMs } = this.#options
    const locks: { readonly region: FsRegion; readonly lock: Lock }[] = []
    try {
      switch (need.kind) {
        case 'call':
          await need.call()
          break
        case 'region':
          need.region.handle = await khazana.region(need.region.address, { timeoutMs })
          break
        case 'storage': {
          const { region, first, count } = need
          const { pageSize } = region
          try {
            await region.handle?.allocate(
              { offset: first * pageSize, length: count * pageSize },
              { timeoutMs },
            )
          } catch (reason) {
            region.noteEnd(reason)
            break
          }
          for (let index = holes.length - 1; index >= 0; index--) {
            const hole = holes[index]
            if (hole?.region === region && hole.page >= first && hole.page < first + count)
              holes.splice(index, 1)
          }
          allocated.push({ region, first, count })
          break
        }
        case 'pages': {
          const needs = [...before]
          addNeed(needs, need)
          for (const one of needs.sort(inOrder)) {
            const lock = await this.#lock(one, holes)
            if (lock === 'hole' && before.includes(one)) before.splice(before.indexOf(one), 1)
            else if (lock !== undefined && lock !== 'hole') locks.push({ region: one.region, lock })
          }
          break
        }
      }
      return locks
    } catch (reason) {
      for (const { lock } of locks) lock.discard()
      throw reason instanceof FsError ? reason : fsErrorFrom(KhazanaError.from(reason))
    }
  }

  /**
   * Has the pages come here, for whoever takes them first. Not locked for longer than that, as what is waited for with something in hand is waited for in one order by all. Never
   * rejects.
   */
  async #fetch({ region, first, count, mode }: PagesNeed): Promise<void> {
    const { handle, pageSize } = region
    if (handle === undefined) return
    try {
      const range = { offset: first * pageSize, length: count * pageSize }
      const lock = await handle.lock(mode, range, { timeoutMs: this.#options.timeoutMs })
      lock.discard()
    } catch {
      // Whoever needs them hears of it.
    }
  }

  /** Undefined where it is of no use any more, as the open batch has the pages; `hole` where some of them have no storage: these are known then. */
  async #lock({ region, first, count, mode }: PagesNeed, holes: Hole[]): Promise<Lock | 'hole' | undefined> {
    const { timeoutMs } = this.#options
    const { handle, pageSize, held, isGone } = region
    if (handle === undefined || isGone) return undefined
    for (let page = first; page < first + count; page++) if (held.has(page)) return undefined
    try {
      const lock = await handle.lock(
        mode,
        { offset: first * pageSize, length: count * pageSize },
        { timeoutMs },
      )
      for (let page = first; page < first + count; page++) {
        if (!held.has(page)) continue
        // The batch has got it meanwhile.
        lock.discard()
        return undefined
      }
      return lock
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'not-allocated') {
        region.noteEnd(reason)
        return undefined
      }
      // Page by page it turns out which.
      if (count === 1) holes.push({ region, page: first })
      else await this.#findHoles(region, first, count, holes)
      return 'hole'
    }
  }

  /** Which pages of a range that has not storage everywhere have none. */
  async #findHoles(region: FsRegion, first: number, count: number, holes: Hole[]): Promise<void> {
    const { handle, pageSize } = region
    if (handle === undefined) return
    const { timeoutMs } = this.#options
    const { allocated } = await handle.stat({ offset: first * pageSize, length: pageSize }, { timeoutMs })
    const has = (page: number): boolean =>
      allocated.some(
        ({ offset, length }) => offset <= page * pageSize && offset + length >= (page + 1) * pageSize,
      )
    for (let page = first; page < first + count; page++) if (!has(page)) holes.push({ region, page })
  }
}

/** Whether one of the pages was needed, and had, before. */
function isLost(needs: readonly PagesNeed[], need: PagesNeed): boolean {
  return needs.some((one) => overlap(one, need))
}

function addNeed(needs: PagesNeed[], need: PagesNeed): void {
  const { first, count, mode } = need
  for (let index = needs.length - 1; index >= 0; index--) {
    const one = needs[index]
    if (one === undefined || !overlap(one, need)) continue
    if (
      one.first <= first &&
      one.first + one.count >= first + count &&
      (one.mode === 'write' || mode === 'read')
    )
      return
    needs.splice(index, 1)
  }
  needs.push(need)
}

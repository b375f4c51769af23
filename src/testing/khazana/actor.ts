import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import type { Address } from '../../address/address.js'
import type { ByteRange } from '../../address/range.js'
import type { Clock } from '../../io/clock.js'
import { LockContext } from '../../node/replica/lock-context.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { HistoryRecorder } from '../history.js'
import { readCell, writeCell } from './cell.js'
import type { Cell } from './cell.js'

/** A key, and the region that holds it. */
export interface Place {
  readonly region: Address
  readonly cell: Cell
}

export interface ActorOptions {
  /** Unlike that of any other actor, also of an earlier life of its process. */
  readonly name: string
  readonly khazana: Khazana
  readonly clock: Clock
  readonly random: Prng
  readonly history: HistoryRecorder
  readonly places: readonly Place[]
  /** Takes one operation from what is to be done; false when all is. */
  readonly take: () => boolean
  /** Something that must never happen. */
  readonly complain: (what: string) => void
  /** `hasty`: also gives up early, and aborts. `patient`: takes the time it needs. */
  readonly temper: 'hasty' | 'patient'
}

/** Errors that say that nothing was done. */
const harmless: ReadonlySet<ErrorCode> = new Set([
  'timeout',
  'aborted',
  'unreachable',
  'context-broken',
  'no-space',
  'no-memory',
  'closed',
  'busy',
])

/** A program that works on shared keys: reads, writes, and changes what it has read, one section after the other. */
export class Actor {
  readonly #options: ActorOptions
  readonly #regions = new Map<Address, Region>()
  #written = 0
  #isStopped = false

  constructor(options: ActorOptions) {
    this.#options = options
  }

  /** Works until all is done. Rejects only for what no fault explains. */
  async run(): Promise<void> {
    const { random, take, clock } = this.#options
    while (!this.#isStopped && take()) {
      await this.#operate()
      if (random.chance(0.3)) await pause(clock, random.exponential(20))
    }
  }

  /** Ends the work after the operation that is being done. */
  stop(): void {
    this.#isStopped = true
  }

  async #operate(): Promise<void> {
    const { random, places } = this.#options
    const place = random.pick(places)
    const kind = random.unit()
    if (kind > 0.97) return this.#useScratch()
    if (kind < 0.45) await this.#read(place)
    else if (kind < 0.6) await this.#write(place, 'blind')
    else if (kind < 0.9) await this.#write(place, 'read-first')
    else await this.#discard(place)
  }

  /** Reads and records: also used for the last look at every key. */
  async #read(place: Place): Promise<void> {
    const { history, name } = this.#options
    const operation = history.read(name, place.cell.key)
    try {
      const lock = await this.#lock(place, 'read')
      let value: string | null
      try {
        value = readCell(lock, place.cell)
        await this.#linger()
        if (lock.isOpen && readCell(lock, place.cell) !== value) {
          this.#options.complain(`${name} saw ${place.cell.key} change under its read lock`)
        }
      } catch (error) {
        lock.discard()
        throw error
      }
      await lock.unlock()
      operation.read(value)
    } catch (error) {
      operation.failed()
      this.#judge(error)
      if (this.#options.temper === 'patient') {
        this.#options.complain(`${name} cannot read ${place.cell.key}: ${KhazanaError.from(error).message}`)
      }
    }
  }

  async #write(place: Place, kind: 'blind' | 'read-first'): Promise<void> {
    const { history, name } = this.#options
    const value = `${name}:${++this.#written}`
    const operation = history.write(name, place.cell.key, value)
    let old: string | null | undefined
    let lock: LockContext
    try {
      lock = await this.#lock(place, 'write')
      try {
        if (kind === 'read-first') old = readCell(lock, place.cell)
        writeCell(lock, place.cell, value)
        await this.#linger()
      } catch (error) {
        lock.discard()
        throw error
      }
    } catch (error) {
      operation.failed()
      this.#judge(error)
      return
    }
    try {
      await lock.unlock()
      operation.wrote(old)
    } catch (error) {
      const { code } = KhazanaError.from(error)
      if (code === 'outcome-unknown' || code === 'storage-failed') operation.unknown(old)
      else operation.failed()
      this.#judge(error)
    }
  }

  /** Writes what nobody must ever see. */
  async #discard(place: Place): Promise<void> {
    try {
      const lock = await this.#lock(place, 'write')
      try {
        writeCell(lock, place.cell, `discarded by ${this.#options.name}`)
        await this.#linger()
      } finally {
        lock.discard()
      }
    } catch (error) {
      this.#judge(error)
    }
  }

  /** The life of a region that nobody else knows: what was freed is gone, and comes back as zeros. */
  async #useScratch(): Promise<void> {
    const { khazana, random, name, complain } = this.#options
    const wait = { timeoutMs: 10_000 }
    try {
      const region = await khazana.reserve(3 * 4096, wait)
      if ((await codeOf(region.lock('read', { offset: 0, length: 1 }, wait))) === 'none') {
        complain(`${name} locked what has no storage`)
      }
      await region.allocate({ offset: 4096, length: 8192 }, wait)
      const all = { offset: 4096, length: 8192 }
      const lock = await region.lock('write', all, wait)
      lock.map(4096, 8192).fill(7)
      await lock.unlock()
      await region.free({ offset: 4096, length: 4096 }, wait)
      const code = await codeOf(region.lock('read', all, wait))
      if (code === 'none') complain(`${name} locked what was freed`)
      await region.allocate({ offset: 4096, length: 4096 }, wait)
      const again = await region.lock('read', all, wait)
      const [freed, kept] = [again.read(4096, 1)[0], again.read(8192, 1)[0]]
      await again.unlock()
      if (freed !== 0 || kept !== 7) complain(`${name} read ${freed} where it freed, ${kept} where it wrote`)
      await region.setAttributes({ labels: { by: name } }, wait)
      if (random.chance(0.5)) await region.unreserve(wait)
      else return
      // A stale descriptor may still be found, but nothing can be done with it; or the address is another region's by now.
      if ((await codeOf(this.#lockAgain(region, all))) === 'none')
        complain(`${name} locked what was unreserved`)
    } catch (error) {
      this.#judge(error)
    }
  }

  async #lockAgain(region: Region, range: ByteRange): Promise<LockContext> {
    const found = await this.#options.khazana.region(region.address, { timeoutMs: 10_000 })
    if (found.descriptor.generation !== region.descriptor.generation) {
      throw new KhazanaError('no-such-region', 'the address was given to another region')
    }
    return found.lock('read', range, { timeoutMs: 10_000 })
  }

  async #lock({ region: address, cell }: Place, mode: 'read' | 'write'): Promise<LockContext> {
    const { khazana, random, temper } = this.#options
    const isHasty = temper === 'hasty'
    const timeoutMs = isHasty && random.chance(0.2) ? random.between(1, 50) : random.between(1000, 20_000)
    let region = this.#regions.get(address)
    if (region === undefined) {
      region = await khazana.region(address, { timeoutMs })
      this.#regions.set(address, region)
    }
    const range = { offset: cell.offset, length: cell.pages * cell.pageSize }
    const hit = random.chance(0.5) ? region.tryLock(mode, range) : undefined
    if (hit !== undefined) return hit
    if (!isHasty || !random.chance(0.1)) return region.lock(mode, range, { timeoutMs })
    const abort = new AbortController()
    const cancel = this.#options.clock.after(random.exponential(20), () => {
      abort.abort()
    })
    try {
      return await region.lock(mode, range, { timeoutMs, signal: abort.signal })
    } finally {
      cancel.cancel()
    }
  }

  async #linger(): Promise<void> {
    const { random, clock } = this.#options
    if (random.chance(0.3)) await pause(clock, random.exponential(10))
  }

  #judge(reason: unknown): void {
    const error = KhazanaError.from(reason)
    if (harmless.has(error.code) || error.code === 'outcome-unknown' || error.code === 'storage-failed')
      return
    this.#options.complain(`${this.#options.name}: ${error.code}: ${error.stack ?? error.message}`)
  }

  /** Reads every key until each has answered, within `timeoutMs` each. */
  async readAll(): Promise<void> {
    for (const place of this.#options.places) await this.#read(place)
  }
}

/** The code that the promise is rejected with; `none` where it is not. A lock that was granted is let go. */
async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    const result = await promise
    if (result instanceof LockContext) result.discard()
    return 'none'
  } catch (error) {
    return KhazanaError.from(error).code
  }
}

export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}

import { formatAddress } from '../../address/address.js'
import type { Clock, Timer } from '../../io/clock.js'
import { Expired, withResolvers, within } from '../../io/deadline.js'
import type { Resolvers, WaitOptions } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { Store } from '../../store/store.js'
import { concerns, isSameRelease } from './release.js'
import type { RegionPart, Release } from './release.js'
import type { ReleaseBug } from './release-bug.js'
import { decodeRelease, releaseKey, releaseKeyPrefix, releasePut } from './release-record.js'
import { ReleaseSchedule } from './release-schedule.js'
import type { Attempt } from './release-schedule.js'

/** Releases that a node keeps at a time: more are refused as `busy`. */
export const releasesMax = 1024

/** What no attempt can change. The region that was meant is no more, or has no such range. */
const isHopeless: ReadonlySet<ErrorCode> = new Set(['no-such-region', 'invalid-argument', 'out-of-range'])

export interface ReleasesOptions {
  readonly store: Pick<Store, 'list' | 'commit'>
  readonly clock: Clock
  readonly logger: Logger
  /** Has it done at the region's home, wherever that is by now. Throws as `CallExecutor.execute`. */
  readonly attempt: (release: Release, wait: WaitOptions) => Promise<void>
  readonly bug?: ReleaseBug | undefined
}

interface Kept {
  readonly number: number
  readonly release: Release
  /** When it is durable. */
  readonly stored: Promise<void>
  /** When it is done, and its record is gone. */
  readonly ended: Resolvers<void>
  /** How often it was asked for: an attempt that began before the last time says nothing of that. */
  asks: number
  /** It is done, and its record is about to go: who asks for it now may mean what was written since. */
  isForgotten: boolean
  /** Why it was not possible last. */
  failure: KhazanaError | undefined
}

/**
 * What programs asked this node to free or unreserve, and could not be done in their time: it is durable here, and tried until it is done, across
 * restarts of this node and of the home, moves of the home and partitions (P5, docs/adr/0025-background-release.md).
 *
 * Its record goes when it is done, and only then is whoever waits for it let on: so a crash in between has it done twice in a row, and never undoes
 * what was done after it through this node.
 */
export class Releases {
  readonly #options: ReleasesOptions
  readonly #kept = new Map<number, Kept>()
  readonly #schedule = new ReleaseSchedule()
  readonly #stopped = sharedAbortController()
  #lastNumber = 0
  #timer: Timer | undefined
  #isStarted = false
  /** Why nothing more is taken. */
  #refusal: KhazanaError | undefined

  constructor(options: ReleasesOptions) {
    this.#options = options
  }

  /** Reads what is to be done. Throws `bad-format`. */
  load(): void {
    const { store, clock } = this.#options
    for (const [key, value] of store.list(releaseKeyPrefix)) {
      const { number, release } = decodeRelease(key, value)
      this.#lastNumber = Math.max(this.#lastNumber, number)
      this.#add(number, release, Promise.resolve())
      this.#schedule.add(number, regionOf(release), clock.now())
    }
  }

  start(): void {
    this.#isStarted = true
    this.#work()
  }

  /** What is kept is gone on with at the next start. */
  stop(error: KhazanaError): void {
    this.#refusal = error
    this.#timer?.cancel()
    this.#stopped.abort(error)
    for (const { ended } of this.#kept.values()) ended.reject(error)
  }

  /** Those that are not done yet. */
  get count(): number {
    return this.#kept.size
  }

  /** Nothing more is taken: this node is about to be out of its cluster. */
  close(error: KhazanaError): void {
    this.#refusal ??= error
  }

  /** It goes on as a member. */
  reopen(): void {
    if (!this.#stopped.signal.aborted) this.#refusal = undefined
  }

  /**
   * Resolves when it is durable that it will be done. One that is kept already is not kept twice. Throws `busy` where there are too many,
   * `no-space`, `storage-failed`, `closed`, `invalid-argument`.
   */
  async keep(release: Release): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    // Whichever region is at the address by the time that it is done is not what was meant.
    if (release.generation === 0)
      throw new KhazanaError('invalid-argument', 'a release that is kept names its region by the generation')
    const same = this.#find(release)
    if (same !== undefined) {
      same.asks += 1
      return same.stored
    }
    if (this.#kept.size >= releasesMax) throw tooMany()
    const number = ++this.#lastNumber
    const stored = this.#store(number, release)
    const kept = this.#add(number, release, stored)
    if (this.#options.bug === 'answer-before-durable') return
    try {
      await stored
    } catch (error) {
      this.#end(kept)
      throw error
    }
  }

  async #store(number: number, release: Release): Promise<void> {
    const { store, clock } = this.#options
    await store.commit({ puts: [releasePut(number, release)] })
    this.#schedule.add(number, regionOf(release), clock.now())
    this.#work()
  }

  /**
   * Resolves when all is done that was kept before this, and would undo what is done to that part from now on. Throws `timeout`, `aborted`,
   * `closed`.
   */
  async whenClear(part: RegionPart, options: WaitOptions): Promise<void> {
    const inTheWay = [...this.#kept.values()].filter(({ release }) => concerns(release, part))
    if (inTheWay.length > 0) await this.#whenEnded(inTheWay, options)
  }

  /** The same for all that is kept. */
  async whenEmpty(options: WaitOptions): Promise<void> {
    await this.#whenEnded([...this.#kept.values()], options)
  }

  async #whenEnded(some: readonly Kept[], options: WaitOptions): Promise<void> {
    const { clock } = this.#options
    for (const { number } of some) this.#schedule.hurry(number, clock.now())
    this.#work()
    const ended = Promise.all(some.map((kept) => kept.ended.promise)).then(() => undefined)
    try {
      await within(clock, 'what is pending', options, ended)
    } catch (reason) {
      if (reason instanceof Expired) throw stillPending(some, reason)
      throw reason
    }
  }

  /** Has another node keep what is left here; `hand` resolves when that is durable there. Throws as `hand` does. */
  async handOver(hand: (release: Release) => Promise<void>): Promise<void> {
    for (const kept of [...this.#kept.values()]) {
      // It may have been done meanwhile.
      if (this.#kept.get(kept.number) !== kept) continue
      await hand(kept.release)
      await this.#forget(kept)
    }
  }

  #find(release: Release): Kept | undefined {
    for (const kept of this.#kept.values()) {
      if (!kept.isForgotten && isSameRelease(kept.release, release)) return kept
    }
    return undefined
  }

  #add(number: number, release: Release, stored: Promise<void>): Kept {
    const kept: Kept = {
      ...{ number, release, stored, ended: withResolvers<void>() },
      ...{ asks: 1, isForgotten: false, failure: undefined },
    }
    // Nobody need wait for either.
    stored.catch(() => undefined)
    kept.ended.promise.catch(() => undefined)
    this.#kept.set(number, kept)
    return kept
  }

  #end(kept: Kept): void {
    if (!this.#kept.delete(kept.number)) return
    this.#schedule.ended(kept.number)
    kept.ended.resolve()
  }

  /** Begins what is due, and is called again when more is. */
  #work(): void {
    const { clock } = this.#options
    this.#timer?.cancel()
    this.#timer = undefined
    if (!this.#isStarted || this.#stopped.signal.aborted) return
    for (const attempt of this.#schedule.begin(clock.now())) void this.#try(attempt)
    const { nextAt } = this.#schedule
    if (nextAt === undefined) return
    this.#timer = clock.after(Math.max(0, nextAt - clock.now()), () => {
      this.#work()
    })
  }

  /** Never rejects. */
  async #try({ number, timeoutMs }: Attempt): Promise<void> {
    const { attempt, clock } = this.#options
    const kept = this.#kept.get(number)
    if (kept === undefined) return
    const { asks } = kept
    try {
      await this.#settle(kept.release, attempt(kept.release, { timeoutMs, signal: this.#stopped.signal }))
      if (kept.asks === asks) await this.#forget(kept)
      else this.#schedule.again(number, clock.now())
    } catch (reason) {
      kept.failure = KhazanaError.from(reason)
      this.#schedule.failed(number, clock.now())
      this.#logFailure(kept, kept.failure)
    }
    this.#work()
  }

  /** Where nothing is left to be done, that is done. */
  async #settle(release: Release, attempt: Promise<void>): Promise<void> {
    try {
      await attempt
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (!isHopeless.has(error.code)) throw error
      const { code, message } = error
      if (code !== 'no-such-region')
        this.#options.logger.log('warn', 'what was to be released never can be', {
          ...{ op: release.op, address: formatAddress(release.address) },
          ...{ code, reason: message },
        })
    }
  }

  async #forget(kept: Kept): Promise<void> {
    kept.isForgotten = true
    try {
      await this.#options.store.commit({ deletes: [releaseKey(kept.number)] })
    } catch (error) {
      kept.isForgotten = false
      throw error
    }
    this.#end(kept)
  }

  #logFailure({ release }: Kept, { code, message, stack }: KhazanaError): void {
    if (this.#stopped.signal.aborted) return
    this.#options.logger.log('info', 'a release is not possible yet', {
      op: release.op,
      address: formatAddress(release.address),
      code,
      reason: code === 'internal' ? stack : message,
    })
  }
}

function regionOf({ address, generation }: Release): string {
  return `${formatAddress(address)}/${generation}`
}

function tooMany(): KhazanaError {
  return new KhazanaError(
    'busy',
    `${releasesMax} releases are pending at this node, and it keeps no more: bring the homes of their regions back, or try again later`,
  )
}

function stillPending(some: readonly Kept[], cause: KhazanaError): KhazanaError {
  const why = some.find(({ failure }) => failure !== undefined)?.failure?.message
  return new KhazanaError(
    'timeout',
    `what was released before is not done yet${why === undefined ? '' : ` (${why})`}: try again later`,
    { cause },
  )
}

import type { SiteId } from '../../address/identity.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { Clock } from '../../io/clock.js'
import type { Random } from '../../io/random.js'
import { unreachable } from '../../stdx/assert.js'
import { isErrorCode, KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Call, Result, WatchNews } from '../../wire/message.js'
import { defaultTimeoutMs, withResolvers } from '../../io/deadline.js'
import type { Resolvers, WaitOptions } from '../../io/deadline.js'
import { backoffMs } from '../session/backoff.js'
import type { HomeWatchSink, Subscription, WatchSink, WatchTarget } from './watch-sink.js'

/** What a watch needs of the site that it is kept at. */
export interface WatchLink {
  readonly clock: Clock
  readonly random: Random
  /** Whom to ask; `here`: this site is the home. Throws `no-such-region`, `unreachable`. */
  where(target: WatchTarget, options: WaitOptions): Promise<SiteId | 'here'>
  /** Where this site is the home. */
  watchHere(target: WatchTarget, sink: HomeWatchSink): Subscription
  call(site: SiteId, call: Call, options: WaitOptions): Promise<Result>
  /** Whoever was asked knows of another home. */
  learned(descriptor: RegionDescriptor): void
  /** Brings notices of this number to the watch; a number that was never used before. */
  open(watch: RemoteWatch): number
  /** Forgets the number, here and at the site, if that can be told. */
  close(number: number, site: SiteId): void
}

/** Another attempt would end the same. */
const finalCodes: ReadonlySet<ErrorCode> = new Set([
  'no-such-region',
  'invalid-argument',
  'out-of-range',
  'unsupported',
  'protocol-error',
  'internal',
])

/** One registration at another site. Over when the session is lost in which it was made. */
interface Registration {
  /** Undefined: this one. */
  readonly site: SiteId | undefined
  readonly over: Resolvers<void>
  isLive: boolean
}

/**
 * A watch that is kept at another site: the home, or the node that relays. It is registered anew, under a number of its
 * own, whenever the session was lost; what became durable in between is lost, and the sink is told so as soon as the new
 * registration stands, not before: what it reads again then is as new as what it is told from then on.
 */
export class RemoteWatch implements Subscription {
  readonly #link: WatchLink
  readonly #target: WatchTarget
  readonly #sink: WatchSink
  readonly #ready = withResolvers<void>()
  readonly #given = new AbortController()
  #registration: Registration | undefined
  #wake: () => void = () => undefined
  #hasBegun = false
  #isOver = false

  constructor(link: WatchLink, target: WatchTarget, sink: WatchSink) {
    this.#link = link
    this.#target = target
    this.#sink = sink
    // Whoever waits for it is told all the same.
    this.#ready.promise.catch(() => undefined)
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Where it is registered, or is being so. */
  get site(): SiteId | undefined {
    return this.#registration?.site
  }

  /**
   * Called once. Goes on until `stop`, or until there is nothing to watch any more. Never rejects. `continued`: there was an
   * earlier registration elsewhere, so that something may have been missed.
   */
  async run(timeoutMs: number, start: 'new' | 'continued'): Promise<void> {
    this.#hasBegun = start === 'continued'
    let failures = 0
    while (!this.#isOver) {
      try {
        const end = await this.#register(this.#hasBegun ? defaultTimeoutMs : timeoutMs)
        failures = end === 'over' ? 0 : failures + 1
        if (end === 'elsewhere') await this.#pause(backoffMs(failures, this.#link.random))
      } catch (reason) {
        const error = KhazanaError.from(reason)
        const isWorthAnother = this.#hasBegun ? !finalCodes.has(error.code) : error.code === 'outcome-unknown'
        if (!isWorthAnother) {
          this.#end(error)
          return
        }
        failures += 1
        await this.#pause(backoffMs(failures, this.#link.random))
      }
    }
  }

  stop(): void {
    this.#over(new KhazanaError('aborted', 'the watch was ended'))
  }

  /** A notice of the present registration. */
  onNews(from: SiteId, news: WatchNews): void {
    const registration = this.#registration
    if (this.#isOver || registration?.site !== from) return
    this.#live(registration)
    switch (news.kind) {
      case 'changes':
        return this.#sink.changes(news.changes)
      case 'dropped':
        return this.#sink.dropped(news.count)
      case 'moved':
        return registration.over.resolve()
      case 'ended':
        return this.#end(new KhazanaError(isErrorCode(news.code) ? news.code : 'internal', news.message))
      default:
        return unreachable(news)
    }
  }

  onLost(site: SiteId): void {
    if (this.#registration?.site === site) this.#registration.over.resolve()
  }

  /** From asking until the session is lost, or the home is another. Rejects where the answer is no. */
  async #register(timeoutMs: number): Promise<'over' | 'elsewhere'> {
    const { address, generation, range } = this.#target
    const wait = { timeoutMs, signal: this.#given.signal }
    const site = await this.#link.where(this.#target, wait)
    if (this.#isOver) return 'over'
    if (site === 'here') return this.#registerHere()
    const registration = { site, over: withResolvers<void>(), isLive: false }
    const watch = this.#link.open(this)
    this.#registration = registration
    try {
      const call = { op: 'watch', address, generation, ...range, watch } as const
      const answer = await this.#link.call(site, call, wait)
      if (answer.op === 'moved') {
        this.#link.learned(answer.descriptor)
        return 'elsewhere'
      }
      this.#live(registration)
      await registration.over.promise
      return 'over'
    } finally {
      this.#registration = undefined
      this.#link.close(watch, site)
    }
  }

  /** The region has come here. */
  async #registerHere(): Promise<'over'> {
    const registration: Registration = { site: undefined, over: withResolvers<void>(), isLive: false }
    const here = this.#link.watchHere(this.#target, {
      changes: (changes) => {
        this.#sink.changes(changes)
      },
      dropped: (count) => {
        this.#sink.dropped(count)
      },
      ended: (error) => {
        this.#end(error)
      },
      moved: () => {
        registration.over.resolve()
      },
    })
    this.#registration = registration
    try {
      this.#live(registration)
      await registration.over.promise
      return 'over'
    } finally {
      this.#registration = undefined
      here.stop()
    }
  }

  /** Told by the answer, or by a notice that is there before it. */
  #live(registration: Registration): void {
    if (registration.isLive || this.#isOver) return
    registration.isLive = true
    if (this.#hasBegun) this.#sink.dropped(undefined)
    this.#hasBegun = true
    this.#ready.resolve()
  }

  #end(error: KhazanaError): void {
    if (this.#isOver) return
    this.#over(error)
    if (this.#hasBegun) this.#sink.ended(error)
  }

  #over(error: KhazanaError): void {
    this.#isOver = true
    this.#ready.reject(error)
    this.#given.abort(error)
    this.#registration?.over.resolve()
    this.#wake()
  }

  #pause(ms: number): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#link.clock.after(ms, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}

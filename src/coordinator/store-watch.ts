import type { Clock } from '../io/clock.js'
import { timeoutOf } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { assert, unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { sharedAbortController } from '../stdx/shared-abort.js'
import type { Revision, Watch, WatchEvent } from './coordinator.js'
import { isOfTheWay, repeated } from './repeated.js'
import type { ChangeSource } from './request.js'
import { untilClosed } from './until-closed.js'

export interface StoreWatchOptions {
  readonly clock: Clock
  readonly source: ChangeSource
  readonly from: Revision
  /** How long nothing at all may be heard before another attempt. Milliseconds. */
  readonly silenceMs: number
  /** It was closed, by whomever. */
  readonly closed: () => void
}

const what = 'coordinator: watch'

/** A place in the history of a store: see `StoreCoordinator`. */
export class StoreWatch implements Watch {
  readonly #options: StoreWatchOptions
  readonly #closing = sharedAbortController()
  /** Told by the store, and not yet by this. */
  #news: readonly WatchEvent[] = []
  #next: Revision
  #isReading = false

  constructor(options: StoreWatchOptions) {
    this.#options = options
    this.#next = options.from
  }

  async next(options: WaitOptions = {}): Promise<WatchEvent> {
    if (this.#isReading) throw new KhazanaError('invalid-argument', 'a watch is read by one call at a time')
    this.#isReading = true
    try {
      return await untilClosed(this.#closing.signal, options, (wait) => this.#read(wait))
    } finally {
      this.#isReading = false
    }
  }

  close(): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#news = []
    this.#options.source.close()
    this.#options.closed()
  }

  async #read(wait: WaitOptions): Promise<WatchEvent> {
    const { clock, silenceMs } = this.#options
    const endsAt = clock.now() + timeoutOf(wait)
    while (this.#news.length === 0) {
      const timeoutMs = endsAt - clock.now()
      if (timeoutMs < 1) throw new KhazanaError('timeout', `${what}: nothing has changed`)
      const reading = { what, wait: { ...wait, timeoutMs }, attemptMs: silenceMs, mayRepeat: isOfTheWay }
      await repeated(clock, reading, (attempt) => this.#ask(attempt))
    }
    const [event, ...rest] = this.#news
    assert(event !== undefined, 'there is news')
    this.#news = rest
    if (event.kind === 'compacted') this.close()
    return event
  }

  async #ask(attempt: WaitOptions): Promise<void> {
    const answer = await this.#options.source.read(this.#next, attempt)
    switch (answer.kind) {
      case 'compacted':
        this.#news = [answer]
        break
      case 'news':
        for (const { revision, changes } of answer.news) {
          assert(revision >= this.#next && changes.length > 0, 'a watch goes forward')
          this.#next = (revision + 1) as Revision
        }
        assert(answer.next >= this.#next, 'what was told of is over')
        this.#next = answer.next
        this.#news = answer.news
        break
      default:
        unreachable(answer)
    }
  }
}

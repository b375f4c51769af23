import type { RegionDescriptor } from '../../address/descriptor.js'
import type { ByteRange } from '../../address/range.js'
import type { Clock } from '../../io/clock.js'
import { KhazanaError } from '../../stdx/errors.js'
import { shown } from '../../stdx/shown.js'
import { timeoutOf, within } from '../../io/deadline.js'
import { RegionWatch } from './region-watch.js'
import type { Watch, WatchOptions } from './watch.js'
import type { Subscription, WatchSink, WatchTarget } from './watch-sink.js'

/** Watches that the programs of one site may have open. */
const ownWatchesMax = 4096
const bufferMaxDefault = 1024
const bufferMaxMax = 1024 * 1024

/** `timeoutMs`: for how long an answer may be waited for. */
export type OwnSubscribe = (target: WatchTarget, sink: WatchSink, timeoutMs: number) => Subscription

/** All that programs watch at this site. */
export class OwnWatches {
  readonly #clock: Clock
  readonly #subscribe: OwnSubscribe
  readonly #open = new Set<RegionWatch>()
  #closed: KhazanaError | undefined

  constructor(clock: Clock, subscribe: OwnSubscribe) {
    this.#clock = clock
    this.#subscribe = subscribe
  }

  /** Resolves when the home tells of all changes from then on; leaves nothing behind where it rejects. */
  async open({ descriptor, range }: Watched, options: WatchOptions): Promise<Watch> {
    const timeoutMs = timeoutOf(options)
    const bufferMax = checkBuffer(options.bufferMax)
    if (this.#closed !== undefined) throw this.#closed
    if (this.#open.size >= ownWatchesMax) {
      throw new KhazanaError('busy', `${ownWatchesMax} watches are open already`)
    }
    const { signal } = options
    const { address, generation } = descriptor
    const onAbort = (): void => {
      watch.abort(new KhazanaError('aborted', 'watch: given up by the caller', { cause: signal?.reason }))
    }
    let subscription: Subscription | undefined
    const watch = new RegionWatch(descriptor, bufferMax, () => {
      signal?.removeEventListener('abort', onAbort)
      this.#open.delete(watch)
      subscription?.stop()
    })
    this.#open.add(watch)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      subscription = this.#subscribe({ address, generation, range }, watch, timeoutMs)
      await within(this.#clock, 'watch', options, subscription.ready)
      return watch
    } catch (reason) {
      const error = this.#reasonOf(reason)
      watch.abort(error)
      throw error
    }
  }

  /** What ended a beginning: its own failure, or that everything ends here. */
  #reasonOf(reason: unknown): KhazanaError {
    return this.#closed ?? KhazanaError.from(reason)
  }

  /** Ends all of them with the error; none is opened any more. */
  close(error: KhazanaError): void {
    this.#closed ??= error
    for (const watch of [...this.#open]) watch.abort(error)
  }
}

export interface Watched {
  readonly descriptor: RegionDescriptor
  /** Within the region. */
  readonly range: ByteRange
}

function checkBuffer(bufferMax: number = bufferMaxDefault): number {
  if (Number.isInteger(bufferMax) && bufferMax >= 1 && bufferMax <= bufferMaxMax) return bufferMax
  throw new KhazanaError(
    'invalid-argument',
    `bufferMax is a whole number of events from 1 to ${bufferMaxMax}, not ${shown(bufferMax)}`,
  )
}

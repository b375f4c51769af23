import { KhazanaError } from '../../stdx/errors.js'
import type { Call, Result } from '../../wire/message.js'
import type { Session } from '../session/session.js'
import { PeerWatch } from './peer-watch.js'
import type { HomeWatchSink, Subscription, WatchTarget } from './watch-sink.js'

/** Watches of one session; more are refused as `busy`. A node watches for all of its clients. */
export const clientWatchesMax = 1024
const nodeWatchesMax = 16 * clientWatchesMax

/** What is asked about watching. */
export type WatchCall = Extract<Call, { op: 'watch' | 'unwatch' }>

/** Throws where the region is not to be had. */
export type Subscribe = (target: WatchTarget, sink: HomeWatchSink, asker: Session) => Subscription

/** All that peers watch through this site, session by session: a watch is over when its session is. */
export class PeerWatches {
  readonly #subscribe: Subscribe
  readonly #sessions = new Map<Session, Map<number, PeerWatch>>()

  constructor(subscribe: Subscribe) {
    this.#subscribe = subscribe
  }

  /** Carries the request out. Throws `busy`, `no-such-region`, `out-of-range`, `unreachable`. */
  async serve(session: Session, call: WatchCall): Promise<Result> {
    if (call.op === 'watch') await this.#watch(session, call)
    else this.#take(session, call.watch)?.stop()
    return { op: call.op }
  }

  async #watch(session: Session, call: Extract<WatchCall, { op: 'watch' }>): Promise<void> {
    const { watch: number, address, generation, offset, length } = call
    const watches = this.#of(session)
    if (watches.has(number)) throw new KhazanaError('protocol-error', `watch ${number} is there already`)
    const max = session.peer.role === 'node' ? nodeWatchesMax : clientWatchesMax
    if (watches.size >= max) throw new KhazanaError('busy', `${max} watches are open already`)
    const watch = new PeerWatch(session, number, () => {
      this.#take(session, number)
    })
    watches.set(number, watch)
    try {
      const subscription = this.#subscribe({ address, generation, range: { offset, length } }, watch, session)
      watch.from(subscription)
      await subscription.ready
    } catch (error) {
      this.#take(session, number)?.stop()
      throw error
    }
  }

  lost(session: Session): void {
    const watches = this.#sessions.get(session)
    this.#sessions.delete(session)
    for (const watch of watches?.values() ?? []) watch.stop()
  }

  /** Watches that peers have open. */
  get count(): number {
    let count = 0
    for (const watches of this.#sessions.values()) count += watches.size
    return count
  }

  #of(session: Session): Map<number, PeerWatch> {
    if (session.loss !== undefined) throw session.loss.error
    const watches = this.#sessions.get(session) ?? new Map<number, PeerWatch>()
    this.#sessions.set(session, watches)
    return watches
  }

  #take(session: Session, number: number): PeerWatch | undefined {
    const watches = this.#sessions.get(session)
    const watch = watches?.get(number)
    watches?.delete(number)
    return watch
  }
}

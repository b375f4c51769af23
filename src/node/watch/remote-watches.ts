import type { SiteId } from '../../address/identity.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { Clock } from '../../io/clock.js'
import type { Random } from '../../io/random.js'
import type { WatchNotice } from '../../wire/message.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Peers } from '../peers.js'
import type { Session } from '../session/session.js'
import { RemoteWatch } from './remote-watch.js'
import type { HomeWatchSink, Subscription, WatchSink, WatchTarget } from './watch-sink.js'

export interface RemoteWatchesOptions {
  readonly clock: Clock
  readonly random: Random
  readonly peers: Peers
  /** The site that knows of the region's changes: its home, or the node of a client. */
  readonly where: (target: WatchTarget, options: WaitOptions) => Promise<SiteId | 'here'>
  readonly learned: (descriptor: RegionDescriptor) => void
  /** See `WatchLink.watchHere`. */
  readonly watchHere: (target: WatchTarget, sink: HomeWatchSink) => Subscription
}

/** The watches that this site keeps at others, by the numbers under which it has registered them. */
export class RemoteWatches {
  readonly #options: RemoteWatchesOptions
  readonly #byNumber = new Map<number, RemoteWatch>()
  #number = 0

  constructor(options: RemoteWatchesOptions) {
    this.#options = options
  }

  /** `timeoutMs`: how long the first answer may take; later ones are waited for until `stop`. */
  subscribe(
    target: WatchTarget,
    sink: WatchSink,
    timeoutMs: number,
    start: 'new' | 'continued' = 'new',
  ): Subscription {
    const { clock, random, peers, where, watchHere, learned } = this.#options
    const watch = new RemoteWatch(
      {
        clock,
        random,
        where,
        watchHere,
        learned,
        call: (site, call, options) => peers.call(site, call, options),
        open: (opened) => {
          this.#number += 1
          this.#byNumber.set(this.#number, opened)
          return this.#number
        },
        close: (number, site) => {
          this.#byNumber.delete(number)
          void this.#unwatch(number, site)
        },
      },
      target,
      sink,
    )
    void watch.run(timeoutMs, start)
    return watch
  }

  onNotice(session: Session, { watch, news }: WatchNotice): void {
    this.#byNumber.get(watch)?.onNews(session.peer.site, news)
  }

  /** Whether changes at the site are watched. */
  isAt(site: SiteId): boolean {
    for (const watch of this.#byNumber.values()) if (watch.site === site) return true
    return false
  }

  lost(session: Session): void {
    for (const watch of [...this.#byNumber.values()]) watch.onLost(session.peer.site)
  }

  /** Never rejects. Without a session there is nothing to be ended. */
  async #unwatch(watch: number, site: SiteId): Promise<void> {
    const { peers } = this.#options
    if (peers.get(site) === undefined) return
    try {
      await peers.call(site, { op: 'unwatch', watch }, {})
    } catch {
      // The peer ends it with the session at the latest; notices of the number go nowhere until then.
    }
  }
}

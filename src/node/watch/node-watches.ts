import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId, SiteId } from '../../address/identity.js'
import { isNode } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { Random } from '../../io/random.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { Result, WatchNotice } from '../../wire/message.js'
import { defaultTimeoutMs } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Home } from '../home/home.js'
import type { Peers } from '../peers.js'
import type { Session } from '../session/session.js'
import { OwnWatches } from './own-watches.js'
import type { Watched } from './own-watches.js'
import { PeerWatches } from './peer-watches.js'
import type { WatchCall } from './peer-watches.js'
import { RemoteWatches } from './remote-watches.js'
import type { Watch, WatchOptions } from './watch.js'
import type { Subscription, WatchSink, WatchTarget } from './watch-sink.js'

export interface NodeWatchesOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly home: Home
  readonly peers: Peers
  /** The home of the region that has the address. Throws `no-such-region`, `unreachable`. */
  readonly locate: (address: Address, options: WaitOptions) => Promise<NodeId>
  /** A node that was asked knows of another home. */
  readonly learned: (descriptor: RegionDescriptor) => void
}

/**
 * All watching at a node. The home of a region tells those who watch it: programs of its own, its clients, other nodes.
 * Those in turn watch for their programs and clients, with one registration at the home for each.
 */
export class NodeWatches {
  readonly #options: NodeWatchesOptions
  readonly #own: OwnWatches
  readonly #peers: PeerWatches
  readonly #remote: RemoteWatches

  constructor(options: NodeWatchesOptions) {
    const { clock, random, peers } = options
    this.#options = options
    this.#remote = new RemoteWatches({
      clock,
      random,
      peers,
      where: (target, wait) => this.#homeOf(target, wait),
      learned: options.learned,
      watchHere: (target, sink) => options.home.watch(target, sink),
    })
    this.#own = new OwnWatches(clock, (target, sink, timeoutMs) => this.#subscribe(target, sink, timeoutMs))
    this.#peers = new PeerWatches((target, sink, { peer }) =>
      // A node asks the home, and nobody else: what is not homed here it must look for anew.
      isNode(peer.site) ? options.home.watch(target, sink) : this.#subscribe(target, sink, defaultTimeoutMs),
    )
  }

  /** For a program of this node's process. */
  watch(watched: Watched, options: WatchOptions): Promise<Watch> {
    return this.#own.open(watched, options)
  }

  /** For a peer. */
  serve(session: Session, call: WatchCall): Promise<Result> {
    return this.#peers.serve(session, call)
  }

  onNotice(session: Session, notice: WatchNotice): void {
    this.#remote.onNotice(session, notice)
  }

  sessionLost(session: Session): void {
    this.#peers.lost(session)
    this.#remote.lost(session)
  }

  /** Whether changes at the node are watched from here. */
  isAt(node: SiteId): boolean {
    return this.#remote.isAt(node)
  }

  /** Watches that peers have here. */
  get peerCount(): number {
    return this.#peers.count
  }

  close(error: KhazanaError): void {
    this.#own.close(error)
  }

  #subscribe(target: WatchTarget, sink: WatchSink, timeoutMs: number): Subscription {
    const { home } = this.#options
    if (home.find(target.address) === undefined) return this.#remote.subscribe(target, sink, timeoutMs)
    let follows: Subscription | undefined
    let isOver = false
    const here = home.watch(target, {
      changes: (changes) => {
        sink.changes(changes)
      },
      dropped: (count) => {
        sink.dropped(count)
      },
      ended: (error) => {
        sink.ended(error)
      },
      moved: () => {
        if (!isOver) follows = this.#remote.subscribe(target, sink, timeoutMs, 'continued')
      },
    })
    return {
      ready: here.ready,
      stop: () => {
        isOver = true
        here.stop()
        follows?.stop()
      },
    }
  }

  async #homeOf({ address }: WatchTarget, wait: WaitOptions): Promise<NodeId | 'here'> {
    const { locate, self } = this.#options
    const home = await locate(address, wait)
    return home === self ? 'here' : home
  }
}

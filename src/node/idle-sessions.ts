import type { SiteId } from '../address/identity.js'
import type { Clock, Timer } from '../io/clock.js'
import type { Peers } from './peers.js'
import type { ReplicaSet } from './replica-set.js'
import type { Session } from './session/session.js'

export interface IdleSessionsOptions {
  readonly clock: Clock
  /** For how many milliseconds a session must have been of no use before it is let go. */
  readonly idleMs: number
  readonly peers: Peers
  readonly replicas: Pick<ReplicaSet, 'lastUses' | 'giveUp' | 'giveUpUnreached'>
  /** Whether the node is one with which there is to be a session always. */
  readonly isKept: (node: SiteId) => boolean
  /** Whether changes at the node are watched from here. */
  readonly isWatched: (node: SiteId) => boolean
  /** Called each time that all sessions have been looked at. */
  readonly looked: () => void
}

/** How often in the time after which a session is idle it is looked at whether it is. */
const looksPerIdleTime = 4

/**
 * Lets sessions with other nodes go that nobody uses. Each side knows its own use alone: its requests and the other's that it
 * carries out, its copies of what the other is the home of, ways of its clients to there, watches. So it takes both, and two
 * steps: who finds a session idle says `part`, and from then on uses nothing that comes under it; the other ends it, or
 * answers `stay`. As the stream is in order, whoever ends it has heard all that the peer gave up, and knows that neither
 * side has a right at the other: no lease needs to be waited for, and a new session may begin at once.
 *
 * A request that was sent after `part` and is answered by the end was not heard, and is sent again in another session.
 * Rejected: to end an idle session with a goodbye of one side. What the other is just asking would be of unknown outcome.
 */
export class IdleSessions {
  readonly #options: IdleSessionsOptions
  readonly #endings = new Set<Promise<unknown>>()
  /** When the peer said last that it has use for the session: it is not asked again soon. */
  readonly #stayedAt = new WeakMap<Session, number>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: IdleSessionsOptions) {
    this.#options = options
  }

  start(): void {
    const { clock, idleMs } = this.#options
    if (this.#isClosed) return
    this.#timer = clock.after(idleMs / looksPerIdleTime, () => {
      this.#look()
      this.start()
    })
  }

  /** The peer finds the session idle. */
  onPart(session: Session): void {
    if (this.#isClosed || this.#isOfUse(session, this.#options.replicas.lastUses())) {
      session.send({ kind: 'stay' })
      return
    }
    const ending = session.close('parted')
    this.#endings.add(ending)
    void ending.then(() => this.#endings.delete(ending))
  }

  /** The peer needs the session. */
  onStay(session: Session): void {
    this.#stayedAt.set(session, this.#options.clock.now())
  }

  /** Lets nothing go any more. Resolves when the connections of what was let go are closed. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await Promise.all(this.#endings)
  }

  #look(): void {
    const { clock, idleMs, peers, replicas, looked } = this.#options
    const uses = replicas.lastUses()
    for (const session of [...peers.nodes()]) {
      const mayAsk = clock.now() - (this.#stayedAt.get(session) ?? -Infinity) >= idleMs
      if (mayAsk && session.connected && !session.isParting && !this.#isOfUse(session, uses)) session.part()
    }
    replicas.giveUpUnreached(clock.now() - idleMs)
    looked()
  }

  /** What is of no use is given up by this. */
  #isOfUse(session: Session, uses: ReadonlyMap<SiteId, number>): boolean {
    const { clock, idleMs, peers, replicas, isKept, isWatched } = this.#options
    const { site } = session.peer
    if (isKept(site) || isWatched(site) || peers.isBusy(site)) return true
    const lastUse = Math.max(peers.lastUse(site), uses.get(site) ?? -Infinity)
    return clock.now() - lastUse < idleMs || !replicas.giveUp(session)
  }
}

import { clientSite, clientSiteMin, isNode } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { World } from '../io/world.js'
import { KhazanaError } from '../stdx/errors.js'
import { sharedAbortController } from '../stdx/shared-abort.js'
import type { Hello, SequencedMessage } from '../wire/message.js'
import type { Membership } from './cluster/membership.js'
import { ClientLeases } from './client-leases.js'
import { IdleSessions } from './idle-sessions.js'
import type { Lessees } from './lessees.js'
import { NodeDialers } from './node-dialers.js'
import type { NodeIdentity } from './node-record.js'
import { Peers } from './peers.js'
import type { ReplicaSet } from './replica-set.js'
import { Acceptor } from './session/acceptor.js'
import type { SessionContext } from './session/handshake.js'
import { defaultSessionLimits } from './session/session-limits.js'
import type { PeerIdentity, Session, SessionHandlers, SessionLoss } from './session/session.js'
import { Traffic } from './session/traffic.js'
import { SiblingLines } from './sibling-lines.js'

export interface NodeSessionsOptions {
  readonly world: World
  readonly identity: NodeIdentity
  readonly incarnation: number
  /** `host:port`, empty where it accepts nothing over TCP. */
  readonly listen: () => string
  readonly leaseMs: number
  readonly idleMs: number
  readonly allocate: (bytes: number) => Uint8Array
  readonly lessees: Lessees
  /** Not asked for before the node is put together, like what follows. */
  readonly replicas: () => ReplicaSet
  readonly members: () => Membership
  /** Whether changes at the node are watched from here. */
  readonly isWatched: (node: SiteId) => boolean
  /** Home groups, as far as they bear on sessions. */
  readonly groups: () => {
    /** For how many milliseconds from now a peer may rely on what this node grants. */
    leaseLimit(): number
    /** Whether a session with the node must be there. */
    needs(node: SiteId): boolean
  }
  /** Why nobody is let in any more. */
  readonly closed: () => KhazanaError | undefined
  /** A session has begun: requests can go through it. */
  readonly up: (session: Session) => void
  readonly message: (session: Session, message: SequencedMessage, pages: readonly Uint8Array[]) => void
  /** Before anything dials the node anew. */
  readonly lost: (session: Session, loss: SessionLoss) => void
}

/** The sessions of a node with others and with clients: who is let in, who is dialed, and what is let go when nobody uses it. */
export class NodeSessions {
  readonly peers: Peers
  readonly siblings: SiblingLines
  readonly dialers: NodeDialers
  readonly acceptor: Acceptor
  readonly idle: IdleSessions
  readonly traffic = new Traffic()
  readonly #options: NodeSessionsOptions
  #clientNumber = clientSiteMin
  readonly #clientLeases: ClientLeases
  readonly #closing = sharedAbortController()

  constructor(options: NodeSessionsOptions) {
    this.#options = options
    const { world, leaseMs, idleMs, lessees, replicas, members, isWatched, groups } = options
    this.#clientLeases = new ClientLeases(world.clock, leaseMs)
    this.peers = new Peers(world.clock, (site) => this.dialers.want(site as NodeId))
    this.siblings = new SiblingLines({
      sessionCount: () => this.peers.nodeCount,
      want: (node) => this.dialers.want(node),
    })
    const context = this.#context()
    this.acceptor = new Acceptor({
      ...context,
      identity: () => this.#self(),
      leaseMs,
      admit: (hello) => this.#admit(hello),
      crossing: (hello) => this.dialers.crossing(hello),
      latest: (peer) => this.dialers.latest(peer),
    })
    this.dialers = new NodeDialers({
      ...context,
      world,
      self: () => ({ ...this.#self(), role: 'node' }),
      beforeDialing: () => lessees.mark(),
      endpointOf: (peer) => members().endpointOf(peer),
      hasSession: (peer) => this.peers.get(peer) !== undefined,
      mayOpen: (peer) => !replicas().isEnding(peer),
      isAdmitting: (peer) => this.acceptor.isAdmitting(peer),
      isNeeded: (peer) => this.peers.isBusy(peer) || replicas().needs(peer) || groups().needs(peer),
      failed: (peer, error) => {
        this.peers.failed(peer, error)
      },
    })
    this.idle = new IdleSessions({
      clock: world.clock,
      idleMs,
      peers: this.peers,
      get replicas() {
        return replicas()
      },
      isKept: (peer) => this.dialers.isKept(peer) || groups().needs(peer),
      isKeptByAll: () => members().isManager,
      isWatched,
      looked: () => {
        this.siblings.forget()
      },
    })
  }

  #context(): SessionContext {
    const { world, allocate } = this.#options
    return {
      clock: world.clock,
      logger: world.logger,
      limits: defaultSessionLimits,
      traffic: this.traffic,
      allocate,
      leaseLimit: (peer) => this.#leaseLimit(peer),
      open: (session) => this.#onSession(session),
    }
  }

  #self() {
    const { identity, incarnation, listen } = this.#options
    const { cluster, node, name } = identity
    return { cluster, site: node, incarnation, name, listen: listen() }
  }

  async #admit(hello: Hello): Promise<SiteId> {
    const { closed, replicas, members, lessees } = this.#options
    const error = closed()
    if (error !== undefined) throw error
    if (hello.site !== 0 && replicas().isEnding(hello.site)) {
      throw new KhazanaError(
        'busy',
        'rights of an earlier session may still be in use: come back after a lease',
      )
    }
    await lessees.mark()
    if (hello.role === 'node') return members().admit(hello)
    this.#clientNumber += 1
    return clientSite(this.#clientNumber)
  }

  #onSession(session: Session): SessionHandlers {
    const { up, message, lost } = this.#options
    if (isNode(session.peer.site)) this.dialers.sessionUp(session)
    this.peers.up(session)
    up(session)
    return {
      message: (one, pages) => {
        message(session, one, pages)
      },
      lost: (loss) => {
        this.peers.lost(session, loss)
        lost(session, loss)
        if (isNode(session.peer.site)) this.dialers.sessionLost(session)
      },
    }
  }

  /**
   * What rests on this node's lease at the coordinator ends with it. A client's rights are part of this node's own, and must not outlive them. Which of its rights the client will have
   * is not known when its lease is renewed, so the shortest of this node's leases counts. One that has not begun has
   * given no rights yet; one that has run out has ended its session.
   */
  #leaseLimit(peer: PeerIdentity): number {
    const now = this.#options.world.clock.now()
    let limit = this.#options.groups().leaseLimit()
    if (peer.role === 'node') return limit
    for (const { validUntil } of this.peers.nodes()) {
      if (validUntil > -Infinity) limit = Math.min(limit, Math.max(0, validUntil - now))
    }
    this.#clientLeases.granted(limit)
    return limit
  }

  /** Resolves when no client of this node has a lease that lasts longer than the session, which bounds what they are granted from then on. Rejects where it is lost before. */
  covers(session: Session): Promise<void> {
    return this.#clientLeases.coveredBy(session, this.#closing.signal)
  }

  /**
   * Clients first: only when they have nothing any more may other nodes be told that nothing is left here. Where a
   * client does not answer, nobody is told, and leases take their course. `isInGrace`: rights from before may still be in use.
   */
  async close(isInGrace: boolean): Promise<void> {
    const { replicas, lessees } = this.#options
    this.acceptor.stop()
    this.#closing.abort(new KhazanaError('closed', 'the node has closed'))
    const idle = this.idle.close()
    const wasInDoubt = isInGrace || replicas().hasEnding
    const hadNodes = this.peers.nodes().next().done !== true
    const clients = await this.acceptor.close('client')
    if (clients === 'unanswered') {
      this.dialers.abandon()
      this.acceptor.abandon()
      await idle
      return
    }
    await Promise.all([this.dialers.close(), this.acceptor.close('node'), idle])
    // Other nodes may have clients who have not heard yet.
    if (!hadNodes && !wasInDoubt) await lessees.unmark()
  }
}

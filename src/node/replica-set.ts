import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Timer } from '../io/clock.js'
import type { RegionAttributes } from '../address/descriptor.js'
import type { AnyProtocol } from '../consistency/contract.js'
import { KhazanaError } from '../stdx/errors.js'
import type { WaitOptions } from '../io/deadline.js'
import { isKeptAlike } from './kept-alike.js'
import { isChildSession } from './region-message.js'
import type { RegionMessage } from './region-message.js'
import { RegionRouter } from './region-router.js'
import type { RegionKnowledge } from './region-router-options.js'
import { RegionSwitches } from './region-switches.js'
import { Relay } from './relay.js'
import { RelayedClients } from './relayed-clients.js'
import { Replica } from './replica/replica.js'
import type { ReplicaRole } from './replica/role.js'
import { SessionPost } from './replica/session-post.js'
import type { SiteEnvironment } from './replica/site-environment.js'
import type { Session, SessionLoss } from './session/session.js'
import { unreserved } from './unreserved.js'

export interface ReplicaSetOptions extends RegionKnowledge {
  /** Undefined for a client. */
  readonly self: NodeId | undefined
  readonly environment: Omit<
    SiteEnvironment,
    'session' | 'parentSession' | 'gone' | 'post' | 'want' | 'canReach' | 'isNode'
  >
  readonly protocol: (attributes: RegionAttributes) => AnyProtocol
  /** A region whose home says that it is no more. */
  readonly gone: (region: Address) => void
  /** A session with the peer would be of use, and there is none. A client, which keeps its one session anyway, has none. */
  readonly want?: (peer: SiteId) => void
  /** A token was to be handed straight to another node: it was, or there is no session to do so. */
  readonly handed?: (sibling: SiteId, how: 'straight' | 'by-the-home') => void
  /**
   * Resolves when nobody who has rights by this site has a lease that outlives the session's, which then stays so. Rejects where the session
   * is lost before. Undefined where nobody has rights by it.
   */
  readonly covers?: (session: Session) => Promise<void>
}

/** All regions at one site, and the live sessions through which their managers talk. */
export class ReplicaSet {
  readonly #options: ReplicaSetOptions
  readonly #environment: SiteEnvironment
  readonly #replicas = new Map<Address, Replica>()
  readonly #sessions = new Map<SiteId, Session>()
  /** Those of them by which rights of peers may be had: a node passes them on to its clients. */
  readonly #parents = new Map<SiteId, Session>()
  /** Peers whose session is lost while they may still use their rights. */
  readonly #ending = new Map<SiteId, Timer>()
  #closed: KhazanaError | undefined
  readonly #post = new SessionPost()
  readonly #relay: Relay
  readonly #relayed = new RelayedClients((region) => this.#replicas.get(region))
  readonly #router: RegionRouter
  readonly switches: RegionSwitches

  constructor(options: ReplicaSetOptions) {
    this.#options = options
    const session = (peer: SiteId): Session | undefined => this.#sessions.get(peer)
    const parentSession = (peer: SiteId): Session | undefined => this.#parents.get(peer)
    const post = this.#post
    const want = (peer: SiteId): void => options.want?.(peer)
    this.#relay = new Relay({
      post,
      session: (peer) => (isNode(peer) ? parentSession(peer) : session(peer)),
      want,
    })
    this.switches = new RegionSwitches({
      clock: options.environment.clock,
      replica: (region) => this.#replicas.get(region),
      children: (descriptor) =>
        [...this.#sessions.values()].filter((each) => isChildSession(options.self, descriptor, each)),
      ending: () => this.#ending.keys(),
      notify: (to, { address, generation, era }, notice) => {
        post.send(to, { kind: 'region-notice', region: address, generation, era, client: 0, notice }, [])
      },
      mayArrive: (region) => options.mayArrive(region),
      unsealed: (region) => {
        this.#router.letThrough(region)
      },
    })
    this.#environment = {
      ...options.environment,
      isNode: options.self !== undefined,
      post,
      session,
      parentSession,
      want,
      canReach: (sibling) => this.#canReach(sibling),
      gone: ({ address, generation }) => {
        options.gone(address)
        const replica = this.#replicas.get(address)
        if (replica?.descriptor.generation === generation) this.close(replica, unreserved())
      },
    }
    this.#router = new RegionRouter({
      ...options,
      logger: options.environment.logger,
      post,
      relay: this.#relay,
      relayed: this.#relayed,
      switches: this.switches,
      regions: {
        get: (region) => this.#replicas.get(region),
        open: (descriptor, role) => this.open(descriptor, role),
        close: (replica, error) => {
          this.close(replica, error)
        },
        gone: (descriptor) => {
          this.#environment.gone(descriptor)
        },
      },
    })
  }

  get(region: Address): Replica | undefined {
    return this.#replicas.get(region)
  }

  all(): Iterable<Replica> {
    return this.#replicas.values()
  }

  /** Regions that clients here use at homes elsewhere, in protocols that are stars: for those who watch a node. */
  get wayCount(): number {
    return this.#relay.wayCount
  }

  /** Whether this site, or a client by way of it, has to do with the region under this reservation. */
  isInUse(descriptor: RegionDescriptor): boolean {
    const { address, generation } = descriptor
    return this.get(address)?.descriptor.generation === generation || this.#relay.isInUse(descriptor)
  }

  session(peer: SiteId): Session | undefined {
    return this.#sessions.get(peer)
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values()
  }

  /**
   * The replica of the region, made where there is none, or where the one there is of an earlier reservation. What is known there
   * of a later era counts, and not what is asked for. Throws `closed`, `unsupported`, and `no-such-region` where the descriptor is the one of an earlier reservation.
   */
  open(descriptor: RegionDescriptor, role: ReplicaRole): Replica {
    if (this.#closed !== undefined) throw this.#closed
    const existing = this.#replicas.get(descriptor.address)
    if (existing !== undefined && existing.descriptor.generation > descriptor.generation) throw unreserved()
    if (existing?.descriptor.generation === descriptor.generation) {
      if (existing.descriptor.era >= descriptor.era) return existing
      const isAlike = isKeptAlike(existing.descriptor.attributes, descriptor.attributes)
      const isCopyStill = isAlike && existing.role.kind === 'copy' && role.kind === 'copy'
      if (isCopyStill && existing.isStar) existing.rehome(descriptor, role)
      else {
        const protocol = this.#options.protocol(descriptor.attributes)
        if (isCopyStill) existing.goOnAsCopy(descriptor, role, protocol, switched())
        else existing.switchTo(descriptor, role, protocol, switched())
      }
      return existing
    }
    if (existing !== undefined) this.close(existing, unreserved())
    const protocol = this.#options.protocol(descriptor.attributes)
    const replica = new Replica(this.#environment, descriptor, role, protocol)
    this.#replicas.set(descriptor.address, replica)
    const session = role.kind === 'copy' ? this.#parents.get(role.parent) : undefined
    if (session !== undefined) replica.parentReady(session)
    else if (role.kind === 'copy') this.#environment.want(role.parent)
    this.switches.onOpened(replica)
    return replica
  }

  /**
   * The region has another home, which is, or was, this node. Where nothing here can use it, as what it names is not registered,
   * everything else goes on.
   */
  move(before: RegionDescriptor, after: RegionDescriptor, role: ReplicaRole): void {
    this.#relay.learned(after)
    this.#options.learned(after)
    const replica = this.#replicas.get(after.address)
    if (replica?.descriptor.generation === after.generation) {
      try {
        this.open(after, role)
      } catch (reason) {
        this.close(replica, KhazanaError.from(reason))
      }
    }
    this.switches.handOver(before, after)
  }

  /** It is decided that the region does not come here: what was held back for that is heard, and all goes on. */
  stayedAway(region: Address): void {
    this.switches.onStayedAway(region)
    this.#router.letThrough(region)
  }

  /** This site is the home of the region now, in a new era, in place of one that is gone: copies and ways here become the home's. */
  seat(descriptor: RegionDescriptor, role: ReplicaRole): void {
    const isUsed = this.isInUse(descriptor)
    this.#relay.learned(descriptor)
    this.#options.learned(descriptor)
    const replica = this.#replicas.get(descriptor.address)
    if (replica?.descriptor.generation === descriptor.generation) {
      try {
        this.open(descriptor, role)
      } catch (reason) {
        this.close(replica, KhazanaError.from(reason))
      }
    }
    if (isUsed) this.switches.takeOver(descriptor)
  }

  /** This site is the home of the region no more, and does not know who is: it is looked for. */
  unseat(replica: Replica, error: KhazanaError): void {
    const { self } = this.#options
    if (self === undefined || this.#closed !== undefined) return
    const { descriptor } = replica
    const protocol = this.#options.protocol(descriptor.attributes)
    // Clients of this node are as cut off as it is; they are told to begin anew when there is a home again.
    if (replica.isStar) {
      for (const session of this.#sessions.values()) {
        if (isNode(session.peer.site)) continue
        const { address: region, generation, era } = descriptor
        const notice = { kind: 'severed' } as const
        this.#post.send(session, { kind: 'region-notice', region, generation, era, client: 0, notice }, [])
      }
    }
    replica.goOnAsCopy({ ...descriptor, home: self }, { kind: 'copy', parent: self }, protocol, error)
  }

  close(replica: Replica, error: KhazanaError): void {
    if (this.#replicas.get(replica.descriptor.address) === replica) {
      this.#replicas.delete(replica.descriptor.address)
    }
    replica.close(error)
  }

  sessionUp(session: Session): void {
    const peer = session.peer.site
    this.#sessions.set(peer, session)
    this.switches.onSession(session)
    const { covers } = this.#options
    if (covers === undefined || !isNode(session.peer.site)) this.#mayBeParent(session)
    else void this.#whenCovered(session, covers)
  }

  /** Never rejects. */
  async #whenCovered(session: Session, covers: (session: Session) => Promise<void>): Promise<void> {
    try {
      await covers(session)
    } catch {
      // It was lost before, and `sessionLost` has all that follows; or this node closes.
      return
    }
    if (this.#sessions.get(session.peer.site) === session) this.#mayBeParent(session)
  }

  #mayBeParent(session: Session): void {
    const peer = session.peer.site
    this.#parents.set(peer, session)
    for (const replica of this.#replicas.values()) if (isChildOf(replica, peer)) replica.parentReady(session)
    this.#relay.homeFound(peer)
  }

  /**
   * This site's rights at the peer are void at once. The peer's rights here end when nobody can be using them any more:
   * until then they stand, and no new session with that peer may begin.
   */
  sessionLost(session: Session, { rightsEndAt }: SessionLoss): void {
    const peer = session.peer.site
    if (this.#sessions.get(peer) !== session) return
    this.#sessions.delete(peer)
    this.#parents.delete(peer)
    for (const replica of [...this.#replicas.values()]) if (isChildOf(replica, peer)) replica.parentLost()
    this.#siblingLost(peer)
    this.#relay.homeLost(peer)
    this.switches.onParentLost(peer)
    this.#wantAgain(peer)
    // Nothing begins here any more that would have to wait.
    if (this.#closed !== undefined) return
    const { clock } = this.#environment
    const delayMs = rightsEndAt - clock.now()
    if (delayMs <= 0) this.#childLost(peer)
    else {
      const end = clock.after(delayMs, () => {
        this.#ending.delete(peer)
        this.#siblingLost(peer)
        this.#childLost(peer)
      })
      this.#ending.set(peer, end)
    }
  }

  /** Regions of which there is anything here, or at clients of this node, and whose home is there as far as is known. */
  knownAt(home: NodeId): Address[] {
    const regions = this.#relay.regionsAt(home)
    for (const replica of this.#replicas.values()) {
      if (isChildOf(replica, home)) regions.push(replica.descriptor.address)
    }
    return regions
  }

  /** Regions that are in use here, or by clients of this node, and whose home, as far as is known here, cannot be talked to. */
  strandedAt(home: NodeId): Address[] {
    const regions = new Set(this.#relay.regionsAt(home, 'severed'))
    for (const replica of this.#replicas.values()) {
      if (isChildOf(replica, home) && replica.isStranded) regions.add(replica.descriptor.address)
    }
    return [...regions]
  }

  /** The region was looked for, and found. Throws nothing: where nothing here can use it, its replica ends. */
  found(descriptor: RegionDescriptor): void {
    this.#router.found(descriptor)
  }

  /** Whether rights of an earlier session with the peer may still be in use. */
  isEnding(peer: SiteId): boolean {
    return this.#ending.has(peer)
  }

  /** Whether rights of any earlier session may still be in use. */
  get hasEnding(): boolean {
    return this.#ending.size > 0
  }

  /**
   * No token comes from there any more: copies ask anew. Told when the session is lost, and again when the peer must have
   * heard of the loss, too: between the two it may have sent another, which is lost.
   */
  #siblingLost(peer: SiteId): void {
    if (!isNode(peer)) return
    for (const replica of [...this.#replicas.values()]) {
      if (replica.role.kind === 'copy' && replica.role.parent !== peer) replica.siblingLost(peer)
    }
  }

  /** Not while the lease has run out: the peer's side of the session may be over then, which nobody here would hear of. */
  #canReach(sibling: SiteId): boolean {
    const session = this.#sessions.get(sibling)
    const now = this.#options.environment.clock.now()
    const isOpen = session?.connected === true && session.writable && now < session.validUntil
    if (isOpen || session === undefined) this.#options.handed?.(sibling, isOpen ? 'straight' : 'by-the-home')
    return isOpen
  }

  // ---- what sessions are of use for ---------------------------------------------------------------------------------

  /** Without a session with the peer: whether one must come by itself. */
  needs(peer: SiteId): boolean {
    if (this.#relay.leadsTo(peer)) return true
    for (const replica of this.#replicas.values())
      if (isChildOf(replica, peer) && replica.needsParent) return true
    return false
  }

  #wantAgain(peer: SiteId): void {
    if (this.#options.want !== undefined && isNode(peer) && this.needs(peer)) this.#options.want(peer)
  }

  /** When copies were last used, as far as it was seen, by their parent. */
  lastUses(): ReadonlyMap<SiteId, number> {
    const uses = new Map<SiteId, number>()
    for (const { role, lastUse } of this.#replicas.values()) {
      if (role.kind === 'copy') uses.set(role.parent, Math.max(lastUse, uses.get(role.parent) ?? -Infinity))
    }
    return uses
  }

  /** Gives up all that is held under the session, if it is not in use; answers whether nothing is. */
  giveUp(session: Session): boolean {
    const { site } = session.peer
    if (this.#relay.leadsTo(site) || this.switches.involves(site)) return false
    let isAll = true
    for (const replica of [...this.#replicas.values()]) {
      if (isChildOf(replica, site) && !replica.giveUp()) isAll = false
    }
    return isAll && session.writable && !this.#post.isWaiting(session)
  }

  /** Gives up copies that were not used since, and whose parent cannot be talked to: nobody need look for it for them. */
  giveUpUnreached(since: number): void {
    for (const replica of [...this.#replicas.values()]) {
      const { role, lastUse } = replica
      if (role.kind === 'copy' && !this.#sessions.has(role.parent) && lastUse <= since) replica.giveUp()
    }
  }

  #childLost(peer: SiteId): void {
    for (const replica of [...this.#replicas.values()]) {
      if (replica.role.kind === 'home' || !isNode(peer)) replica.childLost(peer)
    }
    if (isNode(peer)) this.#relayed.nodeLost(peer)
    else this.#relay.clientLost(peer)
    this.switches.onChildLost(peer)
  }

  /** Hands a message to whom it is for. For a client's unknown region, that is found first. Throws `protocol-error`. */
  deliver(from: Session, message: RegionMessage, payloads: readonly Uint8Array[]): void {
    this.#router.deliver(from, message, payloads)
  }

  /** Ends all locks here. Resolves when what was unlocked is durable, wherever that can be; throws why not everywhere. */
  async finish(options: WaitOptions): Promise<void> {
    const ends = await Promise.allSettled([...this.#replicas.values()].map((each) => each.finish(options)))
    for (const end of ends) if (end.status === 'rejected') throw KhazanaError.from(end.reason)
  }

  /** Ends all replicas. None is opened any more. */
  closeAll(error: KhazanaError): void {
    this.#closed = error
    this.switches.close(error)
    this.#router.close()
    for (const end of this.#ending.values()) end.cancel()
    this.#ending.clear()
    for (const replica of [...this.#replicas.values()]) this.close(replica, error)
  }
}

/** While this site was not asked whether it was in the middle of something. */
function switched(): KhazanaError {
  return new KhazanaError('context-broken', 'the protocol or the home of the region was changed')
}

function isChildOf(replica: Replica, peer: SiteId): boolean {
  return replica.role.kind === 'copy' && replica.role.parent === peer
}

import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode, relayedSite, relayOf } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Timer } from '../io/clock.js'
import type { RegionAttributes } from '../address/descriptor.js'
import type { AnyProtocol } from '../consistency/contract.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError, isErrorCode } from '../stdx/errors.js'
import type { CmEnvelope, Notice, PlainCmEnvelope, RegionNotice } from '../wire/message.js'
import type { WaitOptions } from './deadline.js'
import { RegionSwitches } from './region-switches.js'
import { Relay } from './relay.js'
import { Replica } from './replica/replica.js'
import type { ReplicaRole } from './replica/role.js'
import { SessionPost } from './replica/session-post.js'
import type { SiteEnvironment } from './replica/site-environment.js'
import type { Session, SessionLoss } from './session/session.js'

export interface ReplicaSetOptions {
  /** Undefined for a client. */
  readonly self: NodeId | undefined
  readonly environment: Omit<SiteEnvironment, 'session' | 'gone' | 'post'>
  readonly protocol: (attributes: RegionAttributes) => AnyProtocol
  /** What this node knows of the region, homed here or elsewhere. */
  readonly describe: (region: Address) => RegionDescriptor | undefined
  /** A newer descriptor than the one this site has. */
  readonly learned: (descriptor: RegionDescriptor) => void
  /**
   * Makes the replica for a region that a peer speaks of and this site has none of yet. Undefined where nothing is known of
   * it; throws `unsupported` where what it names is not registered here.
   */
  readonly find: (region: Address) => Replica | undefined
  /**
   * Learns of a region that a client speaks of and this site knows nothing of, or not the newest, so that `find` then knows.
   * Rejects where it cannot be learned.
   */
  readonly learn: (region: Address) => Promise<RegionDescriptor>
  /** A region whose home says that it is no more. */
  readonly gone: (region: Address) => void
}

/** What one manager, or its driver, says to another. */
type RegionMessage = CmEnvelope | PlainCmEnvelope | RegionNotice

interface Delivery {
  readonly from: Session
  readonly envelope: RegionMessage
  readonly payloads: readonly Uint8Array[]
}

/** Messages that wait for one region to be found. */
const heldMax = 1000

/** All regions at one site, and the live sessions through which their managers talk. */
export class ReplicaSet {
  readonly #options: ReplicaSetOptions
  readonly #environment: SiteEnvironment
  readonly #replicas = new Map<Address, Replica>()
  readonly #sessions = new Map<SiteId, Session>()
  /** Peers whose session is lost while they may still use their rights. */
  readonly #ending = new Map<SiteId, Timer>()
  /** Clients of other nodes, and the regions homed here that they have used. */
  readonly #relayed = new Map<SiteId, Map<Address, RelayedUse>>()
  #closed: KhazanaError | undefined
  /** Messages for regions that are being found, or that are sealed. */
  readonly #held = new Map<Address, Delivery[]>()
  readonly #post = new SessionPost()
  readonly #relay: Relay
  readonly switches: RegionSwitches

  constructor(options: ReplicaSetOptions) {
    this.#options = options
    const session = (peer: SiteId): Session | undefined => this.#sessions.get(peer)
    this.#relay = new Relay({ post: this.#post, session })
    this.switches = new RegionSwitches({
      clock: options.environment.clock,
      replica: (region) => this.#replicas.get(region),
      children: (descriptor) => this.#childrenOf(descriptor),
      ending: () => this.#ending.keys(),
      notify: (to, descriptor, notice) => {
        this.#notify(to, descriptor, 0, notice)
      },
      unsealed: (region) => {
        this.#letThrough(region)
      },
    })
    this.#environment = {
      ...options.environment,
      post: this.#post,
      session,
      gone: ({ address, generation }) => {
        options.gone(address)
        const replica = this.#replicas.get(address)
        if (replica?.descriptor.generation === generation) this.close(replica, unreserved())
      },
    }
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

  session(peer: SiteId): Session | undefined {
    return this.#sessions.get(peer)
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values()
  }

  /**
   * The replica of the region, made where there is none, or where the one there is of an earlier reservation. Throws `closed`,
   * `unsupported`, and `no-such-region` where the descriptor is the one of an earlier reservation.
   */
  open(descriptor: RegionDescriptor, role: ReplicaRole): Replica {
    if (this.#closed !== undefined) throw this.#closed
    const existing = this.#replicas.get(descriptor.address)
    if (existing !== undefined && existing.descriptor.generation > descriptor.generation) throw unreserved()
    if (existing?.descriptor.generation === descriptor.generation && isSameRole(existing.role, role)) {
      if (existing.descriptor.era < descriptor.era) {
        existing.switchTo(descriptor, this.#options.protocol(descriptor.attributes), anotherProtocol())
      }
      return existing
    }
    if (existing !== undefined) this.close(existing, unreserved())
    const protocol = this.#options.protocol(descriptor.attributes)
    const replica = new Replica(this.#environment, descriptor, role, protocol)
    this.#replicas.set(descriptor.address, replica)
    const session = role.kind === 'copy' ? this.#sessions.get(role.parent) : undefined
    if (session !== undefined) replica.parentReady(session)
    this.switches.onOpened(replica)
    return replica
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
    for (const replica of this.#replicas.values()) {
      if (isChildOf(replica, peer)) replica.parentReady(session)
      // Once more than at its loss: a token may have been sent between the two ends' hearing of that.
      else if (replica.role.kind === 'copy' && isNode(peer)) replica.siblingLost(peer)
    }
    this.#relay.homeFound(peer)
    this.switches.onSession(session)
  }

  /**
   * This site's rights at the peer are void at once. The peer's rights here end when nobody can be using them any more:
   * until then they stand, and no new session with that peer may begin.
   */
  sessionLost(session: Session, { rightsEndAt }: SessionLoss): void {
    const peer = session.peer.site
    if (this.#sessions.get(peer) !== session) return
    this.#sessions.delete(peer)
    for (const replica of [...this.#replicas.values()]) {
      if (isChildOf(replica, peer)) replica.parentLost()
      else if (replica.role.kind === 'copy' && isNode(peer)) replica.siblingLost(peer)
    }
    this.#relay.homeLost(peer)
    this.switches.onParentLost(peer)
    // Nothing begins here any more that would have to wait.
    if (this.#closed !== undefined) return
    const { clock } = this.#environment
    const delayMs = rightsEndAt - clock.now()
    if (delayMs <= 0) this.#childLost(peer)
    else {
      const end = clock.after(delayMs, () => {
        this.#ending.delete(peer)
        this.#childLost(peer)
      })
      this.#ending.set(peer, end)
    }
  }

  /** Whether rights of an earlier session with the peer may still be in use. */
  isEnding(peer: SiteId): boolean {
    return this.#ending.has(peer)
  }

  /** Whether rights of any earlier session may still be in use. */
  get hasEnding(): boolean {
    return this.#ending.size > 0
  }

  #childLost(peer: SiteId): void {
    for (const replica of [...this.#replicas.values()]) {
      if (replica.role.kind === 'home' || !isNode(peer)) replica.childLost(peer)
    }
    if (isNode(peer)) for (const client of this.#relayedBy(peer)) this.#relayedLost(client)
    else this.#relay.clientLost(peer)
    this.switches.onChildLost(peer)
  }

  /** Hands a message to whom it is for. For a client's unknown region, that is found first. Throws `protocol-error`. */
  deliver(from: Session, envelope: RegionMessage, payloads: readonly Uint8Array[]): void {
    if (this.#closed !== undefined || this.#isStale(from, envelope)) return
    const { region } = envelope
    if (this.switches.isSealed(region) && !this.#held.has(region)) this.#held.set(region, [])
    const held = this.#held.get(region)
    if (held !== undefined) {
      if (held.length < heldMax) held.push({ from, envelope, payloads })
      else this.#refuse(from, envelope, new KhazanaError('busy', 'too many messages wait for the region'))
      return
    }
    const isKnown = this.#isKnown(region, envelope)
    if (!isKnown && !isNode(from.peer.site)) void this.#learn(region, { from, envelope, payloads })
    else this.#handOver({ from, envelope, payloads })
  }

  /** A client of another era than this node's may know better. */
  #isKnown(region: Address, { generation, era }: RegionMessage): boolean {
    const known = this.#replicas.get(region)?.descriptor ?? this.#options.describe(region)
    if (known === undefined) return false
    return known.home === this.#options.self || known.generation !== generation || known.era >= era
  }

  #handOver({ from, envelope, payloads }: Delivery): void {
    // What a lost session said last is void with it.
    if (from.loss !== undefined || this.#isStale(from, envelope)) return
    switch (envelope.kind) {
      case 'cm':
        return this.#deliverCrew(from, envelope, payloads)
      case 'cm-plain':
        return this.#deliverPlain(from, envelope, payloads)
      case 'region-notice':
        return this.#deliverNotice(from, envelope)
      default:
        return unreachable(envelope)
    }
  }

  /** A client's, from before it was told to begin anew. */
  #isStale(from: Session, envelope: RegionMessage): boolean {
    const { site } = from.peer
    return envelope.kind === 'cm-plain' && !isNode(site) && this.#relay.isStale(site, envelope)
  }

  #deliverCrew(from: Session, envelope: CmEnvelope, payloads: readonly Uint8Array[]): void {
    const descriptor = this.#descriptorOf(envelope.region)
    if (descriptor?.generation !== envelope.generation) return this.#refuse(from, envelope, unreserved())
    if (!this.#isOfThisEra(descriptor, from, envelope, 0)) return
    this.#serve(from, envelope)?.onMessage(from.peer.site, envelope.body, payloads)
  }

  /** What is known here of the region. At its home, that is what the disk has. */
  #descriptorOf(region: Address): RegionDescriptor | undefined {
    const { self, describe } = this.#options
    const described = describe(region)
    return described !== undefined && described.home === self
      ? described
      : (this.#replicas.get(region)?.descriptor ?? described)
  }

  /** The replica that the message is for. Where there can be none, its sender is told why. */
  #serve(from: Session, envelope: CmEnvelope | PlainCmEnvelope): Replica | undefined {
    try {
      return this.#replicas.get(envelope.region) ?? this.#options.find(envelope.region)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'unsupported') throw reason
      this.#refuse(from, envelope, error)
      return undefined
    }
  }

  #deliverPlain(from: Session, envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): void {
    const { site } = from.peer
    const { region, client } = envelope
    const { self } = this.#options
    if (self === undefined) {
      const replica = this.#replicas.get(region)
      if (replica === undefined || !isOf(replica.descriptor, envelope)) return
      replica.onPlainMessage(site, envelope, payloads)
      return
    }
    if (client !== 0 && this.#relay.knows(site, client, region)) {
      this.#relay.toClient(client, envelope, payloads)
      return
    }
    const descriptor = this.#descriptorOf(region)
    if (descriptor?.generation !== envelope.generation) return this.#refuse(from, envelope, unreserved())
    if (descriptor.home === self) return this.#deliverToHome(from, envelope, payloads, descriptor)
    if (!isNode(site)) {
      if (this.#isOfThisEra(descriptor, from, envelope, 0))
        this.#relay.fromClient(from, envelope, payloads, descriptor)
    } else if (client === 0) {
      const replica = this.#replicas.get(region)
      if (replica !== undefined && isOf(replica.descriptor, envelope))
        replica.onPlainMessage(site, envelope, payloads)
    }
  }

  #deliverToHome(
    from: Session,
    envelope: PlainCmEnvelope,
    payloads: readonly Uint8Array[],
    descriptor: RegionDescriptor,
  ): void {
    const { site } = from.peer
    const { client } = envelope
    if (!this.#isOfThisEra(descriptor, from, envelope, client)) return
    const replica = this.#serve(from, envelope)
    if (replica === undefined) return
    if (client === 0 || !isNode(site)) {
      replica.onPlainMessage(site, envelope, payloads)
      return
    }
    const child = relayedSite(site, client)
    const use = this.#useOf(child, descriptor)
    if (envelope.link < use.linkMin) return
    try {
      replica.onPlainMessage(child, envelope, payloads)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'protocol-error') throw error
      // The node that relays is not to blame, nor is what the client does with other regions.
      this.#environment.logger.log('warn', 'a client of another node said what makes no sense', {
        node: site,
        client,
        reason: error.message,
      })
      use.linkMin = envelope.link + 1
      replica.childLost(child)
      this.#refuse(from, envelope, error)
    }
  }

  #useOf(child: SiteId, { address, era }: RegionDescriptor): RelayedUse {
    let uses = this.#relayed.get(child)
    if (uses === undefined) this.#relayed.set(child, (uses = new Map<Address, RelayedUse>()))
    const known = uses.get(address)
    if (known?.era === era) return known
    const use = { era, linkMin: 0 }
    uses.set(address, use)
    return use
  }

  /** Answers what is of an earlier era with the descriptor of this one. */
  #isOfThisEra(
    descriptor: RegionDescriptor,
    from: Session,
    { era }: RegionMessage,
    client: SiteId | 0,
  ): boolean {
    const isChild = this.#isChildSession(descriptor, from)
    if (era === descriptor.era) {
      if (isChild) this.switches.onUse(from, descriptor.address)
      return true
    }
    if (isChild && era < descriptor.era)
      this.#notify(from, descriptor, client, { kind: 'resume', descriptor })
    return false
  }

  #isChildSession(descriptor: RegionDescriptor, { peer }: Session): boolean {
    const { self } = this.#options
    return self !== undefined && (descriptor.home === self || !isNode(peer.site))
  }

  #childrenOf(descriptor: RegionDescriptor): Session[] {
    return [...this.#sessions.values()].filter((session) => this.#isChildSession(descriptor, session))
  }

  #deliverNotice(from: Session, message: RegionNotice): void {
    const { region, generation, client, notice } = message
    const { site } = from.peer
    // From the home, for a client here.
    if (client !== 0 && notice.kind !== 'client-lost') {
      if (!this.#relay.knows(site, client, region)) return
      // Before the client's way of the old era is forgotten.
      this.#relay.noticeToClient(client, message)
      if (notice.kind === 'resume') this.#learned(notice.descriptor)
      return
    }
    const replica = this.#replicas.get(region)
    const descriptor = this.#descriptorOf(region)
    const isParent = replica?.role.kind === 'copy' && replica.role.parent === site
    // What is said of the way to the home is meant for a star of the same era.
    const isOnItsWay = isParent && replica.isStar && isOf(replica.descriptor, message)
    switch (notice.kind) {
      case 'client-lost':
        if (isNode(site)) this.#relayedLost(relayedSite(site, notice.client))
        return
      case 'severed':
        if (isOnItsWay) replica.parentLost()
        return
      case 'joined':
        if (isOnItsWay) replica.parentReady(from, notice.link)
        return
      case 'refused': {
        const code = isErrorCode(notice.code) ? notice.code : 'internal'
        if (isOnItsWay) replica.refused(from, notice.link, new KhazanaError(code, notice.message))
        return
      }
      case 'suspend':
        // Of a region that is known otherwise, nothing can be in use.
        if (descriptor?.generation !== generation)
          this.#notifyAt(from, message, { kind: 'suspended', idle: true })
        else if (!this.#isChildSession(descriptor, from)) this.switches.onSuspend(from, descriptor)
        return
      case 'suspended':
        return this.switches.onSuspended(site, region)
      case 'resume':
        if (descriptor !== undefined && this.#isChildSession(descriptor, from)) return
        if (this.#options.self !== undefined && notice.descriptor.home !== site) return
        this.#learned(notice.descriptor)
        return this.switches.onResume(this.#replicas.get(region)?.descriptor ?? notice.descriptor)
      case 'gone':
        if (isParent && replica.descriptor.generation === generation)
          this.#environment.gone(replica.descriptor)
        return
      default:
        return unreachable(notice)
    }
  }

  /** What is newer than what is known takes effect. */
  #learned(descriptor: RegionDescriptor): void {
    this.#relay.learned(descriptor)
    const replica = this.#replicas.get(descriptor.address)
    const described = this.#options.describe(descriptor.address)
    if (described === undefined || isNewer(descriptor, described)) this.#options.learned(descriptor)
    if (replica === undefined || !isNewer(descriptor, replica.descriptor)) return
    try {
      this.open(descriptor, replica.role)
    } catch (reason) {
      // Its protocol is not registered here.
      this.close(replica, KhazanaError.from(reason))
    }
  }

  #notify(
    to: Session,
    { address, generation, era }: RegionDescriptor,
    client: SiteId | 0,
    notice: Notice,
  ): void {
    this.#post.send(to, { kind: 'region-notice', region: address, generation, era, client, notice }, [])
  }

  #notifyAt(to: Session, { region, generation, era }: RegionNotice, notice: Notice): void {
    this.#post.send(to, { kind: 'region-notice', region, generation, era, client: 0, notice }, [])
  }

  *#relayedBy(node: SiteId): Generator<SiteId> {
    for (const child of [...this.#relayed.keys()])
      if ((relayOf(child)?.node as SiteId | undefined) === node) yield child
  }

  /** Home: a client of another node is gone. */
  #relayedLost(child: SiteId): void {
    const regions = this.#relayed.get(child)?.keys() ?? []
    this.#relayed.delete(child)
    for (const region of regions) this.#replicas.get(region)?.childLost(child)
  }

  /** Never rejects. */
  async #learn(region: Address, first: Delivery): Promise<void> {
    const held = [first]
    this.#held.set(region, held)
    let failure: KhazanaError | undefined
    try {
      this.#learned(await this.#options.learn(region))
    } catch (reason) {
      failure = KhazanaError.from(reason)
    }
    this.#letThrough(region, failure)
  }

  /** What was held back is heard, or, with a failure, refused. */
  #letThrough(region: Address, failure?: KhazanaError): void {
    const held = this.#held.get(region) ?? []
    this.#held.delete(region)
    if (this.#closed !== undefined) return
    for (const delivery of held) {
      try {
        if (failure === undefined) this.#handOver(delivery)
        else if (!this.#isStale(delivery.from, delivery.envelope))
          this.#refuse(delivery.from, delivery.envelope, failure)
      } catch (reason) {
        // Nobody waits here for the session to judge: whoever spoke so is left without an answer.
        const { code, message } = KhazanaError.from(reason)
        if (code !== 'protocol-error') throw reason
        this.#environment.logger.log('warn', 'a message was not understood', { reason: message })
      }
    }
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
    this.#held.clear()
    for (const end of this.#ending.values()) end.cancel()
    this.#ending.clear()
    for (const replica of [...this.#replicas.values()]) this.close(replica, error)
  }

  /** Answers what asks for an answer. Only who can be its parent refuses a site anything. */
  #refuse(to: Session, envelope: RegionMessage, error: KhazanaError): void {
    if (envelope.kind === 'cm') refuseCrew(to, envelope, error)
    if (envelope.kind !== 'cm-plain' || this.#options.self === undefined) return
    const { region, generation, era, client, link } = envelope
    const { code, message } = error
    if (code === 'no-such-region') {
      const notice = { kind: 'gone' } as const
      this.#post.send(to, { kind: 'region-notice', region, generation, era, client, notice }, [])
    } else if (isNode(to.peer.site) || this.#options.describe(region)?.home === this.#options.self) {
      const notice = { kind: 'refused', code, message, link } as const
      this.#post.send(to, { kind: 'region-notice', region, generation, era, client, notice }, [])
    } else {
      this.#relay.refuse(to, envelope, error)
    }
  }
}

/** A client of another node in a region homed here. */
interface RelayedUse {
  readonly era: number
  /** What it says under an earlier link is from before it was refused. */
  linkMin: number
}

function refuseCrew(to: Session, envelope: CmEnvelope, { code, message }: KhazanaError): void {
  const { region, generation, era, body } = envelope
  if (body.kind === 'acquire') {
    const refusal = { kind: 'refuse', serial: body.serial, range: body.range, code, message } as const
    to.send({ kind: 'cm', region, generation, era, body: refusal })
  } else if (body.kind === 'commit' && body.final) {
    const refusal = { kind: 'uncommitted', commit: body.commit, code, message } as const
    to.send({ kind: 'cm', region, generation, era, body: refusal })
  }
}

export function unreserved(): KhazanaError {
  return new KhazanaError(
    'no-such-region',
    'the region does not exist (any more): it was never reserved, or unreserved',
  )
}

/** The protocol changed while this site was not asked whether it was in the middle of something. */
function anotherProtocol(): KhazanaError {
  return new KhazanaError('context-broken', 'the protocol of the region was changed')
}

/** Of one reservation. */
function isNewer(a: RegionDescriptor, b: RegionDescriptor): boolean {
  return a.generation === b.generation && a.era > b.era
}

function isOf({ generation, era }: RegionDescriptor, message: RegionMessage): boolean {
  return generation === message.generation && era === message.era
}

function isChildOf(replica: Replica, peer: SiteId): boolean {
  return replica.role.kind === 'copy' && replica.role.parent === peer
}

function isSameRole(a: ReplicaRole, b: ReplicaRole): boolean {
  return a.kind === 'copy' && b.kind === 'copy' ? a.parent === b.parent : a.kind === b.kind
}

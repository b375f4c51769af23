import type { Address } from '../address/address.js'
import type { RegionAttributes, RegionDescriptor } from '../address/descriptor.js'
import { isNode } from '../address/identity.js'
import type { SiteId } from '../address/identity.js'
import type { Timer } from '../io/clock.js'
import type { AnyProtocol, ProtocolDefinition } from '../consistency/contract.js'
import { KhazanaError } from '../stdx/errors.js'
import type { CmEnvelope } from '../wire/message.js'
import { Replica } from './replica/replica.js'
import type { ReplicaRole } from './replica/replica.js'
import type { SiteEnvironment } from './replica/site-environment.js'
import type { Session, SessionLoss } from './session/session.js'

export interface ReplicaSetOptions {
  readonly environment: Omit<SiteEnvironment, 'session' | 'gone'>
  /** What keeps a region with these attributes. Throws `unsupported`. */
  readonly protocol: (attributes: RegionAttributes) => AnyProtocol
  /** Makes the replica for a region that a peer speaks of and this site has none of yet, where it can. */
  readonly find: (region: Address) => Replica | undefined
  /**
   * Learns of a region that a client speaks of and this site knows nothing of, so that `find` then knows. Rejects where
   * it cannot be learned.
   */
  readonly learn: (region: Address) => Promise<unknown>
  /** A region whose home says that it is no more. */
  readonly gone: (region: Address) => void
}

interface Delivery {
  readonly from: Session
  readonly envelope: CmEnvelope
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
  #isClosed = false
  /** Messages for regions that are being found. */
  readonly #held = new Map<Address, Delivery[]>()

  constructor(options: ReplicaSetOptions) {
    this.#options = options
    this.#environment = {
      ...options.environment,
      session: (peer) => this.#sessions.get(peer),
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

  session(peer: SiteId): Session | undefined {
    return this.#sessions.get(peer)
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values()
  }

  /** The replica of the region, made where there is none, or where the one there is of an earlier reservation. */
  open(descriptor: RegionDescriptor, role: ReplicaRole): Replica {
    const existing = this.#replicas.get(descriptor.address)
    if (existing?.descriptor.generation === descriptor.generation && isSameRole(existing.role, role))
      return existing
    if (existing !== undefined) this.close(existing, unreserved())
    const protocol = this.#options.protocol(descriptor.attributes) as ProtocolDefinition
    const replica = new Replica(this.#environment, descriptor, role, protocol)
    this.#replicas.set(descriptor.address, replica)
    const session = role.kind === 'copy' ? this.#sessions.get(role.parent) : undefined
    if (session !== undefined) replica.parentReady(session)
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
    // Nothing begins here any more that would have to wait.
    if (this.#isClosed) return
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
  }

  /** Hands a message to the replica it is for. For a client's unknown region, that is found first. */
  deliver(from: Session, envelope: CmEnvelope, payloads: readonly Uint8Array[]): void {
    if (this.#isClosed) return
    const { region } = envelope
    const held = this.#held.get(region)
    if (held !== undefined) {
      if (held.length < heldMax) held.push({ from, envelope, payloads })
      else
        refuse(from, envelope, new KhazanaError('busy', 'too many messages wait for the region to be found'))
      return
    }
    const replica = this.#replicas.get(region) ?? this.#options.find(region)
    if (replica === undefined && !isNode(from.peer.site))
      void this.#learn(region, { from, envelope, payloads })
    else this.#handOver(replica, { from, envelope, payloads })
  }

  #handOver(replica: Replica | undefined, { from, envelope, payloads }: Delivery): void {
    // What a lost session said last is void with it.
    if (from.loss !== undefined) return
    if (replica?.descriptor.generation !== envelope.generation) refuse(from, envelope, unreserved())
    else replica.onMessage(from.peer.site, envelope.body, payloads)
  }

  /** Never rejects. */
  async #learn(region: Address, first: Delivery): Promise<void> {
    const held = [first]
    this.#held.set(region, held)
    let failure: KhazanaError | undefined
    try {
      await this.#options.learn(region)
    } catch (reason) {
      failure = KhazanaError.from(reason)
    }
    this.#held.delete(region)
    if (this.#isClosed) return
    const replica = this.#replicas.get(region) ?? this.#options.find(region)
    for (const delivery of held) {
      if (failure === undefined) this.#handOver(replica, delivery)
      else refuse(delivery.from, delivery.envelope, failure)
    }
  }

  /** Ends all replicas. None is opened any more. */
  closeAll(error: KhazanaError): void {
    this.#isClosed = true
    for (const end of this.#ending.values()) end.cancel()
    this.#ending.clear()
    for (const replica of [...this.#replicas.values()]) this.close(replica, error)
  }
}

/** Answers what asks for an answer. */
function refuse(
  to: Session,
  { region, generation, era, body }: CmEnvelope,
  { code, message }: KhazanaError,
): void {
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

function isChildOf(replica: Replica, peer: SiteId): boolean {
  return replica.role.kind === 'copy' && replica.role.parent === peer
}

function isSameRole(a: ReplicaRole, b: ReplicaRole): boolean {
  return a.kind === 'copy' && b.kind === 'copy' ? a.parent === b.parent : a.kind === b.kind
}

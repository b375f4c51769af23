import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode, relayedSite } from '../address/identity.js'
import type { SiteId } from '../address/identity.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { CmEnvelope, PlainCmEnvelope } from '../wire/message.js'
import { RegionAnswers } from './region-answers.js'
import { isChildSession, isOf } from './region-message.js'
import type { RegionMessage } from './region-message.js'
import { RegionNotices, descriptorOf } from './region-notices.js'
import type { RegionRouterOptions } from './region-router-options.js'
import type { Replica } from './replica/replica.js'
import type { Session } from './session/session.js'

interface Delivery {
  readonly from: Session
  readonly envelope: RegionMessage
  readonly payloads: readonly Uint8Array[]
}

/** Messages that wait for one region to be found, or for its new era. */
const heldMax = 1000

/**
 * Whom a message about a region is for: the replica here, a client that this node relays for, its home, or whoever brings
 * regions to rest. What is of another reservation or another era is answered with what holds now, and what cannot be served
 * with why.
 */
export class RegionRouter {
  readonly #options: RegionRouterOptions
  /** Messages for regions that are being found, or that are sealed. */
  readonly #held = new Map<Address, Delivery[]>()
  readonly #finding = new Set<Address>()
  readonly #answers: RegionAnswers
  readonly #notices: RegionNotices
  #isClosed = false

  constructor(options: RegionRouterOptions) {
    this.#options = options
    this.#answers = new RegionAnswers(options)
    this.#notices = new RegionNotices(options, this.#answers)
  }

  /** Hands a message to whom it is for. For a client's unknown region, that is found first. Throws `protocol-error`. */
  deliver(from: Session, envelope: RegionMessage, payloads: readonly Uint8Array[]): void {
    if (this.#isClosed || this.#isStale(from, envelope)) return
    const { region } = envelope
    if (this.#isEarly(envelope) || this.#held.has(region)) {
      this.#hold({ from, envelope, payloads })
      return
    }
    const isKnown = this.#isKnown(region, envelope)
    if (!isKnown && !isNode(from.peer.site)) void this.#learn(region, { from, envelope, payloads })
    else this.#handOver({ from, envelope, payloads })
  }

  /** Whether it is for later: for the era that is about to begin, or for the home that this node may become. */
  #isEarly(envelope: RegionMessage): boolean {
    const { switches, isAwaited } = this.#options
    return switches.isSealed(envelope.region) || isAwaited(envelope)
  }

  #hold(delivery: Delivery): void {
    const { from, envelope } = delivery
    const held = this.#held.get(envelope.region)
    if (held === undefined) this.#held.set(envelope.region, [delivery])
    else if (held.length < heldMax) held.push(delivery)
    else
      this.#answers.refuse(from, envelope, new KhazanaError('busy', 'too many messages wait for the region'))
  }

  /** A client of another era than this node's may know better, and so may one of a later reservation: of addresses that came again this node may have a copy of what was there before. */
  #isKnown(region: Address, { generation, era }: RegionMessage): boolean {
    const replica = this.#options.regions.get(region)
    const known = replica?.descriptor ?? this.#options.describe(region)
    if (known === undefined) return false
    // One that was its home, and waits to hear who is, knows no better than others.
    const isHome = known.home === this.#options.self && replica?.role.kind !== 'copy'
    if (isHome || known.generation > generation) return true
    return known.generation === generation && known.era >= era
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
        return this.#notices.receive(from, envelope)
      default:
        return unreachable(envelope)
    }
  }

  /** A client's, from before it was told to begin anew. */
  #isStale(from: Session, envelope: RegionMessage): boolean {
    const { site } = from.peer
    return envelope.kind === 'cm-plain' && !isNode(site) && this.#options.relay.isStale(site, envelope)
  }

  /** Whether a node takes this one for the home of a region that it keeps for a home group, and is not, as far as it knows. */
  #isUnserved(from: Session, { region, generation, era }: RegionMessage): boolean {
    const { isBacked, self, regions, describe } = this.#options
    if (isBacked?.(region, generation) !== true || !isNode(from.peer.site)) return false
    const known = regions.get(region)?.descriptor ?? describe(region)
    return known === undefined || known.home === self || known.era < era
  }

  #deliverCrew(from: Session, envelope: CmEnvelope, payloads: readonly Uint8Array[]): void {
    if (this.#isUnserved(from, envelope)) return this.#answers.refuseUnknown(from, envelope)
    const descriptor = descriptorOf(this.#options, envelope.region)
    if (descriptor?.generation !== envelope.generation) return this.#answers.refuseUnknown(from, envelope)
    if (!this.#isOfThisEra(descriptor, from, envelope, 0)) return
    if (descriptor.home === this.#options.self) this.#options.served?.(descriptor, from.peer.site)
    const replica = this.#serve(from, envelope)
    const { body } = envelope
    const isGone = body.kind === 'refuse' && body.code === 'no-such-region'
    if (isGone && replica !== undefined && this.#notices.unserved(from, replica)) return
    replica?.onMessage(from.peer.site, body, payloads)
  }

  /** The replica that the message is for. Where there can be none, its sender is told why. */
  #serve(from: Session, envelope: CmEnvelope | PlainCmEnvelope): Replica | undefined {
    try {
      return this.#options.regions.get(envelope.region) ?? this.#options.find(envelope.region)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'unsupported') throw reason
      this.#answers.refuse(from, envelope, error)
      return undefined
    }
  }

  #deliverPlain(from: Session, envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): void {
    const { site } = from.peer
    const { region, client } = envelope
    const { self } = this.#options
    if (self === undefined) {
      const replica = this.#options.regions.get(region)
      if (replica === undefined || !isOf(replica.descriptor, envelope)) return
      replica.onPlainMessage(site, envelope, payloads)
      return
    }
    if (client !== 0 && this.#options.relay.knows(site, client, region)) {
      this.#options.relay.toClient(client, envelope, payloads)
      return
    }
    if (this.#isUnserved(from, envelope)) return this.#answers.refuseUnknown(from, envelope)
    const descriptor = descriptorOf(this.#options, region)
    if (descriptor?.generation !== envelope.generation) return this.#answers.refuseUnknown(from, envelope)
    if (descriptor.home === self) return this.#deliverToHome(from, envelope, payloads, descriptor)
    if (isNode(site) && envelope.era < descriptor.era) {
      this.#isOfThisEra(descriptor, from, envelope, client)
    } else if (!isNode(site)) {
      if (this.#isOfThisEra(descriptor, from, envelope, 0))
        this.#options.relay.fromClient(from, envelope, payloads, descriptor)
    } else if (client === 0) {
      const replica = this.#options.regions.get(region)
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
    if (replica.role.kind === 'copy' && !isNode(site)) {
      // It was the home, and nobody is known to be that now: the client is as cut off as this node, until it hears of a new era.
      const { generation, era } = envelope
      const { address } = descriptor
      return this.#answers.notify(from, { address, generation, era }, 0, { kind: 'severed' })
    }
    this.#options.served?.(descriptor, site)
    if (client === 0 || !isNode(site)) {
      replica.onPlainMessage(site, envelope, payloads)
      return
    }
    const child = relayedSite(site, client)
    const use = this.#options.relayed.useOf(child, descriptor)
    if (envelope.link < use.linkMin) return
    try {
      replica.onPlainMessage(child, envelope, payloads)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'protocol-error') throw error
      // The node that relays is not to blame, nor is what the client does with other regions.
      this.#options.logger.log('warn', 'a client of another node said what makes no sense', {
        node: site,
        client,
        reason: error.message,
      })
      use.linkMin = envelope.link + 1
      replica.childLost(child)
      this.#answers.refuse(from, envelope, error)
    }
  }

  /**
   * Answers what is of an earlier era with the descriptor of this one: also to a node that takes this one for the home, as it may have
   * been once (paper 3.2).
   */
  #isOfThisEra(
    descriptor: RegionDescriptor,
    from: Session,
    { era }: RegionMessage,
    client: SiteId | 0,
  ): boolean {
    const isChild = isChildSession(this.#options.self, descriptor, from)
    if (era === descriptor.era) {
      if (isChild) this.#options.switches.onUse(from, descriptor.address)
      return true
    }
    const isAnswered = isChild || (this.#options.self !== undefined && isNode(from.peer.site))
    if (isAnswered && era < descriptor.era)
      this.#answers.notify(from, descriptor, client, { kind: 'resume', descriptor })
    return false
  }

  /** Never rejects. */
  async #learn(region: Address, first: Delivery): Promise<void> {
    this.#held.set(region, [first])
    this.#finding.add(region)
    let failure: KhazanaError | undefined
    try {
      this.#notices.learned(await this.#options.learn(region))
    } catch (reason) {
      failure = KhazanaError.from(reason)
    }
    this.#finding.delete(region)
    this.#letThrough(region, failure)
  }

  /** The region was looked for, and found in a later era. */
  found(descriptor: RegionDescriptor): void {
    if (!this.#isClosed) this.#notices.found(descriptor)
  }

  /** What was held back is heard, unless the region is still being found. */
  letThrough(region: Address): void {
    if (!this.#finding.has(region)) this.#letThrough(region, undefined)
  }

  /** With a failure, it is refused. */
  #letThrough(region: Address, failure: KhazanaError | undefined): void {
    const held = this.#held.get(region) ?? []
    this.#held.delete(region)
    if (this.#isClosed) return
    for (const delivery of held) {
      try {
        if (failure === undefined && this.#isEarly(delivery.envelope)) this.#hold(delivery)
        else if (failure === undefined) this.#handOver(delivery)
        else if (!this.#isStale(delivery.from, delivery.envelope))
          this.#answers.refuse(delivery.from, delivery.envelope, failure)
      } catch (reason) {
        // Nobody waits here for the session to judge: whoever spoke so is left without an answer.
        const { code, message } = KhazanaError.from(reason)
        if (code !== 'protocol-error') throw reason
        this.#options.logger.log('warn', 'a message was not understood', { reason: message })
      }
    }
  }

  /** Nothing is handed to anybody any more. */
  close(): void {
    this.#isClosed = true
    this.#held.clear()
  }
}

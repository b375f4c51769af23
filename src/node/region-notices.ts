import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode, relayedSite } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError, isErrorCode } from '../stdx/errors.js'
import type { RegionNotice } from '../wire/message.js'
import type { RegionAnswers } from './region-answers.js'
import { isChildSession, isOf } from './region-message.js'
import type { RegionRouterOptions } from './region-router-options.js'
import type { Replica } from './replica/replica.js'
import type { Session } from './session/session.js'
import { unreserved } from './unreserved.js'

/** What the drivers of one region at two sites tell each other, beside what its managers do. */
export class RegionNotices {
  readonly #options: RegionRouterOptions
  readonly #answers: RegionAnswers

  constructor(options: RegionRouterOptions, answers: RegionAnswers) {
    this.#options = options
    this.#answers = answers
  }

  receive(from: Session, message: RegionNotice): void {
    const { region, generation, client, notice } = message
    const { site } = from.peer
    // From the home, for a client here.
    if (client !== 0 && notice.kind !== 'client-lost') {
      if (!this.#options.relay.knows(site, client, region)) return
      if (notice.kind === 'unserved') {
        this.#options.relay.unserved(client, region)
        this.#options.unserved?.(site as NodeId)
        return
      }
      // Before the client's way of the old era is forgotten.
      this.#options.relay.noticeToClient(client, message)
      if (notice.kind === 'resume') this.learned(notice.descriptor)
      return
    }
    const replica = this.#options.regions.get(region)
    const descriptor = descriptorOf(this.#options, region)
    const isParent = replica?.role.kind === 'copy' && replica.role.parent === site
    // What is said of the way to the home is meant for a star of the same era.
    const isOnItsWay = isParent && replica.isStar && isOf(replica.descriptor, message)
    switch (notice.kind) {
      case 'client-lost':
        if (isNode(site)) this.#options.relayed.lost(relayedSite(site, notice.client))
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
        // Of a region that is known otherwise, or of an era that is not known here, nothing can be in use.
        if (descriptor?.generation !== generation || descriptor.era < message.era)
          this.#answers.notify(from, { address: region, generation, era: message.era }, 0, {
            kind: 'suspended',
            serial: notice.serial,
            idle: true,
          })
        else if (!isChildSession(this.#options.self, descriptor, from))
          this.#options.switches.onSuspend(from, descriptor, notice.serial)
        return
      case 'suspended':
        return this.#options.switches.onSuspended(site, region, notice.serial)
      case 'resume':
        if (descriptor !== undefined && isChildSession(this.#options.self, descriptor, from)) return
        if (!this.#mayTell(site, descriptor, notice.descriptor)) return
        this.learned(notice.descriptor)
        return this.#options.switches.onResume(
          site,
          this.#options.regions.get(region)?.descriptor ?? notice.descriptor,
        )
      case 'unserved':
        if (replica !== undefined && isOf(replica.descriptor, message)) this.#lookElsewhere(from, replica)
        return
      case 'gone':
        if (replica !== undefined && this.unserved(from, replica)) return
        if (isParent && replica.descriptor.generation === generation)
          this.#options.regions.gone(replica.descriptor)
        return
      default:
        return unreachable(notice)
    }
  }

  /**
   * Who was taken for the home of a region that has replicas says that it is not, or that there is none: others may have taken it over of which it knows nothing. So it
   * is looked for. False where that is not what was said.
   */
  unserved(from: Session, replica: Replica): boolean {
    return replica.descriptor.attributes.minReplicas > 1 && this.#lookElsewhere(from, replica)
  }

  /** The same where it has said that there are others: it may have got replicas of which nobody here has heard. */
  #lookElsewhere({ peer: { site } }: Session, replica: Replica): boolean {
    const { role } = replica
    const isSaid = role.kind === 'copy' && role.parent === site
    if (!isSaid || !isNode(site) || this.#options.self === undefined) return false
    replica.parentLost()
    this.#options.unserved?.(site)
    return true
  }

  /** Found by looking for it: all here go on with it, and clients are told. */
  found(descriptor: RegionDescriptor): void {
    this.learned(descriptor)
    this.#options.switches.resume(this.#options.regions.get(descriptor.address)?.descriptor ?? descriptor)
  }

  /** A client hears it from its node; a node from the home, or from the one that was the home as far as it knew. */
  #mayTell(site: SiteId, known: RegionDescriptor | undefined, told: RegionDescriptor): boolean {
    if (this.#options.self === undefined) return true
    if (known === undefined || told.home === site) return told.home === site
    return known.home === site && isNewer(told, known)
  }

  /** What is newer than what is known takes effect. That this node is the home it knows by itself, when it is. */
  learned(descriptor: RegionDescriptor): void {
    const { self } = this.#options
    if (self !== undefined && descriptor.home === self) return
    this.#options.relay.learned(descriptor)
    const replica = this.#options.regions.get(descriptor.address)
    const described = this.#options.describe(descriptor.address)
    if (described === undefined || isNewer(descriptor, described)) this.#options.learned(descriptor)
    if (replica === undefined) return
    if (replica.descriptor.generation < descriptor.generation) {
      this.#options.regions.close(replica, unreserved())
      return
    }
    if (!isNewer(descriptor, replica.descriptor)) return
    try {
      const role = self === undefined ? replica.role : ({ kind: 'copy', parent: descriptor.home } as const)
      this.#options.regions.open(descriptor, role)
    } catch (reason) {
      // Its protocol is not registered here.
      this.#options.regions.close(replica, KhazanaError.from(reason))
    }
  }
}

/** What is known here of the region. At its home, that is what the disk has. */
export function descriptorOf(
  { self, describe, regions }: Pick<RegionRouterOptions, 'self' | 'describe' | 'regions'>,
  region: Address,
): RegionDescriptor | undefined {
  const described = describe(region)
  return described !== undefined && described.home === self
    ? described
    : (regions.get(region)?.descriptor ?? described)
}

/** Of one reservation. */
function isNewer(a: RegionDescriptor, b: RegionDescriptor): boolean {
  return a.generation === b.generation && a.era > b.era
}

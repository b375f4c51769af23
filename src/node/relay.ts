import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { SiteId } from '../address/identity.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Notice, PlainCmEnvelope, RegionNotice } from '../wire/message.js'
import type { SessionPost } from './replica/session-post.js'
import type { Session } from './session/session.js'

export interface RelayOptions {
  readonly post: SessionPost
  readonly session: (peer: SiteId) => Session | undefined
  /** A session with the home would be of use, and there is none. */
  readonly want: (home: SiteId) => void
}

/** One client's way to the home of one region, in one era. */
interface Way {
  /** Undefined while nobody here could say where the region is. */
  readonly home: SiteId | undefined
  readonly generation: number
  readonly era: number
  /** How often it began anew. */
  link: number
  isJoined: boolean
}

/** What a message, or the region itself, says of which way it is about. */
type WaySign = Pick<Way, 'generation' | 'era'>

/** Regions that one client may use through this node at a time. */
const regionsPerClientMax = 100_000

/**
 * A node between its clients and the homes of regions whose protocol is a star (docs/architecture.md): it passes on what
 * they say to each other, and tells either side when the other is lost. What a client said before its node lost the home, or
 * before it was refused, and that arrives after, is void: it says how often it has been told that its way begins anew, and
 * is dropped if that is not the latest. With an era everything begins at 0, at both ends.
 */
export class Relay {
  readonly #options: RelayOptions
  /** Of clients of live sessions that have spoken. */
  readonly #ways = new Map<SiteId, Map<Address, Way>>()
  /** How many of them lead to each home. */
  readonly #waysTo = new Map<SiteId, number>()

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Regions that clients of live sessions have a way to. */
  get wayCount(): number {
    let count = 0
    for (const ways of this.#ways.values()) count += ways.size
    return count
  }

  /** Whether the client said it before it was told that its way begins anew. */
  isStale(client: SiteId, envelope: PlainCmEnvelope): boolean {
    const way = this.#find(client, envelope.region, envelope)
    return way !== undefined && envelope.link !== way.link
  }

  /** From a client to the home of the region, in the region's era. Throws `protocol-error`. */
  fromClient(
    client: Session,
    envelope: PlainCmEnvelope,
    payloads: readonly Uint8Array[],
    descriptor: RegionDescriptor,
  ): void {
    const { region } = envelope
    const { site } = client.peer
    const way = this.#open(site, region, descriptor.home, envelope)
    const uplink = this.#options.session(descriptor.home)
    if (uplink === undefined) {
      if (way.isJoined) this.#sever(site, region, way)
      this.#options.want(descriptor.home)
    }
    if (uplink === undefined || !way.isJoined || envelope.link !== way.link) return
    this.#options.post.send(uplink, { ...envelope, client: site }, payloads)
  }

  /** What the client said is served nowhere, for now: the client hears why, and begins anew when it speaks again. */
  refuse(client: Session, envelope: PlainCmEnvelope, { code, message }: KhazanaError): void {
    const { region, generation, era } = envelope
    const way = this.#open(client.peer.site, region, undefined, envelope)
    way.link = envelope.link + 1
    way.isJoined = true
    this.#notify(client, region, { generation, era }, { kind: 'refused', code, message, link: way.link })
  }

  /** Whether the client has a way to that home: only then is what the home says of it for the client. */
  knows(home: SiteId, client: SiteId, region: Address): boolean {
    return this.#ways.get(client)?.get(region)?.home === home
  }

  /** Whether any client uses the region by way of this node. */
  isInUse({ address, generation }: RegionDescriptor): boolean {
    for (const ways of this.#ways.values()) if (ways.get(address)?.generation === generation) return true
    return false
  }

  /** From the home to a client. */
  toClient(client: SiteId, envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): void {
    const session = this.#options.session(client)
    if (session === undefined || this.#find(client, envelope.region, envelope) === undefined) return
    this.#options.post.send(session, { ...envelope, client: 0 }, payloads)
  }

  noticeToClient(client: SiteId, message: RegionNotice): void {
    const session = this.#options.session(client)
    const way = this.#ways.get(client)?.get(message.region)
    if (session === undefined || way?.generation !== message.generation) return
    let { notice } = message
    if (notice.kind === 'gone') this.#delete(client, message.region)
    if (notice.kind === 'refused') {
      way.link = Math.max(way.link, notice.link) + 1
      notice = { ...notice, link: way.link }
    }
    this.#options.post.send(session, { ...message, client: 0, notice }, [])
  }

  /** The region goes on under this descriptor: ways of earlier eras lead nowhere. */
  learned({ address, generation, era }: RegionDescriptor): void {
    for (const [client, ways] of this.#ways) {
      const way = ways.get(address)
      if (way !== undefined && (way.generation !== generation || way.era < era)) this.#delete(client, address)
    }
  }

  /** The client's rights have ended. */
  clientLost(client: SiteId): void {
    const ways = this.#ways.get(client)
    this.#ways.delete(client)
    for (const [region, way] of ways ?? []) {
      this.#count(way.home, -1)
      const uplink = way.home === undefined ? undefined : this.#options.session(way.home)
      if (uplink !== undefined) this.#notify(uplink, region, way, { kind: 'client-lost', client })
    }
  }

  /** Whether any client has a way to that home: then there is to be a session with it. */
  leadsTo(home: SiteId): boolean {
    return this.#waysTo.has(home)
  }

  /** The home says that it is not, for what the client said: it is being looked for. */
  unserved(client: SiteId, region: Address): void {
    const way = this.#ways.get(client)?.get(region)
    if (way?.isJoined === true) this.#sever(client, region, way)
  }

  /** Regions of which clients here have a way to that home; `how`: only where it leads nowhere at the moment. */
  regionsAt(home: SiteId, how: 'any' | 'severed' = 'any'): Address[] {
    if (!this.#waysTo.has(home)) return []
    const regions = new Set<Address>()
    for (const ways of this.#ways.values()) {
      for (const [region, way] of ways)
        if (way.home === home && (how === 'any' || !way.isJoined)) regions.add(region)
    }
    return [...regions]
  }

  homeLost(home: SiteId): void {
    for (const [client, ways] of this.#ways) {
      for (const [region, way] of ways)
        if (way.home === home && way.isJoined) this.#sever(client, region, way)
    }
  }

  homeFound(home: SiteId): void {
    for (const [client, ways] of this.#ways) {
      const session = this.#options.session(client)
      for (const [region, way] of ways) {
        if (way.home !== home || way.isJoined) continue
        way.isJoined = true
        way.link += 1
        if (session !== undefined) this.#notify(session, region, way, { kind: 'joined', link: way.link })
      }
    }
  }

  #find(client: SiteId, region: Address, { generation, era }: WaySign): Way | undefined {
    const way = this.#ways.get(client)?.get(region)
    return way?.generation === generation && way.era === era ? way : undefined
  }

  #open(client: SiteId, region: Address, home: SiteId | undefined, { generation, era }: WaySign): Way {
    const known = this.#find(client, region, { generation, era })
    if (known !== undefined && (known.home === home || home === undefined)) return known
    let ways = this.#ways.get(client)
    if (ways === undefined) this.#ways.set(client, (ways = new Map<Address, Way>()))
    if (ways.size >= regionsPerClientMax && !ways.has(region)) {
      throw new KhazanaError('protocol-error', `a client that uses more than ${regionsPerClientMax} regions`)
    }
    const way: Way = { home, generation, era, link: known?.link ?? 0, isJoined: true }
    this.#count(ways.get(region)?.home, -1)
    this.#count(home, 1)
    ways.set(region, way)
    return way
  }

  #count(home: SiteId | undefined, change: 1 | -1): void {
    if (home === undefined) return
    const count = (this.#waysTo.get(home) ?? 0) + change
    if (count > 0) this.#waysTo.set(home, count)
    else this.#waysTo.delete(home)
  }

  #delete(client: SiteId, region: Address): void {
    const ways = this.#ways.get(client)
    this.#count(ways?.get(region)?.home, -1)
    ways?.delete(region)
    if (ways?.size === 0) this.#ways.delete(client)
  }

  #sever(client: SiteId, region: Address, way: Way): void {
    way.isJoined = false
    const session = this.#options.session(client)
    if (session !== undefined) this.#notify(session, region, way, { kind: 'severed' })
  }

  #notify(to: Session, region: Address, { generation, era }: WaySign, notice: Notice): void {
    this.#options.post.send(to, { kind: 'region-notice', region, generation, era, client: 0, notice }, [])
  }
}

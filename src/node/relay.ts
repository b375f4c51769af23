import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Notice, PlainCmEnvelope, RegionNotice } from '../wire/message.js'
import type { SessionPost } from './replica/session-post.js'
import type { Session } from './session/session.js'

export interface RelayOptions {
  readonly post: SessionPost
  readonly session: (peer: SiteId) => Session | undefined
}

/** A region homed elsewhere that clients here use. */
interface Relayed {
  readonly home: NodeId
  readonly generation: number
  era: number
  /** Every client that has spoken, and how often its way to the home was found anew. */
  readonly clients: Map<SiteId, { link: number; isJoined: boolean }>
}

/**
 * A node between its clients and the homes of regions whose protocol is a star (docs/architecture.md): it passes on what
 * they say to each other, and tells either side when the other is lost. What a client said before its node lost the home, and
 * that arrives after, is void: it says how often it has been told that the home was found again, and is dropped if that is
 * not the latest.
 */
export class Relay {
  readonly #options: RelayOptions
  /** At most the regions that clients of live sessions have used. */
  readonly #regions = new Map<Address, Relayed>()

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** From a client to the home of the region. */
  fromClient(
    client: Session,
    envelope: PlainCmEnvelope,
    payloads: readonly Uint8Array[],
    { home, generation, era }: RegionDescriptor,
  ): void {
    const { region } = envelope
    let relayed = this.#regions.get(region)
    if (relayed?.generation !== generation || relayed.home !== home) {
      relayed = { home, generation, era, clients: new Map() }
      this.#regions.set(region, relayed)
    }
    relayed.era = era
    const uplink = this.#options.session(home)
    const { site } = client.peer
    let state = relayed.clients.get(site)
    if (state === undefined) {
      state = { link: 0, isJoined: true }
      relayed.clients.set(site, state)
    }
    if (uplink === undefined && state.isJoined) this.#sever(region, relayed, site)
    if (uplink === undefined || !state.isJoined || envelope.link !== state.link) return
    this.#options.post.send(uplink, { ...envelope, client: site }, payloads)
  }

  /** From the home to a client. */
  toClient(envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): void {
    const { client } = envelope
    const session = client === 0 ? undefined : this.#options.session(client)
    if (session !== undefined) this.#options.post.send(session, { ...envelope, client: 0 }, payloads)
  }

  noticeToClient(message: RegionNotice): void {
    const session = message.client === 0 ? undefined : this.#options.session(message.client)
    if (session !== undefined) this.#options.post.send(session, { ...message, client: 0 }, [])
  }

  /** The client's rights have ended. */
  clientLost(client: SiteId): void {
    for (const [region, relayed] of this.#regions) {
      if (!relayed.clients.delete(client)) continue
      const uplink = this.#options.session(relayed.home)
      if (uplink !== undefined) this.#notify(uplink, region, relayed, { kind: 'client-lost', client })
      if (relayed.clients.size === 0) this.#regions.delete(region)
    }
  }

  homeLost(home: SiteId): void {
    for (const [region, relayed] of this.#regions) {
      if (relayed.home !== home) continue
      for (const [client, { isJoined }] of relayed.clients) if (isJoined) this.#sever(region, relayed, client)
    }
  }

  homeFound(home: SiteId): void {
    for (const [region, relayed] of this.#regions) {
      if (relayed.home !== home) continue
      for (const [client, state] of relayed.clients) {
        if (state.isJoined) continue
        state.isJoined = true
        state.link += 1
        const session = this.#options.session(client)
        if (session !== undefined)
          this.#notify(session, region, relayed, { kind: 'joined', link: state.link })
      }
    }
  }

  #sever(region: Address, relayed: Relayed, client: SiteId): void {
    const state = relayed.clients.get(client)
    if (state !== undefined) state.isJoined = false
    const session = this.#options.session(client)
    if (session !== undefined) this.#notify(session, region, relayed, { kind: 'severed' })
  }

  #notify(to: Session, region: Address, { generation, era }: Relayed, notice: Notice): void {
    this.#options.post.send(to, { kind: 'region-notice', region, generation, era, client: 0, notice }, [])
  }
}

import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { KhazanaError } from '../stdx/errors.js'
import type { CmEnvelope, Notice, PlainCmEnvelope } from '../wire/message.js'
import type { RegionMessage } from './region-message.js'
import type { Relay } from './relay.js'
import type { SessionPost } from './replica/session-post.js'
import type { Session } from './session/session.js'
import { unreserved } from './unreserved.js'

export interface RegionAnswersOptions {
  /** Undefined for a client. */
  readonly self: NodeId | undefined
  readonly describe: (region: Address) => RegionDescriptor | undefined
  readonly post: SessionPost
  readonly relay: Relay
  readonly isBacked?: (region: Address, generation: number) => boolean
  /** Whether the address is this node's to give: else the region may have gone from here to where nobody here knows of. */
  readonly hasSpace?: (region: Address) => boolean
}

/** What a site says back about regions where the message itself cannot be served. */
export class RegionAnswers {
  readonly #options: RegionAnswersOptions

  constructor(options: RegionAnswersOptions) {
    this.#options = options
  }

  /** `client`: whom of the peer's clients it is for; 0: the peer itself. */
  notify(
    to: Session,
    { address, generation, era }: Pick<RegionDescriptor, 'address' | 'generation' | 'era'>,
    client: SiteId | 0,
    notice: Notice,
  ): void {
    const { post } = this.#options
    post.send(to, { kind: 'region-notice', region: address, generation, era, client, notice }, [])
  }

  /** Nothing is known here of the region under that reservation: so it is no more, or is served elsewhere. */
  refuseUnknown(to: Session, envelope: CmEnvelope | PlainCmEnvelope): void {
    const { region, generation, era } = envelope
    const { isBacked, hasSpace } = this.#options
    const mayBeElsewhere = isNode(to.peer.site) && hasSpace?.(region) === false
    if (isBacked?.(region, generation) !== true && !mayBeElsewhere) {
      this.refuse(to, envelope, unreserved())
      return
    }
    const client = envelope.kind === 'cm' ? 0 : envelope.client
    this.notify(to, { address: region, generation, era }, client, { kind: 'unserved' })
  }

  /** Answers what asks for an answer. Only who can be its parent refuses a site anything. */
  refuse(to: Session, envelope: RegionMessage, error: KhazanaError): void {
    if (envelope.kind === 'cm') refuseCrew(to, envelope, error)
    if (envelope.kind !== 'cm-plain' || this.#options.self === undefined) return
    const { region, generation, era, client, link } = envelope
    const { code, message } = error
    if (code === 'no-such-region') {
      const notice = { kind: 'gone' } as const
      this.#options.post.send(to, { kind: 'region-notice', region, generation, era, client, notice }, [])
    } else if (isNode(to.peer.site) || this.#options.describe(region)?.home === this.#options.self) {
      const notice = { kind: 'refused', code, message, link } as const
      this.#options.post.send(to, { kind: 'region-notice', region, generation, era, client, notice }, [])
    } else {
      this.#options.relay.refuse(to, envelope, error)
    }
  }
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

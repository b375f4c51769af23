import type { Address } from '../../address/address.js'
import { relayOf } from '../../address/identity.js'
import type { SiteId } from '../../address/identity.js'
import type { Attachment, MessageCodec } from '../../consistency/contract.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { inlinePatchBytesMax } from '../../wire/limits.js'
import type { PlainCmEnvelope, WireParcel } from '../../wire/message.js'
import { checkPatch } from '../../wire/patch.js'
import type { Session } from '../session/session.js'
import type { FrameTable } from './frame-table.js'
import type { ManagerLink } from './manager-link.js'
import type { Parcel, ParcelTable } from './parcel-table.js'
import type { SessionPost } from './session-post.js'

export interface StarLinkOptions {
  readonly region: Address
  readonly generation: number
  readonly pageSize: number
  readonly codec: MessageCodec<unknown>
  readonly frames: FrameTable
  readonly parcels: ParcelTable
  readonly post: SessionPost
  readonly session: (peer: SiteId) => Session | undefined
}

/** A patch that is no longer than its message may be is part of it; a longer one is padded to the size of a payload. */
const payloadBytesMin = 4096

/** A manager's messages in its own code, with parcels: to the home, or from it to all others. */
export class StarLink implements ManagerLink {
  readonly #options: StarLinkOptions
  /** How often the way to the home was found anew, where a node relays: what was said before is void. */
  link = 0
  era: number

  constructor(options: StarLinkOptions, era: number) {
    this.#options = options
    this.era = era
  }

  send(to: SiteId, message: unknown, attach: readonly Attachment[]): void {
    const { region, generation, codec, post, session: sessionWith } = this.#options
    const relay = relayOf(to)
    const session = sessionWith(relay?.node ?? to)
    if (session === undefined) return
    const pages: Uint8Array[] = []
    const parcels = attach.map((attachment) => this.#pack(attachment, pages))
    const envelope: PlainCmEnvelope = {
      kind: 'cm-plain',
      region,
      generation,
      era: this.era,
      client: relay?.client ?? 0,
      link: this.link,
      body: codec.encode(message),
      parcels,
    }
    post.send(session, envelope, pages)
  }

  forget(): void {
    // What was to be sent goes with the session.
  }

  /** Throws `protocol-error`. */
  decode(envelope: PlainCmEnvelope): unknown {
    try {
      return this.#options.codec.decode(envelope.body)
    } catch (cause) {
      const error = KhazanaError.from(cause)
      if (error.code === 'protocol-error') throw error
      throw new KhazanaError('protocol-error', `no message of this region's protocol: ${error.message}`, {
        cause,
      })
    }
  }

  /** Throws `protocol-error`, also for what is no patch: none that gets in fails later. Takes the payloads over. */
  unpack(envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): Parcel[] {
    const { pageSize } = this.#options
    let next = 0
    const patchOf = (bytes: Uint8Array): Parcel => {
      checkPatch(bytes, pageSize)
      return { kind: 'patch', bytes }
    }
    return envelope.parcels.map((parcel): Parcel => {
      if (parcel.kind === 'patch') return patchOf(parcel.bytes)
      const payload = payloads[next++]
      const isPage = parcel.kind === 'page'
      if (payload === undefined || (isPage ? payload.length !== pageSize : parcel.length > payload.length)) {
        throw new KhazanaError('protocol-error', 'a parcel is not of the size that it says')
      }
      return isPage ? { kind: 'page', bytes: payload } : patchOf(payload.subarray(0, parcel.length))
    })
  }

  #pack(attachment: Attachment, pages: Uint8Array[]): WireParcel {
    const { frames, parcels } = this.#options
    if (attachment.kind === 'frame') {
      const frame = present(frames.get(attachment.page), 'a page that is attached is in memory')
      frame.isEscaped = true
      pages.push(frame.bytes)
      return { kind: 'page' }
    }
    const { kind, bytes } = parcels.get(attachment.parcel)
    if (kind === 'page') {
      pages.push(bytes)
      return { kind }
    }
    if (bytes.length <= inlinePatchBytesMax) return { kind, bytes }
    let size = payloadBytesMin
    while (size < bytes.length) size *= 2
    const payload = new Uint8Array(size)
    payload.set(bytes)
    pages.push(payload)
    return { kind: 'large-patch', length: bytes.length }
  }
}

import type { SiteId } from '../../address/identity.js'
import type { PageStamp } from '../../wire/crew-message.js'
import type { CmMessage } from '../../consistency/contract.js'
import type { ManagerLink } from './manager-link.js'
import type { Outgoing } from './outgoing.js'

/** The messages of `crew`, which are part of the wire format and say themselves which pages go along. */
export class CrewLink implements ManagerLink {
  readonly #outgoing: Outgoing
  /** Parts of large sections of children, until the last is there. */
  readonly #parts = new Map<SiteId, { readonly pages: PageStamp[]; readonly payloads: Uint8Array[] }>()

  constructor(outgoing: Outgoing) {
    this.#outgoing = outgoing
  }

  send(to: SiteId, message: unknown): void {
    this.#outgoing.send(to, message as CmMessage)
  }

  forget(peer: SiteId): void {
    this.#outgoing.forget(peer)
    this.#parts.delete(peer)
  }

  /** The whole message that this one completes; undefined where parts are missing yet. */
  assemble(
    from: SiteId,
    message: CmMessage,
    payloads: readonly Uint8Array[],
  ): { readonly message: CmMessage; readonly payloads: readonly Uint8Array[] } | undefined {
    if (message.kind !== 'commit') return { message, payloads }
    const parts = this.#parts.get(from)
    if (message.final && parts === undefined) return { message, payloads }
    const whole = parts ?? { pages: [], payloads: [] }
    whole.pages.push(...message.pages)
    whole.payloads.push(...payloads)
    this.#parts.set(from, whole)
    if (!message.final) return undefined
    this.#parts.delete(from)
    return { message: { ...message, pages: whole.pages }, payloads: whole.payloads }
  }
}

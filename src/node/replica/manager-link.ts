import type { SiteId } from '../../address/identity.js'
import type { Attachment } from '../../consistency/contract.js'

/** How a region's manager talks to those at other sites. */
export interface ManagerLink {
  /** Nothing is sent to a peer that is lost. */
  send(to: SiteId, message: unknown, attach: readonly Attachment[]): void
  /** Drops what was to be sent to, or has come in part from, a peer that is lost. */
  forget(peer: SiteId): void
}

import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'
import type { CmEnvelope, PlainCmEnvelope, RegionNotice } from '../wire/message.js'
import type { Session } from './session/session.js'

/** What one manager, or its driver, says to another. */
export type RegionMessage = CmEnvelope | PlainCmEnvelope | RegionNotice

/** Whether the message is of this reservation, and of this era. */
export function isOf({ generation, era }: RegionDescriptor, message: RegionMessage): boolean {
  return generation === message.generation && era === message.era
}

/** Whether the peer may have copies of the region that are below those of this site. */
export function isChildSession(
  self: NodeId | undefined,
  descriptor: RegionDescriptor,
  { peer }: Session,
): boolean {
  return self !== undefined && (descriptor.home === self || !isNode(peer.site))
}

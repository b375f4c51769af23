import type { NodeId } from '../../address/identity.js'
import type { RegionLog } from './region-log.js'

/** A home group that this node leads, as its regions see it. */
export interface HomeGroup {
  readonly name: string
  /** The primary first. */
  readonly members: readonly NodeId[]
  readonly epoch: number
  readonly log: RegionLog
  /** Until when, on this node's clock, its regions may be used here. */
  readonly lease: { readonly validUntil: number }
}

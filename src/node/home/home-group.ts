import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { RegionLog } from './region-log.js'
import type { RegionRecord } from './region-record.js'

/** A home group that this node leads, as its regions see it. */
export interface HomeGroup {
  readonly name: string
  /** The primary first. */
  readonly members: readonly NodeId[]
  readonly epoch: number
  readonly log: RegionLog
  /** What this node's disk has of the region that begins there, or will have. */
  recordOf(address: Address): RegionRecord | undefined
  /** Until when, on this node's clock, its regions may be used here. */
  readonly lease: { readonly validUntil: number }
}

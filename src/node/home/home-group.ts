import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { StoredPage } from '../../store/store.js'
import type { RestoreProgress } from '../../wire/message.js'
import type { RegionLog } from './region-log.js'
import type { RegionRecord } from './region-record.js'

/** Of a region, what it takes to find its pages here and at others. */
export type GroupedRegion = Pick<RegionRecord, 'descriptor' | 'space'>

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
  /** A page as it is on this disk; where its record is damaged, from another member. Throws `damaged`. */
  readonly read: (region: GroupedRegion, page: PageIndex) => Promise<StoredPage | undefined>
  /** Nodes that are being brought up to date. */
  readonly restoring: readonly RestoreProgress[]
}

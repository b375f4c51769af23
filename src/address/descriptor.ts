import type { Address } from './address.js'
import type { ConsistencyVector } from './consistency-vector.js'
import type { NodeId } from './identity.js'

/** What a region's user chose; a subset can be changed later. Paper 2: "get and set attributes of a region". */
export interface RegionAttributes {
  /** The registered protocol that keeps the region consistent. */
  readonly protocol: string
  readonly consistency: ConsistencyVector
  /** The name of the application's test of whether two locks conflict; empty: they do where they share a page. */
  readonly conflicts: string
  /** The name of the application's merge function; empty: the later write wins. */
  readonly merge: string
  /** On how many nodes a write is durable before `unlock` resolves. */
  readonly minReplicas: number
  /** Free text for the region's users, by name. */
  readonly labels: Readonly<Record<string, string>>
}

/** Address space that a region has. */
export type TakenRange = Pick<RegionDescriptor, 'address' | 'size' | 'generation' | 'home'>

/** What must be known of a region to use it. Kept by its home, cached by anyone, harmless when stale. */
export interface RegionDescriptor {
  readonly address: Address
  /** Bytes; a multiple of the page size. */
  readonly size: number
  /** Bytes. */
  readonly pageSize: number
  readonly home: NodeId
  /** Which reservation of this address this is: the home never gives a number twice. */
  readonly generation: number
  /** Raised by every change of the attributes. */
  readonly revision: number
  /** Raised by every change of how it is kept consistent. What managers of another era say is void. */
  readonly era: number
  readonly attributes: RegionAttributes
}

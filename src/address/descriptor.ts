import type { Address } from './address.js'
import type { NodeId } from './identity.js'

/** What a region's user chose; a subset can be changed later. Paper 2: "get and set attributes of a region". */
export interface RegionAttributes {
  /** The registered protocol that keeps the region consistent. */
  readonly protocol: string
  /** On how many nodes a write is durable before `unlock` resolves. */
  readonly minReplicas: number
  /** Free text for the region's users, by name. */
  readonly labels: Readonly<Record<string, string>>
}

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
  readonly attributes: RegionAttributes
}

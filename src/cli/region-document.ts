import { formatAddress } from '../address/address.js'
import type { RegionAttributes, RegionDescriptor } from '../address/descriptor.js'

/** A descriptor as it is printed in JSON: the address as text, sizes in bytes. */
export interface RegionDocument {
  readonly address: string
  readonly size: number
  readonly pageSize: number
  readonly home: number
  readonly generation: number
  readonly revision: number
  readonly attributes: RegionAttributes
}

export function describeRegion(descriptor: RegionDescriptor): RegionDocument {
  const { address, size, pageSize, home, generation, revision, attributes } = descriptor
  return { address: formatAddress(address), size, pageSize, home, generation, revision, attributes }
}

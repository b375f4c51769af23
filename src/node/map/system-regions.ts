import type { Address } from '../../address/address.js'
import { applyChanges, defaultAttributes } from '../../address/attributes.js'
import type { RegionAttributes, RegionDescriptor } from '../../address/descriptor.js'
import { KhazanaError } from '../../stdx/errors.js'

/** The root of the address map: a region at an address that everybody knows (paper 3.1). */
export const rootMapAddress = 0n as Address
/** Room for some 800,000 pools. Storage is given as the map grows. Bytes. */
export const rootMapBytes = 64 * 1024 * 1024

const label = 'khazana/system'

/** What regions that Khazana keeps for itself are like. */
export const mapAttributes: RegionAttributes = applyChanges(defaultAttributes, {
  consistency: 'release',
  labels: { [label]: 'address-map' },
})

/** Whether the region is one that Khazana keeps for itself, and programs may only read. */
export function isSystemRegion({ attributes }: Pick<RegionDescriptor, 'attributes'>): boolean {
  return attributes.labels[label] !== undefined
}

/** Programs cannot make such a region, or turn one of theirs into one. Throws `invalid-argument`. */
export function checkNoSystemLabel(labels: RegionAttributes['labels']): void {
  if (labels[label] === undefined) return
  throw new KhazanaError(
    'invalid-argument',
    `the label ${label} is for what Khazana keeps itself: use another name`,
  )
}

/** Throws `unsupported`. */
export function checkNotSystem(descriptor: RegionDescriptor): void {
  if (!isSystemRegion(descriptor)) return
  throw new KhazanaError(
    'unsupported',
    'this region holds the address map: programs may read it, and no more',
  )
}

import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { RangeSet } from '../../address/range-set.js'
import { spaceId } from '../../store/space.js'
import type { SpaceId } from '../../store/space.js'
import type { HandoverMark } from '../../wire/group-message.js'
import {
  addressKey,
  addressOf,
  decodeRecord,
  descriptorFrom,
  encodeRecord,
  rangesFrom,
  storedDescriptor,
  storedRanges,
} from './stored-descriptor.js'
import type { StoredDescriptor, StoredRanges } from './stored-descriptor.js'

/** What a home keeps of a region on its disk, besides the pages. */
export interface RegionRecord {
  readonly descriptor: RegionDescriptor
  /** Pages with storage. */
  readonly allocated: RangeSet
  /**
   * The version of pages that were never written. Raised above all versions that were freed, so that no version of a
   * page ever names two contents: caches elsewhere revalidate by version.
   */
  readonly floor: number
  /** Where this node's store has the pages: a number of this node, as the region may have been reserved by another. */
  readonly space: SpaceId
  /** It is on its way to another log, or comes from one, and must not be served before that is decided. */
  readonly handover?: HandoverMark | undefined
}

export const regionKeyPrefix = 'region/'
/** Format 2 has no space of its own: it is the generation. */
const recordFormat = 3
/** With a mark, which must not be overlooked. */
const markedFormat = 4

export function regionKey(address: Address): string {
  return addressKey(regionKeyPrefix, address)
}

export function encodeRegion({ descriptor, allocated, floor, space, handover }: RegionRecord): Uint8Array {
  return encodeRecord({
    format: handover === undefined ? recordFormat : markedFormat,
    ...storedDescriptor(descriptor),
    floor,
    space,
    allocated: storedRanges(allocated),
    handover,
  })
}

interface StoredRecord extends StoredDescriptor {
  readonly format: number
  readonly floor: number
  readonly space?: number
  readonly allocated: StoredRanges
  readonly handover?: HandoverMark
}

/** Throws `bad-format`. */
export function decodeRegion(
  key: string,
  value: Uint8Array,
  home: NodeId,
  prefix = regionKeyPrefix,
): RegionRecord {
  const record = decodeRecord(key, value, markedFormat) as StoredRecord
  return {
    descriptor: descriptorFrom(addressOf(prefix, key), home, record),
    allocated: rangesFrom(record.allocated),
    floor: record.floor,
    space: spaceId(record.space ?? record.generation),
    handover: record.handover,
  }
}

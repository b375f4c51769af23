import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import { nodeId } from '../../address/identity.js'
import { spaceId } from '../../store/space.js'
import type { RegionRecord } from './region-record.js'
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

/** What a node keeps of a region that it is to be the home of, until it is decided whether it is. */
export interface ArrivalRecord {
  /** What the region's record becomes then. */
  readonly region: RegionRecord
  /** The home until then, which decides. */
  readonly from: NodeId
  readonly transfer: number
}

export const arrivalKeyPrefix = 'incoming/'
const recordFormat = 1

export function arrivalKey(address: Address): string {
  return addressKey(arrivalKeyPrefix, address)
}

export function encodeArrival({ region, from, transfer }: ArrivalRecord): Uint8Array {
  const { descriptor, allocated, floor, space } = region
  return encodeRecord({
    format: recordFormat,
    ...storedDescriptor(descriptor),
    floor,
    space,
    allocated: storedRanges(allocated),
    from,
    transfer,
  })
}

interface StoredRecord extends StoredDescriptor {
  readonly format: number
  readonly floor: number
  readonly space: number
  readonly allocated: StoredRanges
  readonly from: number
  readonly transfer: number
}

/** Throws `bad-format`. */
export function decodeArrival(key: string, value: Uint8Array, self: NodeId): ArrivalRecord {
  const record = decodeRecord(key, value, recordFormat) as StoredRecord
  return {
    region: {
      descriptor: descriptorFrom(addressOf(arrivalKeyPrefix, key), self, record),
      allocated: rangesFrom(record.allocated),
      floor: record.floor,
      space: spaceId(record.space),
    },
    from: nodeId(record.from),
    transfer: record.transfer,
  }
}

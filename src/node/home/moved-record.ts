import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import { nodeId } from '../../address/identity.js'
import { spaceId } from '../../store/space.js'
import type { SpaceId } from '../../store/space.js'
import {
  addressKey,
  addressOf,
  decodeRecord,
  descriptorFrom,
  encodeRecord,
  storedDescriptor,
} from './stored-descriptor.js'
import type { StoredDescriptor } from './stored-descriptor.js'

/** What a node keeps of a region that it was the home of: where it went. Paper 3.2: a stale pointer costs one message. */
export interface MovedRecord {
  /** As it was handed over: it names the new home. */
  readonly descriptor: RegionDescriptor
  readonly transfer: number
  /** What this node still keeps, until the new home has said that it serves the region; then undefined. */
  readonly kept: KeptPages | undefined
}

export interface KeptPages {
  readonly space: SpaceId
  /** Of storage, as `Home.allocatedBytes` counts them. */
  readonly bytes: number
}

export const movedKeyPrefix = 'moved/'
const recordFormat = 1

export function movedKey(address: Address): string {
  return addressKey(movedKeyPrefix, address)
}

export function encodeMoved({ descriptor, transfer, kept }: MovedRecord): Uint8Array {
  const { home } = descriptor
  return encodeRecord({ format: recordFormat, ...storedDescriptor(descriptor), home, transfer, kept })
}

interface StoredRecord extends StoredDescriptor {
  readonly format: number
  readonly home: number
  readonly transfer: number
  readonly kept?: { readonly space: number; readonly bytes: number }
}

/** Throws `bad-format`. */
export function decodeMoved(key: string, value: Uint8Array): MovedRecord {
  const { home, transfer, kept, ...stored } = decodeRecord(key, value, recordFormat) as StoredRecord
  return {
    descriptor: descriptorFrom(addressOf(movedKeyPrefix, key), nodeId(home), stored),
    transfer,
    kept: kept === undefined ? undefined : { space: spaceId(kept.space), bytes: kept.bytes },
  }
}

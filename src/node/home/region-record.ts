import type { Address } from '../../address/address.js'
import { defaultAttributes } from '../../address/attributes.js'
import { presets } from '../../address/consistency-vector.js'
import type { ConsistencyVector } from '../../address/consistency-vector.js'
import type { RegionAttributes, RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { RangeSet } from '../../address/range-set.js'
import { KhazanaError } from '../../stdx/errors.js'

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
}

const keyPrefix = 'region/'
const recordFormat = 2

export function regionKey(address: Address): string {
  return keyPrefix + address.toString(16).padStart(32, '0')
}

export const regionKeyPrefix = keyPrefix

export function encodeRegion({ descriptor, allocated, floor }: RegionRecord): Uint8Array {
  const { size, pageSize, generation, revision, era, attributes } = descriptor
  const ranges = [...allocated].map(({ first, count }) => [first, count])
  const record = {
    format: recordFormat,
    size,
    pageSize,
    generation,
    revision,
    era,
    attributes: writable(attributes),
    floor,
    allocated: ranges,
  }
  return new TextEncoder().encode(JSON.stringify(record))
}

/** Throws `bad-format`. */
export function decodeRegion(key: string, value: Uint8Array, home: NodeId): RegionRecord {
  const record = parse(key, value)
  if (record.format > recordFormat) {
    throw new KhazanaError(
      'bad-format',
      `region record ${key} has format ${record.format}: use a newer khazana`,
    )
  }
  const { size, pageSize, generation, revision, era = 1, floor } = record
  const address = BigInt(`0x${key.slice(keyPrefix.length)}`) as Address
  const attributes = readable(record.attributes)
  const allocated = new RangeSet()
  for (const [first, count] of record.allocated) allocated.add(first, count)
  return {
    descriptor: { address, size, pageSize, home, generation, revision, era, attributes },
    allocated,
    floor,
  }
}

interface StoredRecord {
  readonly format: number
  readonly size: number
  readonly pageSize: number
  readonly generation: number
  readonly revision: number
  /** Absent in format 1. */
  readonly era?: number
  readonly attributes: StoredAttributes
  readonly floor: number
  readonly allocated: readonly (readonly [number, number])[]
}

/** Infinity, which JSON has not, is null. Format 1 has neither vector nor functions. */
type StoredAttributes = Omit<RegionAttributes, 'consistency' | 'conflicts' | 'merge'> & {
  readonly consistency?: Omit<ConsistencyVector, 'staleness'> & {
    readonly staleness: { readonly ms: number | null; readonly versions: number | null }
  }
  readonly conflicts?: string
  readonly merge?: string
}

function writable(attributes: RegionAttributes): StoredAttributes {
  const { ms, versions } = attributes.consistency.staleness
  const staleness = { ms: finite(ms), versions: finite(versions) }
  return { ...attributes, consistency: { ...attributes.consistency, staleness } }
}

function readable(stored: StoredAttributes): RegionAttributes {
  const { consistency } = stored
  if (consistency === undefined) return { ...defaultAttributes, ...stored, consistency: presets.strict }
  const { ms, versions } = consistency.staleness
  const staleness = { ms: ms ?? Infinity, versions: versions ?? Infinity }
  return { ...defaultAttributes, ...stored, consistency: { ...consistency, staleness } }
}

function finite(value: number): number | null {
  return value === Infinity ? null : value
}

function parse(key: string, value: Uint8Array): StoredRecord {
  try {
    // The log's checksum vouches for the bytes; only this file writes them.
    return JSON.parse(new TextDecoder().decode(value)) as StoredRecord
  } catch (error) {
    throw new KhazanaError('bad-format', `region record ${key} cannot be read`, { cause: error })
  }
}

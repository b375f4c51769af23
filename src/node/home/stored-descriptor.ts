import type { Address } from '../../address/address.js'
import { defaultAttributes } from '../../address/attributes.js'
import { presets } from '../../address/consistency-vector.js'
import type { ConsistencyVector } from '../../address/consistency-vector.js'
import type { RegionAttributes, RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { RangeSet } from '../../address/range-set.js'
import { KhazanaError } from '../../stdx/errors.js'

/** A descriptor as a record's JSON has it: its address is in the record's key. */
export interface StoredDescriptor {
  readonly size: number
  readonly pageSize: number
  readonly generation: number
  readonly revision: number
  /** Absent in format 1. */
  readonly era?: number
  readonly attributes: StoredAttributes
}

/** Infinity, which JSON has not, is null. Format 1 has neither vector nor functions. */
type StoredAttributes = Omit<RegionAttributes, 'consistency' | 'conflicts' | 'merge'> & {
  readonly consistency?: Omit<ConsistencyVector, 'staleness'> & {
    readonly staleness: { readonly ms: number | null; readonly versions: number | null }
  }
  readonly conflicts?: string
  readonly merge?: string
}

export function storedDescriptor(descriptor: RegionDescriptor): StoredDescriptor {
  const { size, pageSize, generation, revision, era, attributes } = descriptor
  return { size, pageSize, generation, revision, era, attributes: writable(attributes) }
}

export function descriptorFrom(address: Address, home: NodeId, stored: StoredDescriptor): RegionDescriptor {
  const { size, pageSize, generation, revision, era = 1 } = stored
  return { address, size, pageSize, home, generation, revision, era, attributes: readable(stored.attributes) }
}

/** The key of a record about the region at the address. Keys of one prefix are in the order of addresses. */
export function addressKey(prefix: string, address: Address): string {
  return prefix + address.toString(16).padStart(32, '0')
}

export function addressOf(prefix: string, key: string): Address {
  return BigInt(`0x${key.slice(prefix.length)}`) as Address
}

export type StoredRanges = readonly (readonly [first: number, count: number])[]

export function storedRanges(ranges: RangeSet): StoredRanges {
  return [...ranges].map(({ first, count }) => [first, count])
}

export function rangesFrom(stored: StoredRanges): RangeSet {
  const ranges = new RangeSet()
  for (const [first, count] of stored) ranges.add(first, count)
  return ranges
}

export function encodeRecord(record: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

/**
 * What is in a record, for the caller to say what that is: the log's checksum vouches for the bytes, and only the encoder of the
 * same kind of record writes them. Throws `bad-format` for what is no record, or of a format above the one given.
 */
export function decodeRecord(key: string, value: Uint8Array, formatMax: number): { readonly format: number } {
  let record: { readonly format: number }
  try {
    record = JSON.parse(new TextDecoder().decode(value)) as { readonly format: number }
  } catch (error) {
    throw new KhazanaError('bad-format', `region record ${key} cannot be read`, { cause: error })
  }
  if (record.format <= formatMax) return record
  throw new KhazanaError(
    'bad-format',
    `region record ${key} has format ${record.format}: use a newer khazana`,
  )
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

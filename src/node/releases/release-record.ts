import { formatAddress, parseAddress } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { MetadataPut } from '../../store/commit-group.js'
import { decodeRecord, encodeRecord } from '../home/stored-descriptor.js'
import type { Release } from './release.js'

export const releaseKeyPrefix = 'release/'
const recordFormat = 1
/** Digits of a number in a key: keys are in the order of the numbers. */
const numberDigits = 15

interface StoredRelease {
  readonly format: number
  readonly op: string
  readonly address: string
  readonly generation: number
  readonly offset?: number
  readonly length?: number
}

export function releaseKey(number: number): string {
  return releaseKeyPrefix + String(number).padStart(numberDigits, '0')
}

export function releasePut(number: number, release: Release): MetadataPut {
  const record = { format: recordFormat, ...release, address: formatAddress(release.address) }
  return { key: releaseKey(number), value: encodeRecord(record) }
}

/** Throws `bad-format`. */
export function decodeRelease(
  key: string,
  value: Uint8Array,
): { readonly number: number; readonly release: Release } {
  const stored = decodeRecord(key, value, recordFormat) as StoredRelease
  const { op, generation, offset, length } = stored
  const number = Number(key.slice(releaseKeyPrefix.length))
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(generation)) throw unreadable(key)
  const address = parseAddress(stored.address)
  if (op === 'unreserve') return { number, release: { op, address, generation } }
  if (op !== 'free' || offset === undefined || length === undefined) throw unreadable(key)
  return { number, release: { op, address, generation, offset, length } }
}

function unreadable(key: string): KhazanaError {
  return new KhazanaError('bad-format', `record ${key} cannot be read`)
}

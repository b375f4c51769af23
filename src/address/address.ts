import type { Brand } from '../stdx/brand.js'
import { KhazanaError } from '../stdx/errors.js'

/** A place in global memory: 0 to 2^128 - 1. */
export type Address = Brand<bigint, 'Address'>

/** The first address after all of global memory; itself none. */
export const addressSpaceEnd = 1n << 128n

const low64 = (1n << 64n) - 1n
const groupCount = 8
const textLengthMax = groupCount * 4 + groupCount - 1

/** Throws `invalid-argument` outside of 0 to 2^128 - 1. */
export function addressFrom(value: bigint): Address {
  if (value < 0n || value >= addressSpaceEnd) {
    throw new KhazanaError('invalid-argument', `an address is at least 0 and below 2^128, not ${value}`)
  }
  return value as Address
}

/** The address whose upper and lower halves these are, each 0 to 2^64 - 1. */
export function addressFromParts(high: bigint, low: bigint): Address {
  if (high < 0n || high > low64 || low < 0n || low > low64) {
    throw new KhazanaError('invalid-argument', `half of an address is at least 0 and below 2^64`)
  }
  return ((high << 64n) | low) as Address
}

export function addressHigh(address: Address): bigint {
  return address >> 64n
}

export function addressLow(address: Address): bigint {
  return address & low64
}

/** `bytes` further on (or back). Throws `out-of-range` where that leaves global memory. */
export function addAddress(address: Address, bytes: bigint | number): Address {
  const sum = address + BigInt(bytes)
  if (sum < 0n || sum >= addressSpaceEnd) {
    throw new KhazanaError('out-of-range', `${formatAddress(address)} + ${bytes} is no address`)
  }
  return sum as Address
}

/** Reads 16 bytes, most significant first. The caller has checked that they are there. */
export function readAddress(view: DataView, offset: number): Address {
  const high = view.getBigUint64(offset)
  const low = view.getBigUint64(offset + 8)
  return ((high << 64n) | low) as Address
}

/** Writes 16 bytes, most significant first. */
export function writeAddress(view: DataView, offset: number, address: Address): void {
  view.setBigUint64(offset, address >> 64n)
  view.setBigUint64(offset + 8, address & low64)
}

/** As IPv6 text in the canonical form of RFC 5952 (but never with an embedded IPv4 address): `::1:4000`. */
export function formatAddress(address: Address): string {
  const groups: string[] = []
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((address >> shift) & 0xffffn).toString(16))
  const { start, length } = longestZeroRun(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

/**
 * Takes every spelling of an IPv6 address except those with a zone or an embedded IPv4 address. Throws
 * `invalid-argument`.
 */
export function parseAddress(text: string): Address {
  if (text.length > textLengthMax) throw notAnAddress(text)
  const halves = text.split('::')
  const head = groupsOf(halves[0] ?? '')
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '') : []
  if (head === undefined || tail === undefined || halves.length > 2) throw notAnAddress(text)
  const missing = groupCount - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) throw notAnAddress(text)
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail]
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`) as Address
}

/** The groups between the colons, or undefined where one is malformed. */
function groupsOf(text: string): string[] | undefined {
  if (text === '') return []
  const groups = text.split(':', groupCount + 1)
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? groups : undefined
}

function longestZeroRun(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  let length = 0
  groups.forEach((group, index) => {
    length = group === '0' ? length + 1 : 0
    if (length > best.length) best = { start: index + 1 - length, length }
  })
  return best
}

function notAnAddress(text: string): KhazanaError {
  return new KhazanaError('invalid-argument', `not an address (like ::1:4000): "${text.slice(0, 60)}"`)
}

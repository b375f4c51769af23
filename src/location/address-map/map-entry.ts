import { type Address, addressSpaceEnd, formatAddress } from '../../address/address.js'
import { type NodeId, nodeIdMax } from '../../address/identity.js'
import { KhazanaError } from '../../stdx/errors.js'
import { shown } from '../../stdx/shown.js'

/** What the address map says of a range that is not free (paper 3.1). */
export type MapEntry = ReservedEntry | SubtreeEntry

/** A region. */
export interface ReservedEntry {
  readonly kind: 'reserved'
  readonly start: Address
  /** Bytes, from 1 up; the range ends at 2^128 or before. */
  readonly size: bigint
  /** Which reservation of this address it is: 0 to 2^53 - 1. */
  readonly generation: number
  /** Some of the region's homes: 1 to `homesMax`, no node twice. They may be out of date. */
  readonly homes: readonly NodeId[]
}

/** A range that another map describes in finer detail. */
export interface SubtreeEntry {
  readonly kind: 'subtree'
  readonly start: Address
  /** Bytes, from 1 up; the range ends at 2^128 or before. */
  readonly size: bigint
  /** The region that holds the other map: its page 0 is the root. */
  readonly map: Address
  /** Some of the homes of that region, as in `ReservedEntry`. */
  readonly homes: readonly NodeId[]
}

/** Which entry is meant: enough of it that no later one at its place is taken for it. An entry names itself. */
export type EntryName =
  Pick<ReservedEntry, 'kind' | 'start' | 'generation'> | Pick<SubtreeEntry, 'kind' | 'start' | 'map'>

export const homesMax = 4

/** The last address of a range that is not empty. */
export function lastOf(range: { readonly start: bigint; readonly size: bigint }): bigint {
  return range.start + range.size - 1n
}

/** Throws `invalid-argument` for what no map can hold. */
export function checkEntry(entry: MapEntry): void {
  checkMapRange(entry)
  const { homes } = entry
  if (homes.length < 1 || homes.length > homesMax) {
    throw invalid(entry, `it has ${homes.length} homes, not 1 to ${homesMax}`)
  }
  homes.forEach((home, index) => {
    if (!Number.isInteger(home) || home < 1 || home > nodeIdMax) {
      throw invalid(entry, `its home ${shown(home)} is no node's id`)
    }
    if (homes.indexOf(home) !== index) throw invalid(entry, `it names its home ${home} twice`)
  })
  if (entry.kind === 'subtree') {
    if (entry.map < 0n || entry.map >= addressSpaceEnd) throw invalid(entry, 'its map is at no address')
  } else if (!Number.isSafeInteger(entry.generation) || entry.generation < 0) {
    throw invalid(
      entry,
      `its generation is a whole number from 0 to 2^53 - 1, not ${shown(entry.generation)}`,
    )
  }
}

/** Throws `invalid-argument` unless the range is a part of global memory, and not empty. */
export function checkMapRange(range: { readonly start: bigint; readonly size: bigint }): void {
  const { start, size } = range
  if (start < 0n || size < 1n || start + size > addressSpaceEnd) {
    throw new KhazanaError(
      'invalid-argument',
      `a range of an address map has at least one byte and is inside global memory; ${size} bytes from ${start} are not`,
    )
  }
}

export function isSameEntry(a: MapEntry, b: MapEntry): boolean {
  return (
    isNamed(a, b) &&
    a.size === b.size &&
    a.homes.length === b.homes.length &&
    a.homes.every((home, index) => home === b.homes[index])
  )
}

/** Whether this is the entry that is meant. */
export function isNamed(entry: MapEntry, name: EntryName): boolean {
  if (entry.start !== name.start) return false
  if (entry.kind === 'subtree') return name.kind === 'subtree' && entry.map === name.map
  return name.kind === 'reserved' && entry.generation === name.generation
}

/** For messages: `::1:0 to ::1:fff`. */
export function rangeText(start: bigint, last: bigint): string {
  return `${formatAddress(start as Address)} to ${formatAddress(last as Address)}`
}

function invalid(entry: MapEntry, what: string): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `the entry of ${rangeText(entry.start, lastOf(entry))} cannot be put into an address map: ${what}`,
  )
}

import { nodeIdMax } from '../../address/identity.js'
import { KhazanaError } from '../../stdx/errors.js'
import { homesMax } from './map-entry.js'
import * as layout from './map-layout.js'
import { MapPage } from './map-page.js'

/**
 * The page in these bytes, of which nothing was known. Throws `damaged`, saying what is wrong, unless it is a page that a
 * map could hold: its slots in order, disjoint and inside its own range. How pages fit together is not its business.
 *
 * This runs for every page of every search, so it compares addresses as words and makes nothing.
 */
export function checkedPage(bytes: Uint8Array, page: number): MapPage {
  const wrong = bytes.length === layout.mapPageBytes ? faultOf(viewOf(bytes)) : `it has ${bytes.length} bytes`
  if (wrong !== undefined) throw damagedPage(page, wrong)
  return new MapPage(bytes)
}

/** Whether nothing was ever written there. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes.length === layout.mapPageBytes && isZero(viewOf(bytes), 0, bytes.length)
}

export function damagedPage(page: number, what: string): KhazanaError {
  return new KhazanaError('damaged', `page ${page} of an address map is damaged: ${what}`)
}

export function uninitialised(): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    'the address map was never initialised: write what emptyMap gives to its page 0 first',
  )
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function faultOf(view: DataView): string | undefined {
  if (view.getUint32(0) !== layout.magic) return 'it does not begin like one'
  const format = view.getUint8(layout.formatAt)
  if (format !== layout.format) return `it has format ${format}, and only ${layout.format} is known here`
  const level = view.getUint8(layout.levelAt)
  if (level > layout.levelMax) return `it has level ${level}, and there are none above ${layout.levelMax}`
  if (!isZero(view, 8, 16) || !isZero(view, 48, 64)) return 'its header has bits that mean nothing'
  if (compare(view, layout.startAt, layout.lastAt) > 0) return 'its range ends before it begins'
  const count = view.getUint16(layout.countAt)
  if (count > layout.slotsPerPageMax(level)) return `it cannot have ${count} slots`
  const end = layout.slotsAt + count * layout.slotBytesAt(level)
  return (
    (level === 0 ? faultOfEntries(view, count) : faultOfChildren(view, count)) ??
    (isZero(view, end, layout.mapPageBytes) ? undefined : 'there is something behind its last slot')
  )
}

function faultOfEntries(view: DataView, count: number): string | undefined {
  for (let slot = 0; slot < count; slot++) {
    const at = layout.slotsAt + slot * layout.entryBytes
    if (slot > 0 && compare(view, at - layout.entryBytes + layout.entryLastAt, at) >= 0) {
      return `entry ${slot} begins before entry ${slot - 1} ends`
    }
    if (compare(view, at, at + layout.entryLastAt) > 0) return `entry ${slot} ends before it begins`
    const wrong = faultOfEntry(view, at)
    if (wrong !== undefined) return `entry ${slot} ${wrong}`
  }
  if (count === 0) return undefined
  const lastAt = layout.slotsAt + (count - 1) * layout.entryBytes + layout.entryLastAt
  if (compare(view, layout.slotsAt, layout.startAt) < 0) return 'its entries begin before its range'
  return compare(view, lastAt, layout.lastAt) > 0 ? 'its entries end behind its range' : undefined
}

function faultOfEntry(view: DataView, at: number): string | undefined {
  const kind = view.getUint8(at + layout.entryKindAt)
  const detail = at + layout.entryDetailAt
  if (kind === layout.reservedKind) {
    if (view.getUint32(detail) >= 2 ** 21) return 'has a generation of 2^53 or more'
    if (!isZero(view, detail + 8, detail + 16)) return 'has bits that mean nothing'
  } else if (kind !== layout.subtreeKind) return `is of kind ${kind}, which means nothing`
  if (view.getUint16(at + layout.entryHomeAt - 2) !== 0) return 'has bits that mean nothing'
  return faultOfHomes(view, at)
}

function faultOfHomes(view: DataView, at: number): string | undefined {
  const count = view.getUint8(at + layout.entryHomesAt)
  if (count < 1 || count > homesMax) return `has ${count} homes`
  for (let index = 0; index < homesMax; index++) {
    const home = layout.getHome(view, homeAt(at, index))
    if (index >= count ? home !== 0 : home < 1 || home > nodeIdMax) return `has ${home} for a home`
    for (let other = 0; other < index && index < count; other++) {
      if (layout.getHome(view, homeAt(at, other)) === home) return `names its home ${home} twice`
    }
  }
  return undefined
}

function faultOfChildren(view: DataView, count: number): string | undefined {
  if (count === 0) return 'it is above the leaves and has no child'
  if (compare(view, layout.slotsAt, layout.startAt) !== 0) return 'its first child begins elsewhere'
  for (let slot = 0; slot < count; slot++) {
    const at = layout.slotsAt + slot * layout.childBytes
    if (view.getUint32(at + layout.childPageAt) === 0) return `child ${slot} is page 0, which is the root`
    if (slot > 0 && compare(view, at - layout.childBytes, at) >= 0) return `child ${slot} is out of order`
  }
  const at = layout.slotsAt + (count - 1) * layout.childBytes
  return compare(view, at, layout.lastAt) > 0 ? 'its last child begins behind its range' : undefined
}

function homeAt(entry: number, index: number): number {
  return entry + layout.entryHomeAt + index * layout.homeBytes
}

/** Below 0, 0 or above 0, as the address at `a` is less than, the same as or more than that at `b`. */
function compare(view: DataView, a: number, b: number): number {
  for (let at = 0; at < 16; at += 4) {
    const difference = view.getUint32(a + at) - view.getUint32(b + at)
    if (difference !== 0) return difference
  }
  return 0
}

/** Whole words. */
function isZero(view: DataView, from: number, to: number): boolean {
  for (let at = from; at < to; at += 4) if (view.getUint32(at) !== 0) return false
  return true
}

import { type Address, readAddress, writeAddress } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import { assert } from '../../stdx/assert.js'
import { lastOf, type MapEntry } from './map-entry.js'
import * as layout from './map-layout.js'

/**
 * A page of the map, worked on as the bytes that it is: a search touches few of its slots, and a change moves the rest
 * as a block. All positions and ranges are the caller's to check.
 */
export class MapPage {
  #bytes: Uint8Array
  #view: DataView
  /** Whether nobody else has these bytes. Otherwise they are copied before the first change. */
  #isOwn = false

  /** Of bytes that have been checked (`checkedPage`): they are shared, and never written to. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }

  /** A page without slots. */
  static empty(level: number, start: bigint, last: bigint): MapPage {
    const page = new MapPage(new Uint8Array(layout.mapPageBytes))
    page.#isOwn = true
    page.#view.setUint32(0, layout.magic)
    page.#view.setUint8(layout.formatAt, layout.format)
    page.#view.setUint8(layout.levelAt, level)
    writeAddress(page.#view, layout.startAt, start as Address)
    writeAddress(page.#view, layout.lastAt, last as Address)
    return page
  }

  /** The page as it is now, for others to keep: later changes are made to a copy. */
  share(): Uint8Array {
    this.#isOwn = false
    return this.#bytes
  }

  /** 0: a leaf. */
  get level(): number {
    return this.#view.getUint8(layout.levelAt)
  }

  get count(): number {
    return this.#view.getUint16(layout.countAt)
  }

  /** The first address that the page describes. */
  get start(): bigint {
    return readAddress(this.#view, layout.startAt)
  }

  /** The last address that the page describes. */
  get last(): bigint {
    return readAddress(this.#view, layout.lastAt)
  }

  /** The first address of the slot. */
  startOf(slot: number): bigint {
    return readAddress(this.#view, this.#at(slot))
  }

  /** The last address of the slot: of an entry its own, of a child the one before the next child. */
  lastOf(slot: number): bigint {
    if (this.level === 0) return readAddress(this.#view, this.#at(slot) + layout.entryLastAt)
    return slot + 1 < this.count ? this.startOf(slot + 1) - 1n : this.last
  }

  /** Above leaves: the page of the slot. */
  childOf(slot: number): number {
    return this.#view.getUint32(this.#at(slot) + layout.childPageAt)
  }

  /** Of a leaf: the slot as an entry. */
  entryOf(slot: number): MapEntry {
    const at = this.#at(slot)
    const start = this.startOf(slot) as Address
    const size = this.lastOf(slot) - start + 1n
    const homes: NodeId[] = []
    const count = this.#view.getUint8(at + layout.entryHomesAt)
    for (let home = 0; home < count; home++) {
      homes.push(layout.getHome(this.#view, at + layout.entryHomeAt + home * layout.homeBytes) as NodeId)
    }
    if (this.#view.getUint8(at + layout.entryKindAt) === layout.subtreeKind) {
      return { kind: 'subtree', start, size, map: readAddress(this.#view, at + layout.entryDetailAt), homes }
    }
    const generation = Number(this.#view.getBigUint64(at + layout.entryDetailAt))
    return { kind: 'reserved', start, size, generation, homes }
  }

  /** The last slot that begins at the address or before it; -1 where none does. */
  slotBefore(address: bigint): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.startOf(middle) <= address) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  insertEntry(slot: number, entry: MapEntry): void {
    this.#open(slot)
    this.setEntry(slot, entry)
  }

  setEntry(slot: number, entry: MapEntry): void {
    this.#own()
    const at = this.#at(slot)
    this.#bytes.fill(0, at, at + layout.entryBytes)
    writeAddress(this.#view, at, entry.start)
    writeAddress(this.#view, at + layout.entryLastAt, lastOf(entry) as Address)
    this.#view.setUint8(at + layout.entryHomesAt, entry.homes.length)
    entry.homes.forEach((home, index) =>
      layout.setHome(this.#view, at + layout.entryHomeAt + index * layout.homeBytes, home),
    )
    if (entry.kind === 'subtree') {
      this.#view.setUint8(at + layout.entryKindAt, layout.subtreeKind)
      writeAddress(this.#view, at + layout.entryDetailAt, entry.map)
    } else {
      this.#view.setUint8(at + layout.entryKindAt, layout.reservedKind)
      this.#view.setBigUint64(at + layout.entryDetailAt, BigInt(entry.generation))
    }
  }

  insertChild(slot: number, start: bigint, page: number): void {
    this.#open(slot)
    writeAddress(this.#view, this.#at(slot), start as Address)
    this.#view.setUint32(this.#at(slot) + layout.childPageAt, page)
  }

  /** Above leaves: the child begins elsewhere, and the one before it ends elsewhere. */
  setChildStart(slot: number, start: bigint): void {
    this.#own()
    writeAddress(this.#view, this.#at(slot), start as Address)
  }

  /** Removes slots from `slot` on. Above leaves the child that is first then begins where the page does. */
  remove(slot: number, removed = 1): void {
    this.#own()
    const { count } = this
    this.#bytes.copyWithin(this.#at(slot), this.#at(slot + removed), this.#at(count))
    this.#bytes.fill(0, this.#at(count - removed), this.#at(count))
    this.#setCount(count - removed)
    if (this.level > 0 && this.count > 0) this.setChildStart(0, this.start)
  }

  /** The page describes more or less than before: no slot but the first child of its page may be affected. */
  setStart(start: bigint): void {
    this.#own()
    writeAddress(this.#view, layout.startAt, start as Address)
    if (this.level > 0 && this.count > 0) this.setChildStart(0, start)
  }

  setLast(last: bigint): void {
    this.#own()
    writeAddress(this.#view, layout.lastAt, last as Address)
  }

  /** Cuts the page to a part of its range, with the slots that are in it. */
  clip(start: bigint, last: bigint): void {
    const end = this.slotBefore(last) + 1
    if (end < this.count) this.remove(end, this.count - end)
    let first = 0
    while (first < this.count && this.lastOf(first) < start) first++
    if (first > 0) this.remove(0, first)
    this.setLast(last)
    this.setStart(start)
  }

  /** Takes the slots from `slot` on, and all from address `start` on, to a page of their own. */
  splitOff(slot: number, start: bigint): MapPage {
    const { count, level, last } = this
    const right = MapPage.empty(level, start, last)
    right.#append(this, slot)
    if (slot < count) this.remove(slot, count - slot)
    this.setLast(start - 1n)
    return right
  }

  /** Takes over all that the page behind this one describes. */
  absorb(right: MapPage): void {
    this.#append(right, 0)
    this.setLast(right.last)
  }

  #append(other: MapPage, from: number): void {
    this.#own()
    const { count } = this
    const added = other.count - from
    assert(count + added <= layout.slotsPerPageMax(this.level), 'slots that are put together fit on a page')
    this.#bytes.set(other.#bytes.subarray(other.#at(from), other.#at(other.count)), this.#at(count))
    this.#setCount(count + added)
  }

  #open(slot: number): void {
    this.#own()
    const { count } = this
    assert(count < layout.slotsPerPageMax(this.level), 'a page has room for what is put on it')
    this.#bytes.copyWithin(this.#at(slot + 1), this.#at(slot), this.#at(count))
    this.#setCount(count + 1)
  }

  #own(): void {
    if (this.#isOwn) return
    this.#bytes = this.#bytes.slice()
    this.#view = viewOf(this.#bytes)
    this.#isOwn = true
  }

  #setCount(count: number): void {
    this.#view.setUint16(layout.countAt, count)
  }

  #at(slot: number): number {
    return layout.slotsAt + slot * layout.slotBytesAt(this.level)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

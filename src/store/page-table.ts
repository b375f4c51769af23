import type { PageIndex, Version } from '../address/page.js'
import { blockBytes } from './log-place.js'

/**
 * One space's pages and where their newest records are: open addressing with linear probing over one typed array, five
 * words a page, between 3/8 and 3/4 full: 27 to 53 bytes a page, with nothing for the garbage collector to walk. (A `Map` of
 * objects was measured at 94.) Entries are named by their index in the table, good until the next change.
 *
 * Words: the low 32 bits of the page; high bits of page (8) and version (16), size (4), damaged (1), used (1); low
 * 32 bits of the version; slot (16) and block (16); checksum of the payload.
 */
export class PageTable {
  #words: Uint32Array
  #mask: number
  #size = 0

  constructor() {
    this.#words = new Uint32Array(capacityMin * wordsPerEntry)
    this.#mask = capacityMin - 1
  }

  get size(): number {
    return this.#size
  }

  /** Entries are numbered from 0 to here; not all are used. */
  get capacity(): number {
    return this.#mask + 1
  }

  isUsed(entry: number): boolean {
    return this.#word(entry, 1) >= usedBit
  }

  /** -1 where the page is not in the table. */
  find(page: PageIndex): number {
    const low = page % 2 ** 32
    const high = Math.floor(page / 2 ** 32)
    for (let entry = this.#home(low, high); ; entry = (entry + 1) & this.#mask) {
      const flags = this.#word(entry, 1)
      if (flags < usedBit) return -1
      if (this.#word(entry, 0) === low && (flags & 0xff) === high) return entry
    }
  }

  pageAt(entry: number): PageIndex {
    return ((this.#word(entry, 1) & 0xff) * 2 ** 32 + this.#word(entry, 0)) as PageIndex
  }

  versionAt(entry: number): Version {
    return (((this.#word(entry, 1) >>> 8) & 0xffff) * 2 ** 32 + this.#word(entry, 2)) as Version
  }

  /** Length of the payload; 0 where the log keeps none, since it was damaged. */
  bytesAt(entry: number): number {
    const sizeCode = (this.#word(entry, 1) >>> 24) & 0xf
    return sizeCode === noPayload ? 0 : blockBytes << sizeCode
  }

  isDamagedAt(entry: number): boolean {
    return (this.#word(entry, 1) & damagedBit) !== 0
  }

  slotAt(entry: number): number {
    return this.#word(entry, 3) >>> 16
  }

  blockAt(entry: number): number {
    return this.#word(entry, 3) & 0xffff
  }

  checksumAt(entry: number): number {
    return this.#word(entry, 4)
  }

  /** Adds the page or replaces what was known of it. */
  set(
    page: PageIndex,
    version: Version,
    bytes: number,
    slot: number,
    block: number,
    checksum: number,
    condition: 'sound' | 'damaged',
  ): void {
    if ((this.#size + 1) * 4 > this.capacity * 3) this.#grow()
    const low = page % 2 ** 32
    const high = Math.floor(page / 2 ** 32)
    let entry = this.#home(low, high)
    for (; this.isUsed(entry); entry = (entry + 1) & this.#mask) {
      if (this.#word(entry, 0) === low && (this.#word(entry, 1) & 0xff) === high) break
    }
    if (!this.isUsed(entry)) this.#size++
    const sizeCode = bytes === 0 ? noPayload : 31 - Math.clz32(bytes / blockBytes)
    const at = entry * wordsPerEntry
    this.#words[at] = low
    this.#words[at + 1] =
      usedBit |
      (condition === 'damaged' ? damagedBit : 0) |
      (sizeCode << 24) |
      (Math.floor(version / 2 ** 32) << 8) |
      high
    this.#words[at + 2] = version % 2 ** 32
    this.#words[at + 3] = (slot << 16) | block
    this.#words[at + 4] = checksum
  }

  markDamaged(entry: number): void {
    this.#words[entry * wordsPerEntry + 1] = this.#word(entry, 1) | damagedBit
  }

  /** Closes the gap that the entry leaves, so that probing needs no markers. Moves other entries. */
  delete(entry: number): void {
    let gap = entry
    for (let next = (gap + 1) & this.#mask; this.isUsed(next); next = (next + 1) & this.#mask) {
      const home = this.#home(this.#word(next, 0), this.#word(next, 1) & 0xff)
      const isReachedAcrossGap = ((next - home) & this.#mask) >= ((next - gap) & this.#mask)
      if (!isReachedAcrossGap) continue
      this.#words.copyWithin(gap * wordsPerEntry, next * wordsPerEntry, (next + 1) * wordsPerEntry)
      gap = next
    }
    this.#words[gap * wordsPerEntry + 1] = 0
    this.#size--
  }

  #word(entry: number, word: number): number {
    return this.#words[entry * wordsPerEntry + word] ?? 0
  }

  #home(low: number, high: number): number {
    const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
    return (mixed ^ (mixed >>> 15)) & this.#mask
  }

  #grow(): void {
    const old = this.#words
    this.#mask = this.#mask * 2 + 1
    this.#words = new Uint32Array((this.#mask + 1) * wordsPerEntry)
    for (let at = 0; at < old.length; at += wordsPerEntry) {
      const flags = old[at + 1] ?? 0
      if (flags < usedBit) continue
      let entry = this.#home(old[at] ?? 0, flags & 0xff)
      while (this.isUsed(entry)) entry = (entry + 1) & this.#mask
      for (let word = 0; word < wordsPerEntry; word++) {
        this.#words[entry * wordsPerEntry + word] = old[at + word] ?? 0
      }
    }
  }
}

const wordsPerEntry = 5
const capacityMin = 8
const usedBit = 2 ** 31
const damagedBit = 2 ** 28
const noPayload = 15

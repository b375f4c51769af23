import { readAddress, writeAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { assert } from '../../stdx/assert.js'
import { kindNumber, kindOf } from '../layout/inode.js'
import type { FileKind } from '../layout/inode.js'
import { getUint53, setUint53, viewOf } from '../layout/fields.js'
import { FsError } from '../errno.js'
import { sameHashMax } from './name-hash.js'

/** A name in a directory, and what it means. */
export interface DirectoryEntry {
  readonly name: Uint8Array
  readonly kind: FileKind
  readonly ino: number
  readonly address: Address
  /** Where it stands: what is listed is in this order, and an entry stays where it is for as long as it exists. Whole, below 2^52. */
  readonly position: number
}

/** Position, kind, length of the name, number, address. */
const headBytes = 8 + 1 + 1 + 8 + 16

export function entryBytes(name: Uint8Array): number {
  return headBytes + name.length
}

/**
 * Entries one after the other, in no order, in a piece of memory of which `used` bytes are in use. They are as many as fit a page: looking through all of them
 * costs less than keeping them in order.
 */
export class Entries {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #used: number

  constructor(bytes: Uint8Array, used: number) {
    if (used > bytes.length) throw new FsError('EIO', 'a directory is damaged: more in use than there is')
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#used = used
  }

  get used(): number {
    return this.#used
  }

  fits(name: Uint8Array): boolean {
    return this.#used + entryBytes(name) <= this.#bytes.length
  }

  find(name: Uint8Array, hash: number): DirectoryEntry | undefined {
    const offset = this.#offsetOf(name, hash)
    return offset === undefined ? undefined : this.#at(offset)
  }

  *all(): Generator<DirectoryEntry> {
    for (let offset = 0; offset < this.#used; offset += this.#bytesAt(offset)) yield this.#at(offset)
  }

  /** Adds a name that is not there, and that fits. Throws `ENOSPC` where too many have its hash. */
  add(name: Uint8Array, hash: number, entry: Omit<DirectoryEntry, 'name' | 'position'>): void {
    this.addAt(name, this.#freePosition(hash), entry)
  }

  /** The same at a position that is known to be free. */
  addAt(
    name: Uint8Array,
    position: number,
    { kind, ino, address }: Omit<DirectoryEntry, 'name' | 'position'>,
  ): void {
    assert(this.fits(name), 'what is added fits')
    const offset = this.#used
    setUint53(this.#view, offset, position)
    this.#bytes[offset + 8] = kindNumber(kind)
    this.#bytes[offset + 9] = name.length
    setUint53(this.#view, offset + 10, ino)
    writeAddress(this.#view, offset + 18, address)
    this.#bytes.set(name, offset + headBytes)
    this.#used += entryBytes(name)
  }

  /** Makes a name mean something else; it stays where it is. */
  replace(
    name: Uint8Array,
    hash: number,
    { kind, ino, address }: Omit<DirectoryEntry, 'name' | 'position'>,
  ): void {
    const offset = this.#offsetOf(name, hash)
    assert(offset !== undefined, 'what is replaced is there')
    this.#bytes[offset + 8] = kindNumber(kind)
    setUint53(this.#view, offset + 10, ino)
    writeAddress(this.#view, offset + 18, address)
  }

  remove(name: Uint8Array, hash: number): void {
    const offset = this.#offsetOf(name, hash)
    assert(offset !== undefined, 'what is removed is there')
    const length = this.#bytesAt(offset)
    this.#bytes.copyWithin(offset, offset + length, this.#used)
    this.#used -= length
  }

  #freePosition(hash: number): number {
    const taken = new Set<number>()
    for (let offset = 0; offset < this.#used; offset += this.#bytesAt(offset)) {
      const position = getUint53(this.#view, offset)
      if (Math.floor(position / sameHashMax) === hash) taken.add(position)
    }
    for (let number = 0; number < sameHashMax; number++) {
      const position = hash * sameHashMax + number
      if (!taken.has(position)) return position
    }
    throw new FsError('ENOSPC', 'too many names of the directory have the same hash')
  }

  #offsetOf(name: Uint8Array, hash: number): number | undefined {
    for (let offset = 0; offset < this.#used; offset += this.#bytesAt(offset)) {
      if (this.#bytes[offset + 9] !== name.length) continue
      if (Math.floor(getUint53(this.#view, offset) / sameHashMax) !== hash) continue
      if (this.#isNamed(offset + headBytes, name)) return offset
    }
    return undefined
  }

  #isNamed(start: number, name: Uint8Array): boolean {
    for (let index = 0; index < name.length; index++)
      if (this.#bytes[start + index] !== name[index]) return false
    return true
  }

  #bytesAt(offset: number): number {
    const length = headBytes + (this.#bytes[offset + 9] ?? 0)
    if (offset + length > this.#used)
      throw new FsError('EIO', 'a directory is damaged: an entry leaves its page')
    return length
  }

  #at(offset: number): DirectoryEntry {
    const kind = kindOf(this.#bytes[offset + 8] ?? 0)
    if (kind === undefined) throw new FsError('EIO', 'a directory is damaged: a kind that is not known')
    const end = offset + this.#bytesAt(offset)
    return {
      name: this.#bytes.slice(offset + headBytes, end),
      kind,
      ino: getUint53(this.#view, offset + 10),
      address: readAddress(this.#view, offset + 18),
      position: getUint53(this.#view, offset),
    }
  }
}

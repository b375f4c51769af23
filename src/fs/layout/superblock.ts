import { readAddress, writeAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { FsError } from '../errno.js'
import { getUint53, setUint53, viewOf } from './fields.js'

const magicText = 'KhazFS\r\n'
const formatVersion = 1

const at = {
  magic: 0,
  version: 8,
  replicas: 12,
  root: 16,
  openings: 32,
  nextIno: 48,
  id: 56,
  born: 72,
  lives: 96,
} as const

/** The page in which the superblock is, and that which lists the mounts, in its region. */
export const superblockPage = 0
export const mountListPage = 1
export const superblockPages = 2

/** What a file system is: its root, and numbers for new files. A view of the page's bytes. */
export class Superblock {
  readonly #bytes: Uint8Array
  readonly #view: DataView

  /** Throws `EINVAL` for what is none. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    for (let index = 0; index < magicText.length; index++) {
      if (bytes[index] !== magicText.charCodeAt(index))
        throw new FsError('EINVAL', 'there is no file system at this address')
    }
    const version = this.#view.getUint32(at.version)
    if (version !== formatVersion)
      throw new FsError(
        'EINVAL',
        `the file system has format ${version}; this version knows ${formatVersion}`,
      )
  }

  static format(bytes: Uint8Array): Superblock {
    for (let index = 0; index < magicText.length; index++) bytes[index] = magicText.charCodeAt(index)
    viewOf(bytes).setUint32(at.version, formatVersion)
    return new Superblock(bytes)
  }

  get root(): Address {
    return readAddress(this.#view, at.root)
  }

  set root(address: Address) {
    writeAddress(this.#view, at.root, address)
  }

  /** The region whose locks say which files are open: `openings.ts`. */
  get openings(): Address {
    return readAddress(this.#view, at.openings)
  }

  set openings(address: Address) {
    writeAddress(this.#view, at.openings, address)
  }

  /** The region that says which mounts live that have locks on files: `locks/lives.ts`. Undefined in file systems that were made before there was one. */
  get lives(): Address | undefined {
    const address = readAddress(this.#view, at.lives)
    return address === 0n ? undefined : address
  }

  set lives(address: Address | undefined) {
    writeAddress(this.#view, at.lives, address ?? (0n as Address))
  }

  /** On how many nodes the file system's own regions are, and files, unless their directory says otherwise. */
  get replicas(): number {
    return this.#view.getUint32(at.replicas)
  }

  set replicas(count: number) {
    this.#view.setUint32(at.replicas, count)
  }

  /** The first number that no mount has been given. */
  get nextIno(): number {
    return getUint53(this.#view, at.nextIno)
  }

  set nextIno(ino: number) {
    setUint53(this.#view, at.nextIno, ino)
  }

  /** 16 bytes by which the file system is told from others. */
  get id(): Uint8Array {
    return this.#bytes.slice(at.id, at.id + 16)
  }

  set id(id: Uint8Array) {
    this.#bytes.set(id.subarray(0, 16), at.id)
  }
}

import type { Address } from '../../address/address.js'
import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Lock } from './lock.js'

/** Pages that are locked for writing, for an operation and then until its batch is released. */
export class HeldPages {
  readonly region: FsRegion
  readonly lock: Lock
  readonly first: number
  readonly count: number
  #bytes: Uint8Array | undefined
  #before: Uint8Array | undefined

  constructor(region: FsRegion, lock: Lock) {
    this.region = region
    this.lock = lock
    this.first = lock.first
    this.count = lock.count
  }

  /** All their bytes, as they will be: whoever asks for them counts as having written to them. */
  get bytes(): Uint8Array {
    if (this.#bytes !== undefined) return this.#bytes
    const { pageSize } = this.region
    const bytes = this.lock.map(this.first * pageSize, this.count * pageSize)
    this.#before = bytes.slice()
    return (this.#bytes = bytes)
  }

  /** What they were before that, to tell later whether others have changed them. */
  get before(): Uint8Array {
    return this.#before ?? this.bytes
  }

  get isUsed(): boolean {
    return this.#bytes !== undefined
  }
}

/** A region of the file system, as far as this mount knows it. */
export class FsRegion {
  readonly address: Address
  /** Undefined until it has been looked for. */
  handle: Region | undefined
  /** What `handle` is of has ended: whatever has the address now is another region, and this one is found no more. */
  isGone = false
  /** By their pages: what is locked for the batch that is open. */
  readonly held = new Map<number, HeldPages>()
  /** Why the last release with something of it failed, for who asks whether it is durable; told once. */
  failure: KhazanaError | undefined
  /** By their pages: when what is being released has come to its end. Until then nobody here has the page: where a home is lost, it may be had without what is on its way. */
  readonly leaving = new Map<number, Promise<void>>()
  /** Of a file with bytes: the page with which its storage ended where that was seen last, 0 where it had none. Only to guess by. */
  storageEnd = 0
  /** Of a directory: how deep its pages were where something was found last, which is where to look first. */
  directoryDepth = 0
  /** What keeps it from being forgotten. */
  uses = 0

  constructor(address: Address, handle: Region | undefined) {
    this.address = address
    this.handle = handle
  }

  /** Notes that the region has ended, where that is the reason; throws it where it is another one. */
  noteEnd(reason: unknown): void {
    if (KhazanaError.from(reason).code !== 'no-such-region') throw reason
    this.isGone = true
  }

  get pageSize(): number {
    return this.handle?.pageSize ?? 0
  }
}

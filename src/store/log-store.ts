import { checkPageSize, neverWritten, type PageIndex, pageIndex, type Version } from '../address/page.js'
import type { DirectoryLock } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Cleaner } from './cleaner.js'
import type { CommitDone, CommitGroup, PageDamage } from './commit-group.js'
import { Committer } from './committer.js'
import { diskBytesFor, replanGeometry } from './geometry.js'
import type { GroupWriter } from './group-writer.js'
import type { Ledger } from './ledger.js'
import { blockBytes, isBefore } from './log-place.js'
import { keyBytes } from './record-codec.js'
import { segmentName } from './segment.js'
import type { SegmentSet } from './segment-set.js'
import { spaceId, type SpaceId } from './space.js'
import type { Damage, PagePlace, Store, StoredPage, StoreOptions } from './store-contract.js'
import { uint48Max } from './uint48.js'

export interface LogStoreParts {
  readonly options: StoreOptions
  readonly lock: DirectoryLock
  readonly segments: SegmentSet
  readonly ledger: Ledger
  readonly writer: GroupWriter
  readonly cleaner: Cleaner
  readonly pendingBytesMax: number
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'failed'; readonly error: KhazanaError }
  | { readonly kind: 'closed'; readonly done: Promise<void> }

const keyBytesMax = 1024

/** The store over its parts: checks what comes in, reads pages, and knows whether it still may. */
export class LogStore implements Store {
  readonly pendingBytesMax: number
  readonly #options: StoreOptions
  readonly #lock: DirectoryLock
  readonly #segments: SegmentSet
  readonly #ledger: Ledger
  readonly #writer: GroupWriter
  readonly #cleaner: Cleaner
  readonly #committer: Committer
  #state: State = { kind: 'open' }

  constructor(parts: LogStoreParts) {
    this.pendingBytesMax = parts.pendingBytesMax
    this.#options = parts.options
    this.#lock = parts.lock
    this.#segments = parts.segments
    this.#ledger = parts.ledger
    this.#writer = parts.writer
    this.#cleaner = parts.cleaner
    this.#committer = new Committer({
      segments: parts.segments,
      ledger: parts.ledger,
      writer: parts.writer,
      cleaner: parts.cleaner,
      checksum: parts.options.checksum,
      pendingBytesMax: parts.pendingBytesMax,
      failed: (error) => this.#fail(error),
    })
  }

  versionOf(space: SpaceId, page: PageIndex): Version {
    this.#checkOpen()
    const table = this.#ledger.pages.table(space)
    const entry = table?.find(page) ?? -1
    return table === undefined || entry < 0 ? neverWritten : table.versionAt(entry)
  }

  async read(space: SpaceId, page: PageIndex): Promise<StoredPage | undefined> {
    return await this.#read(space, page, this.#options.takeBuffer ?? allocate)
  }

  commit(group: CommitGroup): Promise<void> {
    return new Promise((resolve, reject) => {
      this.submit(group, (failure) => {
        if (failure === undefined) resolve()
        else reject(failure)
      })
    })
  }

  submit(group: CommitGroup, done: CommitDone): void {
    try {
      this.#checkOpen()
      this.#checkGroup(group)
    } catch (reason) {
      done(KhazanaError.from(reason))
      return
    }
    this.#committer.submit(group, done)
  }

  get(key: string): Uint8Array | undefined {
    this.#checkOpen()
    return this.#ledger.metadata.entry(key)?.value
  }

  list(prefix: string): [key: string, value: Uint8Array][] {
    this.#checkOpen()
    return this.#ledger.metadata.list(prefix)
  }

  *pagesOf(space: SpaceId): IterableIterator<{ readonly page: PageIndex; readonly version: Version }> {
    this.#checkOpen()
    const table = this.#ledger.pages.table(space)
    for (let entry = 0; table !== undefined && entry < table.capacity; entry++) {
      if (table.isUsed(entry)) yield { page: table.pageAt(entry), version: table.versionAt(entry) }
    }
  }

  spaces(): IterableIterator<SpaceId> {
    this.#checkOpen()
    return this.#ledger.pages.spaces()
  }

  async scrub(pace: (bytes: number) => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.#checkOpen()
    let buffer = new Uint8Array(0)
    const reuse = (bytes: number): Uint8Array =>
      (buffer = buffer.length === bytes ? buffer : new Uint8Array(bytes))
    for (const space of [...this.#ledger.pages.spaces()]) {
      const pages = [...this.pagesOf(space)].map(({ page }) => page)
      for (const page of pages) {
        await pace(this.placeOf(space, page)?.bytes ?? 0)
        await this.#read(space, page, reuse).catch((reason: unknown) => {
          if (!(reason instanceof KhazanaError && reason.code === 'damaged')) throw reason
        })
      }
    }
  }

  isDamaged(space: SpaceId, page: PageIndex): boolean {
    this.#checkOpen()
    const table = this.#ledger.pages.table(space)
    const entry = table?.find(page) ?? -1
    return table !== undefined && entry >= 0 && table.isDamagedAt(entry)
  }

  placeOf(space: SpaceId, page: PageIndex): PagePlace | undefined {
    this.#checkOpen()
    const table = this.#ledger.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0) return undefined
    const segment = this.#segments.at(table.slotAt(entry))
    const block = table.blockAt(entry)
    return {
      file: segmentName(segment.slot),
      position: block * blockBytes,
      bytes: table.bytesAt(entry),
      isInLastGroup: !isBefore({ sequence: segment.sequence, block }, this.#writer.lastGroup),
    }
  }

  get damage(): readonly Damage[] {
    return this.#ledger.damage
  }

  get damageCount(): number {
    return this.#ledger.damageCount
  }

  get pendingBytes(): number {
    return this.#committer.pendingBytes
  }

  get liveBytes(): number {
    return this.#ledger.liveBytes
  }

  get usableBytes(): number {
    return this.#segments.geometry.usableBytes
  }

  get diskBytes(): number {
    return this.#segments.diskBytes
  }

  get diskBytesMax(): number {
    return this.#segments.geometry.segmentsMax * this.#segments.geometry.segmentBytes
  }

  usableBytesAt(diskBytesMax: number): number {
    return replanGeometry(this.#segments.geometry, diskBytesMax).usableBytes
  }

  diskBytesFor(usableBytes: number): number {
    return diskBytesFor(this.#segments.geometry, usableBytes)
  }

  limitDisk(diskBytesMax: number): void {
    this.#checkOpen()
    const geometry = replanGeometry(this.#segments.geometry, diskBytesMax)
    const bytes = this.liveBytes + this.pendingBytes
    const isLess = geometry.segmentsMax < this.#segments.geometry.segmentsMax
    if (isLess && bytes > geometry.usableBytes) {
      throw new KhazanaError(
        'no-space',
        `${bytes} bytes are kept, which takes a disk limit of at least ${this.diskBytesFor(bytes)} bytes`,
      )
    }
    this.#segments.geometry = geometry
    this.#committer.wake()
  }

  /** Lets the cleaner look for work without waiting for a commit. */
  clean(): void {
    this.#committer.wake()
  }

  close(): Promise<void> {
    if (this.#state.kind === 'closed') return this.#state.done
    const isSound = this.#state.kind === 'open'
    const done = this.#close(isSound ? 'sound' : 'failed')
    this.#state = { kind: 'closed', done }
    return done
  }

  async #close(condition: 'sound' | 'failed'): Promise<void> {
    try {
      if (condition === 'sound') await this.#committer.mark()
      await this.#committer.idle()
      await this.#cleaner.stop()
      await this.#segments.close()
    } finally {
      await this.#lock.release()
    }
  }

  /**
   * The cleaner may move the page while it is being read, and its old place may be written over: so a page that fails
   * its checksum is looked up again, and is damaged only if it stayed where it was.
   */
  async #read(
    space: SpaceId,
    page: PageIndex,
    take: (bytes: number) => Uint8Array,
  ): Promise<StoredPage | undefined> {
    let buffer: Uint8Array | undefined
    let failedAt = -1
    let cause: unknown
    for (;;) {
      this.#checkOpen()
      const table = this.#ledger.pages.table(space)
      const entry = table?.find(page) ?? -1
      if (table === undefined || entry < 0) return undefined
      if (table.isDamagedAt(entry)) throw this.#ledger.damageError(space, page)
      const place = table.slotAt(entry) * 2 ** 16 + table.blockAt(entry)
      if (place === failedAt) throw this.#ledger.noteDamage(space, page, cause)
      const length = table.bytesAt(entry)
      const version = table.versionAt(entry)
      const checksum = table.checksumAt(entry)
      if (buffer?.length !== length) buffer = take(length)
      const segment = this.#segments.at(table.slotAt(entry))
      segment.readers++
      try {
        const got = await segment.file.read(table.blockAt(entry) * blockBytes, buffer)
        if (got === length && this.#options.checksum(buffer, 0) === checksum)
          return { version, bytes: buffer }
      } catch (reason) {
        // A sector that cannot be read is damage of one page, no reason to stop.
        cause = KhazanaError.from(reason, 'damaged')
      } finally {
        segment.readers--
      }
      failedAt = place
    }
  }

  #fail(error: KhazanaError): void {
    if (this.#state.kind !== 'open') return
    this.#state = { kind: 'failed', error }
    this.#options.logger.log('error', 'the store has failed', {
      path: this.#options.directory.path,
      message: error.message,
    })
  }

  #checkOpen(): void {
    switch (this.#state.kind) {
      case 'open':
        return
      case 'failed':
        throw new KhazanaError('storage-failed', this.#state.error.message, { cause: this.#state.error })
      case 'closed':
        throw new KhazanaError('closed', 'the store is closed')
    }
  }

  #checkGroup(group: CommitGroup): void {
    const { pageBytesMax } = this.#segments.geometry
    for (const damage of group.damages ?? []) checkStamp(damage)
    for (const write of [...(group.pages ?? []), ...(group.mends ?? [])]) {
      checkStamp(write)
      const { bytes } = write
      if (checkPageSize(bytes.length) > pageBytesMax) {
        throw new KhazanaError(
          'invalid-argument',
          `a page here has at most ${pageBytesMax} bytes, not ${bytes.length}`,
        )
      }
    }
    for (const { space, range } of group.frees ?? []) {
      spaceId(space)
      pageIndex(range.first)
      if (!Number.isInteger(range.count) || range.count < 1 || range.count > 2 ** 40) {
        throw new KhazanaError('invalid-argument', `not a number of pages: ${range.count}`)
      }
    }
    for (const space of group.drops ?? []) spaceId(space)
    for (const key of group.deletes ?? []) checkKey(key)
    for (const { key, value } of group.puts ?? []) {
      if (checkKey(key) + value.length > pageBytesMax) {
        throw new KhazanaError('invalid-argument', `a key and value have at most ${pageBytesMax} bytes`)
      }
    }
  }
}

function allocate(bytes: number): Uint8Array {
  return new Uint8Array(bytes)
}

function checkStamp({ space, page, version }: PageDamage): void {
  spaceId(space)
  pageIndex(page)
  if (!Number.isInteger(version) || version < 1 || version > uint48Max) {
    throw new KhazanaError(
      'invalid-argument',
      `a version is a whole number from 1 to 2^48 - 1, not ${version}`,
    )
  }
}

function checkKey(key: string): number {
  const bytes = keyBytes(key)
  if (bytes > keyBytesMax)
    throw new KhazanaError('invalid-argument', `a key has at most ${keyBytesMax} bytes`)
  return bytes
}

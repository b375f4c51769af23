import type { PageIndex, Version } from '../address/page.js'
import type { Logger } from '../io/logger.js'
import type { Random } from '../io/random.js'
import type { Checksum, Directory } from '../io/storage.js'
import type { CommitDone, CommitGroup } from './commit-group.js'
import type { SpaceId } from './space.js'

/** A page as last committed. The bytes are the caller's. */
export interface StoredPage {
  readonly version: Version
  readonly bytes: Uint8Array
}

/** Where the bytes of a page are on the disk. */
export interface PagePlace {
  readonly file: string
  /** Of the first byte, in the file. */
  readonly position: number
  /** 0 where the log keeps none, since they were damaged. */
  readonly bytes: number
  /** Whether they came with the last write. After a crash damage there cannot be told from a write that was torn. */
  readonly isInLastGroup: boolean
}

/** What was found to be damaged and has not been replaced since. */
export type Damage =
  | {
      readonly kind: 'page'
      readonly space: SpaceId
      readonly page: PageIndex
      readonly version: Version
      /** For people: file and byte position. */
      readonly place: string
    }
  | {
      /** Log that could not be read at open and was given up by `acceptDamage`: it is not known what it held. */
      readonly kind: 'log'
      readonly place: string
      readonly message: string
    }

/** The entry that says that damaged log was given up: kept until it is deleted, by whoever has drawn the consequences. */
export const damageAcceptedKey = 'store/damage-accepted'

export interface StoreLimits {
  /** Bytes on disk, all told. */
  readonly diskBytesMax: number
  /** The largest page and the largest metadata entry. 1 MiB unless told. */
  readonly pageBytesMax?: number
  /** Bytes of commits not yet durable, above which a further one is refused as `busy`. 256 MiB unless told. */
  readonly pendingBytesMax?: number
  /** Bytes of one log file of a new store; derived from `diskBytesMax` unless told. A multiple of 4 KiB. */
  readonly segmentBytes?: number
}

export interface StoreOptions {
  readonly directory: Directory
  readonly checksum: Checksum
  readonly logger: Logger
  /** Marks the store's own records, so that no page's content can pass for one. */
  readonly random: Random
  readonly limits: StoreLimits
  /**
   * Opens a damaged log with all that is intact in it, instead of throwing `damaged`. What was there may be missing then, or older than it was; that
   * this has happened is kept in the entry `damageAcceptedKey`.
   */
  readonly acceptDamage?: boolean
  /** Where `read` takes its buffers from. Allocates them unless told. */
  readonly takeBuffer?: (bytes: number) => Uint8Array
}

/**
 * Local storage (DESIGN 9): pages keyed by space and page number, and small metadata keyed by text. It knows nothing of
 * regions. A commit becomes visible to `versionOf`, `read`, `get` and `list` when it becomes durable, not before.
 *
 * After a failed write or flush the store is failed for good: every call throws `storage-failed`, since nobody can say
 * what the disk holds until it is read again by a new `openStore`. After `close` every call throws `closed`.
 */
export interface Store {
  /** Of the newest durable record of the page; 0 where there is none. Also answers for a damaged page. */
  versionOf(space: SpaceId, page: PageIndex): Version
  /** Undefined where there is none. Throws `damaged`, naming page and place: such a page is never served. */
  read(space: SpaceId, page: PageIndex): Promise<StoredPage | undefined>
  /**
   * Resolves when all of the group is durable. Groups take effect in the order of the calls. Throws `no-space`, after
   * which nothing of it has happened; `busy` above `pendingBytesMax`; `invalid-argument`; `storage-failed`.
   */
  commit(group: CommitGroup): Promise<void>
  /**
   * The same, told through `done`, in the order of submission, and in the very turn in which it is known. When a commit
   * is refused for lack of space, so are those behind it that write to the same spaces, before `submit` is possible
   * again: nothing is kept that rests on what was not. `done` must not throw.
   */
  submit(group: CommitGroup, done: CommitDone): void
  /** The value is the store's own: it must not be changed. */
  get(key: string): Uint8Array | undefined
  /** All entries whose key begins so, sorted by key. */
  list(prefix: string): [key: string, value: Uint8Array][]
  /** The pages of a space, in no order. The space must not change during the iteration. */
  pagesOf(space: SpaceId): IterableIterator<{ readonly page: PageIndex; readonly version: Version }>
  /** Spaces that have a page, in no order. */
  spaces(): IterableIterator<SpaceId>
  /**
   * Reads every page once, so that damage shows in `damage` before somebody needs the page. `pace` is waited for before each, with the
   * bytes to be read.
   */
  scrub(pace?: (bytes: number) => Promise<void>): Promise<void>
  /** Whether the newest record of the page is known to be damaged. */
  isDamaged(space: SpaceId, page: PageIndex): boolean
  /** Of the newest durable record of the page. */
  placeOf(space: SpaceId, page: PageIndex): PagePlace | undefined
  readonly damage: readonly Damage[]
  /** How often damage was met since the store was opened; never falls. */
  readonly damageCount: number
  /** Bytes of commits not yet durable. */
  readonly pendingBytes: number
  readonly pendingBytesMax: number
  /** Bytes of all that is kept: pages, metadata and their records. */
  readonly liveBytes: number
  /**
   * What `liveBytes` may grow to: any commit that leaves it at or under this finds room, however scattered the
   * overwriting. The rest of the disk limit lets the cleaner work.
   */
  readonly usableBytes: number
  /** Bytes of the log files, including room made ahead. */
  readonly diskBytes: number
  readonly diskBytesMax: number
  /** What `usableBytes` would be with this `diskBytesMax`. Throws `invalid-argument` for a limit that cannot be. */
  usableBytesAt(diskBytesMax: number): number
  /** The smallest `diskBytesMax` with which so many bytes are usable. Infinity where there is none. */
  diskBytesFor(usableBytes: number): number
  /**
   * Changes the limit, rounded down to whole log files, until the store is closed: the next `openStore` says its own. More
   * can be used at once. With less, the cleaner gives files back as far as it can make them free, which takes a while.
   * Throws `no-space` where what is kept, or waits to be, is more than would be usable then; `invalid-argument`.
   */
  limitDisk(diskBytesMax: number): void
  /** Waits for what was committed, then gives the directory back. Idempotent. */
  close(): Promise<void>
}

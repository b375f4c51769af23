import type { FenceMark } from '../../address/fence.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { TransactionTag } from '../../wire/transaction-message.js'

export interface HomeWrite {
  readonly page: PageIndex
  readonly version: Version
  readonly bytes: Uint8Array
  /** Who wrote it, for those who watch; undefined: the home itself. */
  readonly by?: SiteId | undefined
}

/** What stands behind the root replica of a region: the home's disk and the region's allocation. */
export interface HomeBacking {
  isAllocated(range: PageRange): boolean
  /** The newest durable version; the version of zeros where the page was never written. */
  versionOf(page: PageIndex): Version
  /** Whether bytes that were durable when a site was told them under that version are what is durable now: `CmSite.isCurrent`. */
  isCurrent(page: PageIndex, version: number): boolean
  /** The version that `load` finds at this moment; undefined where it finds none. */
  storedVersion(page: PageIndex): Version | undefined
  /** Whether versions that a lost child may have given can be left out. */
  readonly hasOwnNumbers: boolean
  /** For commits in doubt: `CmSite.storedVersion`. */
  numberOf(page: PageIndex): number | undefined
  /**
   * Pages are told under versions above this one from now on, also those that are as they were: under this one, or one below, somebody may have
   * other bytes. Nothing where the region has no home group.
   */
  skipVersions(above: number): void
  /** Whether `load` would find nothing, for certain: it may also answer false where it would. */
  isNeverWritten(page: PageIndex): boolean
  /** Undefined: never written since allocated. Throws `damaged`. */
  load(page: PageIndex): Promise<{ readonly version: Version; readonly bytes: Uint8Array } | undefined>
  /**
   * Makes the group durable. Calls `done` when it is, or with the error, in the order of the groups. Where a group fails,
   * so do those behind it, all in one turn: `Store.submit`. A group that is to become durable together with others ends when they do, and
   * none behind it rests on it.
   */
  persist(
    pages: readonly HomeWrite[],
    done: (failure: KhazanaError | undefined) => void,
    together: TransactionTag | undefined,
  ): void
  /** Whether a transaction of before this replica may still change the page: `Replica.doubtEnded` follows. */
  isInDoubt(page: PageIndex): boolean
  /** Whether others wait for this region to say, or to hear, what becomes of a transaction: it stays what and where it is until then. */
  readonly isUnderTransaction: boolean
  /** Whether so much waits to become durable that writers should wait. */
  readonly isBacklogged: boolean
  /** Resolves when it is not. */
  whenCaughtUp(): Promise<void>
  /** Fences for a root replica that begins in the era: above all that any before it may have given, also before a crash. */
  beginFences(era: number): FenceMark
  /** The limit for that root replica once it has counted up to `used`. It is raised, as far as storage has set more aside. */
  fenceLimit(used: number): number
  /** Whether the page's newest record is damaged. */
  isDamaged(page: PageIndex): boolean
}

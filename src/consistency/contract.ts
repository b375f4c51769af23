import type { SiteId } from '../address/identity.js'
import type { LockMode } from '../address/lock-mode.js'
import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { Brand } from '../stdx/brand.js'
import type { ErrorCode } from '../stdx/errors.js'
import type { CrewMessage } from '../wire/crew-message.js'

/** A lock request that had to wait, numbered by its site. */
export type LockId = Brand<number, 'LockId'>

/** A group of written pages on its way to stable storage, numbered by the site's manager of the region. */
export type CommitId = Brand<number, 'CommitId'>

/** What managers of one region say to each other. Closed while `crew` is the only protocol. */
export type CmMessage = CrewMessage

/**
 * The consistency manager of one region at one site (paper 3.3). Pure: it keeps the state of tokens and locks, is told
 * of events, and answers with effects; it never sees bytes, time, storage or connections.
 *
 * The managers of a region form a tree. The root is the home; a node's parent is the home; a client's parent is its
 * node. Each talks to its parent and its children only, but for a token that one child hands to another on the
 * parent's order.
 */
export interface ConsistencyManager {
  /**
   * The hit: takes the lock if this site holds all it needs at this moment, else changes nothing. The caller owes an
   * `unlock` event or, where nothing was written, `releaseRead`/`releaseWrite`.
   */
  tryAcquire(first: PageIndex, count: number, mode: LockMode): boolean
  /** Ends a lock under which nothing was written. Answers with no effects in the common case. */
  release(first: PageIndex, count: number, mode: LockMode): readonly CmEffect[]
  /** Everything else. The effects are to be performed in their order. */
  step(event: CmEvent): readonly CmEffect[]
  /** Whether storage may drop the page's bytes from RAM; where it may not, nothing changes. */
  evict(page: PageIndex): EvictAnswer
  /** Whether a commit that holds the page's newest bytes is still on its way to stable storage. */
  isUnsettled(page: PageIndex): boolean
  /** What this site knows of the page, for `stat` and for checkers. */
  inspect(page: PageIndex): PageView
  /** Pages that this site has any state of, in no order. */
  pages(): Iterable<PageIndex>
}

export type CmEvent =
  /** A lock that `tryAcquire` could not take. Ends in a `grant` or a `refuse` effect, unless cancelled. */
  | { readonly kind: 'lock'; readonly lock: LockId; readonly range: PageRange; readonly mode: LockMode }
  /** The waiting caller gave up. No `grant` follows. */
  | { readonly kind: 'cancel'; readonly lock: LockId }
  /**
   * A write lock ends, and the `written` pages, at least one, whose frames were already replaced, become the region's.
   * `ticket` is told back when they are durable.
   */
  | {
      readonly kind: 'unlock'
      readonly range: PageRange
      readonly written: readonly PageIndex[]
      readonly ticket: number
    }
  | { readonly kind: 'message'; readonly from: SiteId; readonly message: CmMessage }
  /** The child is dead or its lease has ended: its tokens are void, what it did not release never happened. */
  | { readonly kind: 'child-lost'; readonly child: SiteId }
  /** The rights that the parent gave are void. Locks that wait go on waiting. */
  | { readonly kind: 'parent-lost' }
  /** The parent can be talked to (again). */
  | { readonly kind: 'parent-ready' }
  /** A sibling that might have handed a token over is out of reach for good. */
  | { readonly kind: 'sibling-lost' }
  /** Root: the commit is on stable storage. */
  | { readonly kind: 'durable'; readonly commit: CommitId }
  /**
   * Root: the commit did not happen, nor did any that was handed to storage after it and before this event: they may
   * have been written on top of it. Each of them is told of, too; the manager has given them up by then.
   */
  | {
      readonly kind: 'not-durable'
      readonly commit: CommitId
      readonly code: ErrorCode
      readonly message: string
    }
  /** Root: rights of before a restart have all ended by now. */
  | { readonly kind: 'grace-ended' }
  /** Root: the range, which the caller holds a write lock on, has no storage any more. */
  | { readonly kind: 'freed'; readonly range: PageRange; readonly code: ErrorCode; readonly message: string }

export type CmEffect =
  /** Frames go along for the pages of the message that say so. */
  | { readonly kind: 'send'; readonly to: SiteId; readonly message: CmMessage }
  | { readonly kind: 'grant'; readonly lock: LockId }
  | { readonly kind: 'refuse'; readonly lock: LockId; readonly code: ErrorCode; readonly message: string }
  /** The n-th payload of the message just handled becomes the page's frame. */
  | {
      readonly kind: 'install'
      readonly page: PageIndex
      readonly version: Version
      readonly payload: number
    }
  /** The page's frame is not to be used any more; at the root, storage has the valid bytes. */
  | { readonly kind: 'drop'; readonly page: PageIndex }
  /** Lock contexts that overlap the page are broken, in either mode. The caller still owes the release of each, whole. */
  | { readonly kind: 'break'; readonly page: PageIndex }
  /** Root: write these pages' frames to stable storage as one group, then tell `durable` or `not-durable`. */
  | { readonly kind: 'persist'; readonly commit: CommitId; readonly pages: readonly CommittedPage[] }
  /**
   * Written pages are on their way to stable storage; an `ended` of the same number follows. Those without a failure
   * come in the order of starting; a commit that is refused outright may end before earlier ones.
   */
  | { readonly kind: 'started'; readonly commit: CommitId; readonly ticket: number | undefined }
  /** They are durable, or, with a failure, they never were. `ticket` as the `unlock` event gave it. */
  | {
      readonly kind: 'ended'
      readonly commit: CommitId
      readonly ticket: number | undefined
      readonly failure: { readonly code: ErrorCode; readonly message: string } | undefined
    }

export interface CommittedPage {
  readonly page: PageIndex
  readonly version: Version
}

/**
 * `refused`: in use; the effects may bring its use to an end. `allowed`: drop the bytes, after performing the effects.
 */
export type EvictAnswer =
  | { readonly kind: 'refused'; readonly effects: readonly CmEffect[] }
  | { readonly kind: 'allowed'; readonly effects: readonly CmEffect[] }

export interface PageView {
  readonly right: 'none' | 'shared' | 'exclusive'
  /** -1 where this site has no bytes and knows none. */
  readonly version: number
  /** What each child holds, or is about to get straight from another. */
  readonly children: ReadonlyMap<SiteId, 'shared' | 'exclusive'>
  readonly readers: number
  readonly writing: boolean
  readonly waiting: number
  readonly unsettled: boolean
}

/** What a manager may ask of its surroundings. All answers are plain state, the same for the whole of one step. */
export interface CmSite {
  /** Undefined at the root. */
  readonly parent: SiteId | undefined
  /** Root: the newest durable version. */
  versionOf(page: PageIndex): Version
  /** Root: whether every page of the range has storage. Elsewhere the root judges. */
  isAllocated(range: PageRange): boolean
  /**
   * Root: the number of the child's session here, where the child can be reached by its siblings; else undefined
   * (clients are reached by their node alone).
   */
  siblingSession(child: SiteId): number | undefined
  /** The number of this site's own session with its parent. */
  readonly parentSession: number
  /** Whether this site could send to a sibling now. */
  canReach(sibling: SiteId): boolean
}

/** A protocol, as registered. */
export interface ProtocolDefinition {
  readonly name: string
  create(site: CmSite, options: CmOptions): ConsistencyManager
}

export interface CmOptions {
  /** Root: whether rights from before a restart may be outstanding; then no write is granted until `grace-ended`. */
  readonly grace: 'none' | 'until-ended'
}

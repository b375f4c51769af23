import type { RegionAttributes } from '../address/descriptor.js'
import type { FenceMark } from '../address/fence.js'
import type { SiteId } from '../address/identity.js'
import type { LockMode } from '../address/lock-mode.js'
import type { LockTerms } from '../address/lock-terms.js'
import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { Brand } from '../stdx/brand.js'
import type { ErrorCode } from '../stdx/errors.js'
import type { CrewMessage } from '../wire/crew-message.js'
import type { TransactionTag } from '../wire/transaction-message.js'

/*
 * What a consistency manager is told, what it may answer, and what it may assume (paper 3.3, DESIGN 6). Anyone may write
 * one: see docs/consistency.md, and `examples/` for one that uses nothing but this.
 */

/** What managers of `crew` say to each other. */
export type CmMessage = CrewMessage

/** A lock request that had to wait, numbered by its site. */
export type LockId = Brand<number, 'LockId'>

/** A group of written pages on its way to stable storage, numbered by the site's manager of the region. */
export type CommitId = Brand<number, 'CommitId'>

/**
 * Bytes that the driver keeps for a manager, which never sees them: a whole page, or a patch to one. They come with an
 * event, and are forgotten when its effects have been performed, unless a `keep` is among these.
 */
export type ParcelId = Brand<number, 'ParcelId'>

/** `wanted`: it is held, and somebody waits already for the end of it, which is not told again. */
export type HoldAnswer = 'held' | 'wanted' | 'refused'

/**
 * The consistency manager of one region at one site. Pure: it keeps the state of copies and locks, is told of events, and
 * answers with effects; it never sees bytes, storage or connections. All its methods are called one after the other, and
 * effects are performed in their order before the next event.
 *
 * The managers of a region form a tree. The root is the home. In a protocol with a codec of its own the tree is a star:
 * every other site, node or client of a node, is a child of the home, and nodes relay for their clients. In `crew` a
 * client's parent is its node. Managers talk to their parent and their children only, but for what `crew` lets siblings do.
 */
export interface ConsistencyManager<M = CrewMessage> {
  /**
   * The hit: takes the lock if this site holds all it needs at this moment, else changes nothing. The caller owes an
   * `unlock` event or, where nothing was written, `release`, with the same `terms` object. The frames of all pages are in
   * memory when this is called.
   */
  tryAcquire(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): boolean
  /** Ends a lock under which nothing was written. Answers with no effects in the common case. */
  release(first: PageIndex, count: number, mode: LockMode, terms: LockTerms): readonly CmEffect<M>[]
  /** Everything else. The effects are to be performed in their order. */
  step(event: CmEvent<M>): readonly CmEffect<M>[]
  /** Whether storage may drop the page's bytes from RAM; where it may not, nothing changes. */
  evict(page: PageIndex): EvictAnswer<M>
  /** Whether the page's frame holds bytes that are still on their way to stable storage. */
  isUnsettled(page: PageIndex): boolean
  /**
   * Keeps the right to read the page at this site, if it is here at this moment, and nobody waits for the page or a lock on it is open here; else changes nothing. It
   * stays, whatever locks begin and end here, until `letGo` has been called as often: where somebody elsewhere wants to write, `wanted` is told first, and
   * where the right is lost `break`. Absent where the protocol has nothing of the kind.
   */
  hold?(page: PageIndex): HoldAnswer
  letGo?(page: PageIndex): readonly CmEffect<M>[]
  /**
   * The next number for a context that has an exclusive right: above those of all contexts that had the right to one of its pages before, in
   * this era. Absent where the protocol gives no such right.
   */
  fence?(): FenceAnswer<M>
  /**
   * Commits of which this manager, of a copy, does not know what becomes of them, in their order, for the manager that follows it: `CmOptions.doubts`.
   * Nothing is asked of this one any more. Absent where there are none ever.
   */
  commitsInDoubt?(): readonly CommitInDoubt[]
  /**
   * Whether locks of this mode on these terms may be granted and used only under a valid lease. Where not, they go on while
   * the home cannot be reached.
   */
  needsLease(mode: LockMode, terms: LockTerms): boolean
  /**
   * After a `quiesce`: whether nothing of this site's is on its way to the home any more, nor, at the home, to stable
   * storage or to a child.
   */
  isQuiet(): boolean
  /** What this site knows of the page, for `stat` and for checkers. */
  inspect(page: PageIndex): PageView
  /** Pages that this site has any state of, in no order. */
  pages(): Iterable<PageIndex>
}

export type CmEvent<M = CrewMessage> =
  /** A lock that `tryAcquire` could not take. Ends in a `grant` or a `refuse` effect, unless cancelled. */
  | {
      readonly kind: 'lock'
      readonly lock: LockId
      readonly range: PageRange
      readonly mode: LockMode
      readonly terms: LockTerms
    }
  /** The waiting caller gave up. No `grant` follows. */
  | { readonly kind: 'cancel'; readonly lock: LockId }
  /**
   * A lock ends under which the `written` pages, at least one, were written. `ticket` is told back by `ended`.
   *
   * In `crew` their frames were already replaced. Elsewhere frames are as they were, and `parcels` has, page by page, what
   * was written: a patch or the whole page, as the protocol's `writes` says.
   */
  | {
      readonly kind: 'unlock'
      readonly range: PageRange
      readonly mode: LockMode
      readonly terms: LockTerms
      readonly written: readonly PageIndex[]
      readonly parcels: readonly ParcelId[]
      readonly ticket: number
      /** In `crew`: it happens together with others, at other managers, or not at all. To be handed on with the commit. */
      readonly together?: TransactionTag | undefined
    }
  /**
   * From a peer: exactly once and in the order of sending, for as long as neither side is lost to the other. `parcels` are
   * what was attached to it, in order. `from` is authentic; what it says need not make sense.
   */
  | {
      readonly kind: 'message'
      readonly from: SiteId
      readonly message: M
      readonly parcels: readonly ParcelId[]
    }
  /** The child is dead or its lease has ended: its rights are void, what it did not release never happened. */
  | { readonly kind: 'child-lost'; readonly child: SiteId }
  /**
   * The rights that the parent gave are void, and nothing said to it is answered. Locks that wait go on waiting. `isBack`: another
   * node has become the parent, or it has begun anew, and `parent-ready` is the next event: it was never out of reach.
   */
  | { readonly kind: 'parent-lost'; readonly isBack?: boolean }
  /** The parent can be talked to (again), and knows nothing of this site. Also the first event of a child. */
  | { readonly kind: 'parent-ready' }
  /** A sibling that might have handed a token over is out of reach for good. Only in `crew`. */
  | { readonly kind: 'sibling-lost' }
  /** Root: the commit is on stable storage, and the frames of its pages, where in memory, are what was persisted. */
  | { readonly kind: 'durable'; readonly commit: CommitId }
  /**
   * Root: the commit did not happen, nor did any that was handed to storage after it and before this event: they may
   * have been written on top of it. Each of them is told of, too, by an event of its own, which says nothing of commits
   * started since; `crew` has given them up by then. A commit with a transaction's tag stands by itself, whatever became of others.
   */
  | {
      readonly kind: 'not-durable'
      readonly commit: CommitId
      readonly code: ErrorCode
      readonly message: string
    }
  /** Root: the frames that a `load` asked for are in memory until the effects of this event are performed; or why not. */
  | {
      readonly kind: 'loaded'
      readonly load: number
      readonly failure: { readonly code: ErrorCode; readonly message: string } | undefined
    }
  /** Root: what becomes of these pages is known, and they are as storage has them now; see `CmSite.isInDoubt`. Only in `crew`. */
  | { readonly kind: 'doubt-ended'; readonly pages: readonly PageIndex[] }
  /** Root: rights of before a restart have all ended by now. */
  | { readonly kind: 'grace-ended' }
  /** Root: the range, on which the caller holds a lock with `terms.seize`, has no storage any more. */
  | { readonly kind: 'freed'; readonly range: PageRange; readonly code: ErrorCode; readonly message: string }
  /** The time that the last `alarm` named has come. */
  | { readonly kind: 'alarm' }
  /**
   * The protocol of the region is about to change: no lock is open or will be asked for here. What is known only here goes
   * to the home now. Ends with the manager, or with `resume`, after which all goes on.
   */
  | { readonly kind: 'quiesce' }
  | { readonly kind: 'resume' }

export type CmEffect<M = CrewMessage> =
  /**
   * In `crew`, frames go along for the pages of the message that say so. Elsewhere, what `attach` lists, in that order: the
   * frames of pages, which must be in memory, or parcels. Nothing is sent to a peer that is lost.
   */
  | {
      readonly kind: 'send'
      readonly to: SiteId
      readonly message: M
      readonly attach?: readonly Attachment[]
    }
  | { readonly kind: 'grant'; readonly lock: LockId }
  | { readonly kind: 'refuse'; readonly lock: LockId; readonly code: ErrorCode; readonly message: string }
  /** The n-th payload of the message just handled becomes the page's frame. Only in `crew`: elsewhere, `apply`. */
  | {
      readonly kind: 'install'
      readonly page: PageIndex
      readonly version: Version
      readonly payload: number
    }
  /**
   * Changes the page's frame by the parcel: a whole page becomes the frame, a patch changes those of its bytes that it
   * names, where the frame is in memory, and else does nothing. Locks that are open go on seeing what they saw, unless the region's
   * isolation is `live`.
   */
  | { readonly kind: 'apply'; readonly page: PageIndex; readonly parcel: ParcelId }
  /** The region's merge function makes one page of the frame, which must be in memory, and the parcel, a whole page. */
  | { readonly kind: 'merge'; readonly page: PageIndex; readonly parcel: ParcelId }
  /** The parcel stays until `forget`. */
  | { readonly kind: 'keep'; readonly parcel: ParcelId }
  | { readonly kind: 'forget'; readonly parcel: ParcelId }
  /** The frames of these pages are again those that the commit, which was sent to the parent, was started with. Only in `crew`. */
  | { readonly kind: 'restore'; readonly commit: CommitId; readonly pages: readonly PageIndex[] }
  /** The page's frame is not to be used any more; at the root, storage has the valid bytes. */
  | { readonly kind: 'drop'; readonly page: PageIndex }
  /** Lock contexts that overlap the page are broken, in any mode. The caller still owes the release of each, whole. */
  | { readonly kind: 'break'; readonly page: PageIndex }
  /**
   * Somebody else, here or elsewhere, waits to lock the page in this mode, and lock contexts that are open here are in the way: their holders may end them
   * early. May be told again, and of locks that have just ended. A protocol that never says so has holders that are not told.
   */
  | { readonly kind: 'wanted'; readonly page: PageIndex; readonly mode: 'read' | 'write' }
  /** Root: bring these pages to memory, at most 64, then tell `loaded`. */
  | { readonly kind: 'load'; readonly load: number; readonly range: PageRange }
  /**
   * Root: write these pages to stable storage as one group, then tell `durable` or `not-durable`. At most one commit with
   * parcels may be under way for a page; `crew`, which has none, may have many.
   */
  | {
      readonly kind: 'persist'
      readonly commit: CommitId
      readonly pages: readonly CommittedPage[]
      readonly together?: TransactionTag | undefined
    }
  /**
   * Written pages are on their way to stable storage; an `ended` of the same number follows. Those without a failure
   * come in the order of starting; a commit that is refused outright may end before earlier ones. Outside `crew` this
   * effect is not needed: an `ended` alone will do, in any order. So it is with those of a transaction, whose pages nobody has seen.
   */
  | {
      readonly kind: 'started'
      readonly commit: CommitId
      readonly ticket: number | undefined
      readonly isTogether?: boolean
    }
  /** They are durable, or, with a failure, they never were. `ticket` as the `unlock` event gave it. */
  | {
      readonly kind: 'ended'
      readonly commit: CommitId
      readonly ticket: number | undefined
      readonly failure: { readonly code: ErrorCode; readonly message: string } | undefined
    }
  /** Tell `alarm` when `site.now` has reached `at`. Replaces an alarm that was set before; `Infinity` sets none. */
  | { readonly kind: 'alarm'; readonly at: number }

export type Attachment =
  | { readonly kind: 'frame'; readonly page: PageIndex }
  | { readonly kind: 'parcel'; readonly parcel: ParcelId }

export interface CommittedPage {
  readonly page: PageIndex
  /** Above that of the page's last commit. */
  readonly version: Version
  /**
   * What changes the page, in order: the stored bytes, changed by these, are what is persisted, and become the frame when
   * they are durable. Without: the frame as it is.
   */
  readonly parcels?: readonly ParcelId[]
  /** `merge`: the parcels are whole pages, and the region's merge function makes one of each and what is there. */
  readonly how?: 'apply' | 'merge'
  /** The child that wrote it, where one did: for those who watch. */
  readonly by?: SiteId | undefined
}

/**
 * `refused`: in use; the effects may bring its use to an end. `allowed`: drop the bytes, after performing the effects.
 */
export type EvictAnswer<M = CrewMessage> =
  | { readonly kind: 'refused'; readonly effects: readonly CmEffect<M>[] }
  | { readonly kind: 'allowed'; readonly effects: readonly CmEffect<M>[] }

/** `count`: 1 to `fenceCountMax`. `not-yet`: more has been asked for. `used-up`: there is none any more in this era. */
export interface FenceAnswer<M = CrewMessage> {
  readonly count: number | 'not-yet' | 'used-up'
  readonly effects: readonly CmEffect<M>[]
}

/** Who committed. `nobody`: a child that is gone. */
export type CommitOrigin =
  | { readonly kind: 'local'; readonly ticket: number }
  | { readonly kind: 'child'; readonly child: SiteId; readonly commit: number }
  | { readonly kind: 'nobody' }

/** A commit of which a site does not know whether it has happened. */
export interface CommitInDoubt {
  readonly commit: CommitId
  readonly origin: CommitOrigin
  /** In ascending order. */
  readonly pages: readonly DoubtedPage[]
  /** It may have read what never happened, so it must not happen any more. */
  readonly isBarred: boolean
}

export interface DoubtedPage {
  readonly page: PageIndex
  /** The number that the commit gave the page, and the last one that this site gave. */
  readonly own: number
  readonly last: number
}

export interface PageView {
  /** What this site may do with the page without asking anybody. */
  readonly right: 'none' | 'shared' | 'exclusive'
  /** -1 where this site has no bytes and knows none. */
  readonly version: number
  /** What each child holds, or is about to get straight from another. */
  readonly children: ReadonlyMap<SiteId, 'shared' | 'exclusive'>
  readonly readers: number
  readonly writing: boolean
  readonly waiting: number
  readonly unsettled: boolean
  /** On this site's clock: when the bytes here were certainly the newest. Undefined where they are so now. */
  readonly freshAt?: number | undefined
}

/** What a manager may ask of its surroundings. All answers are plain state, the same for the whole of one step. */
export interface CmSite {
  /** Undefined at the root. */
  readonly parent: SiteId | undefined
  /** Milliseconds on this site's clock, which never goes back; not to be compared with those of another site. */
  readonly now: number
  /** Milliseconds since 1970, as this site believes; may jump, and differ between sites by any amount. */
  readonly wallTime: number
  /** Root: the newest durable version. */
  versionOf(page: PageIndex): Version
  /**
   * Root: whether bytes that a site was told under that version, when they were durable, are what is durable now. A page that nobody writes gets
   * another version when its home becomes another, or begins anew. Absent where that is never so.
   */
  isCurrent?(page: PageIndex, version: number): boolean
  /**
   * Root: whether a transaction of before a restart may still change the page, which is to go to nobody until `doubt-ended`. For
   * `crew`; absent where there is never such a page.
   */
  isInDoubt?(page: PageIndex): boolean
  /** Root: the version that is stored; 0 where none ever was, undefined where there may have been one. For `crew`. */
  storedVersion?(page: PageIndex): number | undefined
  /** Root: `versionOf` is above this from now on, for all pages. For `crew`. */
  skipVersions?(above: number): void
  /**
   * Whether it can be found out what became of commits that were not answered, as no home of the region gives a number again that a site may have given; and, but for the
   * root, whether this site does that. For `crew`.
   */
  readonly keepsDoubts?: boolean
  /** Root: whether every page of the range has storage. Elsewhere the root judges. */
  isAllocated(range: PageRange): boolean
  /**
   * Root: the number of the child's session here, where the child can be reached by its siblings; else undefined
   * (clients are reached by their node alone). For `crew`.
   */
  siblingSession(child: SiteId): number | undefined
  /** The number of this site's own session with its parent. For `crew`. */
  readonly parentSession: number
  /**
   * Root: how far it may count fences that has counted up to `used`: no further than what storage has set aside by now, which it does
   * ahead of the counting. For `crew`.
   */
  fenceLimit(used: number): number
  /** Whether this site could send to a sibling now. For `crew`. */
  canReach(sibling: SiteId): boolean
}

/** A protocol, as registered. */
export interface ProtocolDefinition<M = CrewMessage> {
  /** 1 to 32 lower-case letters, digits and "-", beginning with a letter. */
  readonly name: string
  /**
   * How its messages cross the wire. Absent in `crew` alone, whose messages are part of the wire format.
   */
  readonly codec?: MessageCodec<M>
  /**
   * What the parcels of an `unlock` are. `patches` (unless told): the bytes that differ from those the lock began with, so
   * that what others wrote beside them stands. `pages`: whole pages.
   */
  readonly writes?: 'patches' | 'pages'
  /**
   * Whether a copy can make use of what its site had in memory as the home of the region, or, in `crew`, as a copy of another home: `CmOptions.kept`.
   * Not unless told.
   */
  readonly keepsPages?: boolean
  create(site: CmSite, options: CmOptions): ConsistencyManager<M>
}

/** A protocol whose messages are its own affair: what registries and drivers handle. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- M is used in both directions: no narrower type takes all
export type AnyProtocol = ProtocolDefinition<any>

export interface MessageCodec<M> {
  /** At most `cmBodyBytesMax` (256 KiB). */
  encode(message: M): Uint8Array
  /** Total: throws `protocol-error` for what is no message. Never trusts the bytes. */
  decode(bytes: Uint8Array): M
}

export interface CmOptions {
  /** Root: whether rights from before a restart may be outstanding; then nothing is granted that they would be in the way of until `grace-ended`. */
  readonly grace: 'none' | 'until-ended'
  readonly pageSize: number
  /** Root: fences that no root before this one was given; none unless told. For `crew`. */
  readonly fences?: FenceMark
  /** What a manager of before, at this site, has left open. For `crew`. */
  readonly doubts?: readonly CommitInDoubt[]
  /** The region's, with its consistency vector and its labels, in which a protocol may look for parameters. */
  readonly attributes: RegionAttributes
  /** The application's own test of whether two locks conflict, where the region names one. Symmetric, and pure. */
  readonly conflicts: ConflictTest | undefined
  /** Whether the region names a merge function, for `merge`. */
  readonly merges: boolean
  /** Not at the root, and only where the protocol `keepsPages`: those whose frames are here already, in any order. None unless told. */
  readonly kept?: readonly KeptPage[]
}

/**
 * What this site had before the home became another: as that home, or as a copy. All are of one moment. Where a page is not unsettled its bytes
 * were durable under its version, which may be told to the next home: that knows whether they still are what it has, `CmSite.isCurrent`.
 */
export interface KeptPage {
  readonly page: PageIndex
  /** -1 where it is not known. */
  readonly version: number
  /** Whether it has something that may never have become durable. */
  readonly isUnsettled: boolean
  /** On this site's clock: all that was unlocked before then is in it. */
  readonly freshAt: number
}

/** One lock request, as an application's conflict test sees it. */
export interface LockClaim {
  readonly mode: LockMode
  /** Bytes from the start of the region. */
  readonly offset: number
  readonly length: number
  /** What the caller named: an object, a row; empty where nothing. */
  readonly tag: string
}

/** Whether the two may not be held at once. Called both ways round; must answer the same, always. */
export type ConflictTest = (a: LockClaim, b: LockClaim) => boolean

/**
 * Makes one page of two versions of it, in a new array. The same at every site; commutative, associative and idempotent, as
 * the union of two sets is: copies meet in any order, and some more than once.
 */
export type MergeFunction = (mine: Uint8Array, theirs: Uint8Array, page: PageIndex) => Uint8Array

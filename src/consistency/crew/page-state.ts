import type { LockMode } from '../../address/lock-mode.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { KeptRight, TokenRight, Transfer } from '../../wire/crew-message.js'
import { assert } from '../../stdx/assert.js'
import type { LockId } from '../contract.js'

/** Rights as numbers, so that the hot path compares them: each includes the ones below. */
export type Right = 0 | 1 | 2
export const none: Right = 0
export const shared: Right = 1
export const exclusive: Right = 2

export function rightOf(mode: LockMode): Right {
  return mode === 'read' ? shared : exclusive
}

export function fromToken(right: TokenRight | KeptRight): Right {
  return right === 'exclusive' ? exclusive : right === 'shared' ? shared : none
}

export function toToken(right: Right): TokenRight {
  return right === exclusive ? 'exclusive' : 'shared'
}

export function toKept(right: Right): KeptRight {
  return right === none ? 'none' : 'shared'
}

/** No bytes of the page are here. */
export const noBytes = -1

/** A local lock that has to wait. Pages below `next` are locked for it; it waits in the queue of page `next`. */
export interface LockRequest {
  readonly kind: 'lock'
  readonly lock: LockId
  readonly range: PageRange
  readonly mode: LockMode
  readonly right: Right
  next: number
}

/** A child that waits for a token on one page. */
export interface ChildRequest {
  readonly kind: 'child'
  readonly child: SiteId
  readonly serial: number
  readonly right: Right
  /** The version the child has bytes of, or `noBytes`. */
  readonly known: number
  /** Whether the grant is to say what is stored. */
  readonly isInDoubt: boolean
  /** Whether the question was about this page alone. */
  readonly isAlone: boolean
}

export type Waiter = LockRequest | ChildRequest

/** What a commit in doubt has to take next. */
export interface ClaimRequest {
  readonly kind: 'claim'
  readonly right: Right
}

/** A token on its way from one child straight to another. */
export interface Handing {
  readonly from: SiteId
  readonly to: SiteId
  readonly serial: number
  readonly right: Right
}

/**
 * What a site knows of one page. Where `lent` is exclusive, exactly one child is in `children`, but for those in
 * `voided`; the site itself may use the page only as far as `lent` allows.
 */
export interface PageState {
  readonly page: PageIndex
  /** What the parent gave this site; always exclusive at the root. */
  right: Right
  /** Of the newest bytes at this site, or `noBytes`. At the root: the newest, wherever its bytes are. */
  version: number
  /** Versions under which the same bytes were told before they were told under `of`, which may have another successor by now. */
  formerly: { readonly of: number; readonly versions: readonly number[] } | undefined
  /** Local locks held. */
  readers: number
  writing: boolean
  /** Who keeps the right to read, without a lock: others get the page to write when these have let go. */
  holds: number
  /** For what the holders of local locks were told that somebody waits, since there were none. */
  wanted: Right
  /** The highest right that a child has. */
  lent: Right
  children: Map<SiteId, Right> | undefined
  /** Who waits, first come first served. */
  queue: Waiter[]
  /** The request that is open at the parent. */
  asked: { readonly serial: number; readonly right: Right; cancelling: boolean } | undefined
  /**
   * What the parent has told this site to go down to, and not been answered yet; or, `isOwn`, what this site has told itself, as it needs
   * the room.
   */
  recalled:
    { readonly keep: Right; readonly transfer: Transfer | undefined; readonly isOwn: boolean } | undefined
  /** What each child has been told to go down to, and has not yet. */
  recalling: Map<SiteId, Right> | undefined
  handing: Handing | undefined
  /** Children whose right is void, and that have not answered yet. */
  voided: Set<SiteId> | undefined
  /** Whether the parent still counts on a right that this site has lost: it is told once no child holds any. */
  owesYield: boolean
  /** Commits on their way that hold this page. While there are any, the bytes go to nobody. */
  unsettled: number
  /** What may yet change the page, with others, or leave it: while there is any, nobody gets it, here or elsewhere. */
  held: number
  /** Commits in doubt that wrote the page: nobody gets it before they are over, but for these. */
  doubted: number
  /** Root: the number that a commit gave it last. */
  given: number
}

export function newPageState(page: PageIndex, right: Right, version: number): PageState {
  return {
    page,
    right,
    version,
    formerly: undefined,
    readers: 0,
    writing: false,
    holds: 0,
    wanted: none,
    lent: none,
    children: undefined,
    queue: [],
    asked: undefined,
    recalled: undefined,
    recalling: undefined,
    handing: undefined,
    voided: undefined,
    owesYield: false,
    unsettled: 0,
    held: 0,
    doubted: 0,
    given: 0,
  }
}

/** Of one page, the newest: children that have not asked for longer are sent its bytes. */
const formerVersionsMax = 8

/** The bytes are as they were, and are told under another version from now on. */
export function rename(state: PageState, version: number): void {
  const { version: before, formerly } = state
  assert(before !== noBytes, 'only bytes that are here are renamed')
  const known = formerly?.of === before ? formerly.versions : []
  state.formerly = { of: version, versions: [...known, before].slice(-formerVersionsMax) }
  state.version = version
}

/** Whether bytes that were told under that version, when they were durable, are what is here. */
export function isNamed({ version, formerly }: PageState, name: number): boolean {
  if (name === noBytes) return false
  return name === version || (formerly?.of === version && formerly.versions.includes(name))
}

/** Whether local locks, as they stand, allow somebody else the right. */
export function localsAllow(state: PageState, right: Right): boolean {
  return right === exclusive ? state.readers === 0 && !state.writing : !state.writing
}

/** The same of somebody elsewhere, for whom those who keep the right to read must let go first. */
export function siteAllows(state: PageState, right: Right): boolean {
  return localsAllow(state, right) && (right !== exclusive || state.holds === 0)
}

/** Whether somebody elsewhere waits for this site to let go of the page. */
export function isAwaitedElsewhere({ recalled, queue }: PageState): boolean {
  return (
    recalled?.keep === none || queue.some((waiter) => waiter.kind === 'child' && waiter.right === exclusive)
  )
}

/**
 * Whether all who wait for the page are elsewhere, and do so until those that keep the right to read let go: these may have to read before they can, and nobody
 * waits any longer for that.
 */
export function isKeptFromOthers({ holds, queue }: PageState): boolean {
  return holds > 0 && queue.every((waiter) => waiter.kind === 'child')
}

/** Whether what children hold allows a lock of this right here. */
export function lentAllows(state: PageState, right: Right): boolean {
  return right === exclusive ? state.lent === none : state.lent !== exclusive
}

/** Whether nothing but the bytes is at stake: no lock, child, waiter, question, order or commit. */
export function isIdle(state: PageState): boolean {
  return (
    state.readers === 0 &&
    !state.writing &&
    state.holds === 0 &&
    state.lent === none &&
    state.queue.length === 0 &&
    state.asked === undefined &&
    state.recalled === undefined &&
    state.handing === undefined &&
    !state.owesYield &&
    state.unsettled === 0 &&
    state.held === 0 &&
    state.doubted === 0
  )
}

/** Whether the one use of the page is that children may read it. */
export function isOnlyShared(state: PageState): boolean {
  return state.lent === shared && isIdle({ ...state, lent: none })
}

/** Sets what a child holds, and keeps `lent` in step. */
export function setChild(state: PageState, child: SiteId, right: Right): void {
  const children = (state.children ??= new Map<SiteId, Right>())
  if (right === none) children.delete(child)
  else children.set(child, right)
  let lent: Right = none
  for (const held of children.values()) if (held > lent) lent = held
  state.lent = lent
}

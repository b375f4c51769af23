import type { SiteId } from '../../address/identity.js'
import { isNode } from '../../address/identity.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Transfer } from '../../wire/crew-message.js'
import type { CrewState } from './crew-state.js'
import type { ChildRequest, PageState, Right } from './page-state.js'
import { orphan } from './claims.js'
import { exclusive, isNamed, noBytes, none, toKept, toToken } from './page-state.js'
import { refuseLock } from './locks.js'

export interface AcquireRequest {
  readonly serial: number
  readonly range: PageRange
  readonly right: Right
  readonly known: readonly number[]
  readonly isInDoubt: boolean
}

/**
 * A child asks for tokens: it waits at each page by itself, so that the ones at hand go out at once. Pages without
 * storage are refused one by one, too: of the locks that the child asks for, some may need only the others.
 */
export function onAcquire(crew: CrewState, child: SiteId, request: AcquireRequest): void {
  const { serial, range, right, known: versions, isInDoubt } = request
  const isWhole = !crew.isRoot || crew.site.isAllocated(range)
  for (let offset = 0; offset < range.count; offset++) {
    const page = (range.first + offset) as PageIndex
    if (!isWhole && !crew.site.isAllocated({ first: page, count: 1 })) {
      crew.outbox.refuse(child, serial, page, 'not-allocated', notAllocated)
      continue
    }
    const state = crew.page(page)
    const isAlone = range.count === 1
    const known = versions[offset] ?? noBytes
    state.queue.push({ kind: 'child', child, serial, right, known, isAlone, isInDoubt })
    crew.involve(child, state.page)
    crew.mark(state)
  }
}

export const notAllocated = 'the range has no storage: allocate it before locking it'

/**
 * The child gave up waiting. A grant that is on its way stays one. A token that a sibling was told to hand over comes
 * back here: the child takes none once it has said so.
 */
export function onCancel(crew: CrewState, child: SiteId, serial: number, range: PageRange): void {
  for (let page = range.first; page < range.first + range.count; page++) {
    const state = crew.pages.get(page)
    if (state === undefined) continue
    if (state.handing?.to === child && state.handing.serial === serial) state.handing = undefined
    const at = state.queue.findIndex((waiter) => isRequest(waiter, child, serial))
    if (at < 0) continue
    state.queue.splice(at, 1)
    crew.outbox.refuse(child, serial, page, 'aborted', 'cancelled')
    crew.mark(state)
  }
}

export function onYield(
  crew: CrewState,
  child: SiteId,
  message: { readonly range: PageRange; readonly keep: Right; readonly handed: boolean },
): void {
  const { range, keep, handed } = message
  for (let page = range.first; page < range.first + range.count; page++) {
    const state = crew.pages.get(page)
    if (state === undefined) continue
    // It was sent before the child heard that it has nothing left to keep: the answer to that is to follow.
    if (keep !== none && state.voided?.has(child) === true) continue
    const held = state.children?.get(child) ?? none
    if (held > keep) crew.lend(state, child, keep)
    if ((state.recalling?.get(child) ?? exclusive) >= keep) state.recalling?.delete(child)
    if (!handed && state.handing !== undefined && held > keep) state.handing = undefined
    crew.mark(state)
  }
}

/** A child has the token that another was told to hand it. */
export function onAccepted(
  crew: CrewState,
  child: SiteId,
  serial: number,
  page: PageIndex,
  right: Right,
): void {
  const state = crew.pages.get(page)
  if (state?.handing?.to !== child || state.handing.serial !== serial) return
  state.handing = undefined
  const at = state.queue.findIndex((waiter) => isRequest(waiter, child, serial))
  if (at >= 0) state.queue.splice(at, 1)
  crew.lend(state, child, right)
  crew.mark(state)
}

/** A dead child holds and wants nothing. What it committed whole goes its way. */
export function onChildLost(crew: CrewState, child: SiteId): void {
  for (const page of crew.involved(child)) {
    const state = crew.pages.get(page)
    if (state === undefined) continue
    const mayHaveWritten = state.children?.get(child) === exclusive && state.voided?.has(child) !== true
    if (state.children?.get(child) === exclusive || state.handing?.to === child) crew.fences.lose(child)
    if (mayHaveWritten || state.handing?.to === child) crew.skipVersions(state)
    if (state.handing?.to === child || state.handing?.from === child) state.handing = undefined
    state.queue = state.queue.filter((waiter) => waiter.kind !== 'child' || waiter.child !== child)
    state.recalling?.delete(child)
    if (state.children?.has(child) === true) crew.lend(state, child, none)
    crew.mark(state)
  }
  crew.forgetChild(child)
  orphan(crew, child)
}

/**
 * Tells children to go down to `keep`, each once. `waiting` is spared: it is the one that is to have more. Where the
 * token comes from one owner and goes to one sibling that it can reach, the owner hands it over itself: the bytes
 * travel once, and the requester waits for one message less. Not so where the question was about several pages: they
 * come by the home, in messages of many pages, which is fewer by far.
 */
export function recallChildren(
  crew: CrewState,
  state: PageState,
  keep: Right,
  waiting: ChildRequest | undefined,
): void {
  if (state.handing !== undefined) return
  for (const [child, held] of state.children ?? []) {
    if (child === waiting?.child || held <= keep) continue
    const told = state.recalling?.get(child)
    if (told !== undefined && told <= keep) continue
    state.recalling ??= new Map<SiteId, Right>()
    state.recalling.set(child, keep)
    const transfer = told === undefined ? directTransfer(crew, state, child, waiting) : undefined
    crew.outbox.recall(child, state.page, toKept(keep), transfer)
    if (transfer !== undefined && waiting !== undefined) {
      state.handing = { from: child, to: waiting.child, serial: waiting.serial, right: waiting.right }
    }
  }
}

function directTransfer(
  crew: CrewState,
  state: PageState,
  owner: SiteId,
  waiting: ChildRequest | undefined,
): Transfer | undefined {
  if (waiting?.isAlone !== true || waiting.isInDoubt || state.unsettled > 0) return undefined
  if (!isNode(owner) || !isNode(waiting.child) || state.children?.get(owner) !== exclusive) return undefined
  const session = crew.site.siblingSession(waiting.child)
  if (session === undefined || crew.site.siblingSession(owner) === undefined) return undefined
  const { serial, right } = waiting
  const known = hasDurable(crew, state, waiting.known) ? state.version : waiting.known
  return { to: waiting.child, serial, session, right: toToken(right), known }
}

/** Gives the child at the head of the queue what it asked, as nothing is in the way any more. */
export function grantChild(crew: CrewState, state: PageState, request: ChildRequest): void {
  if (request.right === exclusive) {
    crew.askForFences()
    // It may write over what is stored.
    crew.doubts.forget(state.page)
  }
  const hasBytes = !hasDurable(crew, state, request.known)
  const { page } = state
  const stored = request.isInDoubt && crew.isRoot ? crew.storedOf(page) : undefined
  const stamp = { page, version: state.version as Version, hasBytes, ...(stored !== undefined && { stored }) }
  crew.outbox.grant(request.child, request.serial, toToken(request.right), stamp)
  crew.lend(state, request.child, request.right)
}

/** Whether a child that has the page's bytes under that version has those that are durable. Nothing may be unsettled. */
function hasDurable(crew: CrewState, state: PageState, known: number): boolean {
  if (crew.plantedBug === 'take-older-bytes') return known !== noBytes && known <= state.version
  return isNamed(state, known) || (crew.isRoot && crew.site.isCurrent?.(state.page, known) === true)
}

/** A child would count on. It asks again, sooner or later, where there is no more for it yet. */
export function onAskFences(crew: CrewState, child: SiteId, used: number): void {
  crew.fences.hear(child, used)
  crew.askForFences()
  crew.send(child, { kind: 'fences', fences: crew.fences.tell(child) })
}

/** A client asks what became of commits of before. What is here of them goes its way, and is answered then. */
export function onInquire(crew: CrewState, child: SiteId, commits: readonly number[]): void {
  const known = new Set<number>()
  for (const { origin } of [...crew.commits.values(), ...crew.doubts.list]) {
    if (origin.kind === 'child' && origin.child === child) known.add(origin.commit)
  }
  const message = 'the home of the region has changed before the write was confirmed'
  for (const commit of commits) {
    if (!known.has(commit))
      crew.send(child, { kind: 'uncommitted', commit, code: 'outcome-unknown', message })
  }
}

/** Tells everybody who waits for the page why it cannot be had. */
export function refuseWaiters(crew: CrewState, state: PageState, code: ErrorCode, message: string): void {
  for (const waiter of [...state.queue]) {
    if (waiter.kind === 'lock') refuseLock(crew, waiter, code, message)
    else crew.outbox.refuse(waiter.child, waiter.serial, state.page, code, message)
  }
  state.queue = []
}

function isRequest(waiter: PageState['queue'][number], child: SiteId, serial: number): boolean {
  return waiter.kind === 'child' && waiter.child === child && waiter.serial === serial
}

import type { LockMode } from '../../address/lock-mode.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { LockId } from '../contract.js'
import type { CrewState } from './crew-state.js'
import type { LockRequest, PageState, Right } from './page-state.js'
import { exclusive, isIdle, none, rightOf } from './page-state.js'

/** Starts to wait: at the first page, with all lower ones locked before it waits at a higher one. */
export function enqueueLock(crew: CrewState, lock: LockId, range: PageRange, mode: LockMode): LockRequest {
  const request: LockRequest = { kind: 'lock', lock, range, mode, right: rightOf(mode), next: range.first }
  crew.locks.set(lock, request)
  waitAtNext(crew, request)
  return request
}

/** Locks the page the request stands at, and moves it on. */
export function pin(crew: CrewState, state: PageState, request: LockRequest): void {
  if (request.mode === 'read') state.readers += 1
  else state.writing = true
  request.next += 1
  if (request.next < request.range.first + request.range.count) {
    waitAtNext(crew, request)
    return
  }
  crew.locks.delete(request.lock)
  crew.effects.push({ kind: 'grant', lock: request.lock })
}

export function unpin(crew: CrewState, first: number, end: number, mode: LockMode): void {
  for (let page = first; page < end; page++) {
    const state = crew.pages.get(page as PageIndex)
    if (state === undefined) continue
    if (mode === 'read') state.readers -= 1
    else state.writing = false
    if (state.readers === 0 && !state.writing) state.wanted = none
    if (state.queue.length > 0 || state.recalled !== undefined || state.doubted > 0) crew.mark(state)
  }
}

/** Whoever holds local locks on the page hears, once, that they are in the way of a right. */
export function tellWanted(crew: CrewState, state: PageState, right: Right): void {
  if (state.wanted >= right) return
  state.wanted = right
  crew.effects.push({ kind: 'wanted', page: state.page, mode: right === exclusive ? 'write' : 'read' })
}

/** Takes a waiting lock out, as if it had never been. */
export function withdrawLock(crew: CrewState, request: LockRequest): void {
  crew.locks.delete(request.lock)
  leaveQueue(crew, request)
  unpin(crew, request.range.first, request.next, request.mode)
}

export function refuseLock(crew: CrewState, request: LockRequest, code: ErrorCode, message: string): void {
  withdrawLock(crew, request)
  crew.effects.push({ kind: 'refuse', lock: request.lock, code, message })
}

/** Waiting locks that have locked one of these pages already begin again: the right behind it is lost. */
export function restartLocks(crew: CrewState, lost: ReadonlySet<PageIndex>): void {
  for (const request of crew.locks.values()) {
    let isHit = false
    for (let page = request.range.first; page < request.next && !isHit; page++) isHit = lost.has(page)
    if (!isHit) continue
    leaveQueue(crew, request)
    unpin(crew, request.range.first, request.next, request.mode)
    request.next = request.range.first
    waitAtNext(crew, request)
  }
  restartDoubts(crew, lost)
}

/** So do commits in doubt. */
function restartDoubts(crew: CrewState, lost: ReadonlySet<PageIndex>): void {
  const { taken } = crew.doubts
  if (!taken.some((page) => lost.has(page))) return
  for (const page of taken) {
    const state = crew.page(page)
    state.writing = false
    crew.mark(state)
  }
  crew.doubts.restart()
}

/** Forgets a page of which only defaults are known, where its bytes are not held either. */
export function forgetIfIdle(crew: CrewState, state: PageState): boolean {
  if (!isIdle(state)) return false
  crew.pages.delete(state.page)
  return true
}

function waitAtNext(crew: CrewState, request: LockRequest): void {
  const state = crew.page(request.next as PageIndex)
  state.queue.push(request)
  crew.mark(state)
}

function leaveQueue(crew: CrewState, request: LockRequest): void {
  const state = crew.pages.get(request.next as PageIndex)
  if (state === undefined) return
  state.queue = state.queue.filter((waiter) => waiter !== request)
  crew.mark(state)
}

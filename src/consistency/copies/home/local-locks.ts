import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import type { LockId } from '../../contract.js'
import { messagePagesMax, pagesIn } from '../message.js'
import { notAllocated } from './commits.js'
import type { HomeState, LocalLock } from './home-state.js'
import type { TableLock } from './lock-table.js'

/** The home's own lock, where nothing is in its way. The frames are in memory. */
export function tryLocal(home: HomeState, range: PageRange, mode: LockMode, terms: LockTerms): boolean {
  if (terms.seize || isInTheWay(home, range) || !home.site.isAllocated(range)) return false
  if (home.policy.takesTurn(mode, range.count)) {
    const turn = newTurn(undefined, range, mode, terms)
    if (!mayHold(home, turn) || !home.table.isFree(turn)) return false
    home.table.addHeld(turn)
    home.turns.add(terms, turn)
  }
  pin(home, range, mode)
  return true
}

export function onLocalLock(
  home: HomeState,
  lock: LockId,
  range: PageRange,
  mode: LockMode,
  terms: LockTerms,
): void {
  if (!home.site.isAllocated(range)) {
    home.effects.push({ kind: 'refuse', lock, code: 'not-allocated', message: notAllocated })
    return
  }
  const local: LocalLock = { lock, range, mode, terms, turn: undefined, loaded: 0, state: 'idle' }
  home.locals.set(lock, local)
  if (terms.seize) askForTurn(home, local)
  else for (const page of pagesIn(range)) home.page(page).waiting += 1
  home.isStirred = true
}

function askForTurn(home: HomeState, local: LocalLock): void {
  local.turn = newTurn(local.lock, local.range, local.mode, local.terms)
  home.table.add(local.turn)
  home.isStirred = true
}

function newTurn(
  lock: LockId | undefined,
  range: PageRange,
  mode: LockMode,
  { offset, length, tag, seize }: LockTerms,
): TableLock {
  const claim = { mode, offset, length, tag }
  return { owner: { kind: 'local', lock }, range, mode, claim, isSeizure: seize, state: 'waiting' }
}

/** Rights of before a restart may be outstanding: no writer may be let in beside them. */
export function mayHold(home: HomeState, turn: TableLock): boolean {
  return !home.inGrace || turn.mode === 'read'
}

export function refuseLocal(home: HomeState, local: LocalLock, code: ErrorCode, message: string): void {
  leave(home, local)
  if (local.turn !== undefined) home.table.remove(local.turn)
  home.effects.push({ kind: 'refuse', lock: local.lock, code, message })
}

/** The lock waits no more. Its turn is the caller's to end. */
export function leave(home: HomeState, local: LocalLock): void {
  home.locals.delete(local.lock)
  if (local.terms.seize) return
  for (const index of pagesIn(local.range)) {
    const page = home.page(index)
    page.waiting -= 1
    home.forgetIfIdle(page)
  }
}

/** Takes each of the home's own locks as far as it can go. */
export function serveLocals(home: HomeState): void {
  for (const local of [...home.locals.values()]) if (!local.terms.seize) advance(home, local)
}

/**
 * A lock is granted with all its frames in memory at that moment, so that it sees one moment of all its pages: they are
 * brought there some at a time, and not let go while the lock waits for the others.
 */
function advance(home: HomeState, local: LocalLock): void {
  const { range, mode } = local
  if (local.state === 'loading') return
  if (hasOwnCommits(home, range)) return
  if (home.policy.takesTurn(mode, range.count)) {
    if (local.turn === undefined) askForTurn(home, local)
    if (local.turn?.state !== 'held') return
  } else if (home.isSeized(range)) {
    return
  }
  if (local.loaded === range.count) grant(home, local)
  else loadNext(home, local)
}

function loadNext(home: HomeState, local: LocalLock): void {
  const { range, loaded } = local
  const first = (range.first + loaded) as PageIndex
  local.state = 'loading'
  home.load({
    kind: 'local',
    local,
    range: { first, count: Math.min(messagePagesMax, range.count - loaded) },
  })
}

/** The frames are in memory: for those of the last load, until the effects of this event are performed. */
export function onLocalLoaded(home: HomeState, local: LocalLock, count: number): void {
  if (home.locals.get(local.lock) !== local) return
  local.state = 'idle'
  local.loaded += count
  const { range } = local
  const mustWait = hasOwnCommits(home, range) || (local.turn === undefined && home.isSeized(range))
  if (mustWait) local.loaded = 0
  else if (local.loaded < range.count) loadNext(home, local)
  else grant(home, local)
}

function grant(home: HomeState, local: LocalLock): void {
  const { lock, range, mode, terms, turn } = local
  if (turn !== undefined) home.turns.add(terms, turn)
  pin(home, range, mode)
  leave(home, local)
  home.effects.push({ kind: 'grant', lock })
}

/** A site sees what it wrote: until that is durable, and so in the frame, its own locks on the page wait. */
function hasOwnCommits(home: HomeState, range: PageRange): boolean {
  if (home.policy.plantedBug === 'forget-own-write') return false
  for (let offset = 0; offset < range.count; offset++) {
    const page = home.pages.get((range.first + offset) as PageIndex)
    if (page !== undefined && page.commits > 0) return true
  }
  return false
}

function isInTheWay(home: HomeState, range: PageRange): boolean {
  return hasOwnCommits(home, range) || home.isSeized(range)
}

function pin(home: HomeState, range: PageRange, mode: LockMode): void {
  for (const index of pagesIn(range)) {
    const page = home.page(index)
    if (mode === 'read') page.readers += 1
    else page.writers += 1
  }
}

export function unpin(home: HomeState, range: PageRange, mode: LockMode): void {
  for (const index of pagesIn(range)) {
    const page = home.page(index)
    if (mode === 'read') page.readers -= 1
    else page.writers -= 1
    home.forgetIfIdle(page)
  }
  // Somebody may wait for the pages to be out of use.
  if (home.seizures.length > 0) home.isStirred = true
}

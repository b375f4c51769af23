import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import type { LockId } from '../../contract.js'
import { includes, messagePagesMax, noBytes, pagesIn } from '../message.js'
import type { ChildPage } from './child-page.js'
import { isLocked } from './child-page.js'
import type { ChildState, WaitingLock } from './child-state.js'

/** A local lock begins to wait. */
export function onLock(
  child: ChildState,
  lock: LockId,
  range: PageRange,
  mode: LockMode,
  terms: LockTerms,
): void {
  for (const page of pagesIn(range)) child.page(page).waiting += 1
  child.waiting.set(lock, {
    lock,
    range,
    mode,
    terms,
    askedAt: child.site.now,
    takesTurn: child.policy.takesTurn(mode, range.count),
    serial: 0,
    known: [],
    hasTurn: false,
    validFrom: 0,
  })
  child.isStirred = true
}

export function onCancel(child: ChildState, lock: LockId): void {
  const waiting = child.waiting.get(lock)
  if (waiting === undefined) return
  leave(child, waiting)
  // Where the grant is on its way, this gives it back.
  if (waiting.serial !== 0 && child.isConnected) child.send({ kind: 'unlock', serial: waiting.serial })
}

export function refuse(child: ChildState, waiting: WaitingLock, code: ErrorCode, message: string): void {
  leave(child, waiting)
  child.effects.push({ kind: 'refuse', lock: waiting.lock, code, message })
}

function leave(child: ChildState, waiting: WaitingLock): void {
  child.waiting.delete(waiting.lock)
  for (const index of pagesIn(waiting.range)) {
    const page = child.page(index)
    page.waiting -= 1
    child.forgetIfIdle(page)
  }
}

/** Whether this site's copies allow such a lock now, without a question to the home. */
export function isAtHand(
  child: ChildState,
  range: PageRange,
  mode: LockMode,
  terms: LockTerms,
  askedAt: number,
): boolean {
  const { policy } = child
  if (policy.takesTurn(mode, range.count) && mode !== 'read') return false
  const link = child.isConnected ? 'connected' : 'cut-off'
  for (let offset = 0; offset < range.count; offset++) {
    const page = child.pages.get((range.first + offset) as PageIndex)
    if (page === undefined || !isPresent(child, page) || hasOwnCommit(child, page)) return false
    if (!policy.isUsable(page, terms, askedAt, link)) return false
  }
  return isOneMoment(child, range)
}

/** Looks at every waiting lock, in the order of asking. */
export function serveWaiting(child: ChildState): void {
  while (child.isStirred) {
    child.isStirred = false
    for (const waiting of [...child.waiting.values()]) advance(child, waiting)
  }
}

/** Takes the lock as far as it can go: to its grant, or to the question whose answer it needs. */
function advance(child: ChildState, waiting: WaitingLock): void {
  const { range, mode, terms } = waiting
  // A site sees what it wrote: until that has come back as durable, its own locks on the page wait.
  for (const page of pagesIn(range)) if (hasOwnCommit(child, child.page(page))) return
  if (waiting.validFrom === 0 && isAtHand(child, range, mode, terms, waiting.askedAt)) {
    grant(child, waiting)
    return
  }
  if (!child.isConnected) return
  if (waiting.takesTurn && !waiting.hasTurn) {
    if (waiting.serial === 0) askForTurn(child, waiting)
    return
  }
  const isUpdated = child.policy.holders.kind === 'update'
  if (waiting.validFrom === 0 && !isUpdated) waiting.validFrom = child.nextSerial()
  if (fetchMissing(child, waiting) > 0) return
  if (!waiting.hasTurn && !isOneMoment(child, range)) {
    waiting.validFrom = child.nextSerial()
    fetchMissing(child, waiting)
    return
  }
  grant(child, waiting)
}

function askForTurn(child: ChildState, waiting: WaitingLock): void {
  const { range, mode, terms } = waiting
  waiting.serial = child.nextSerial()
  waiting.known = range.count > messagePagesMax ? [] : knownOf(child, range)
  child.send({
    kind: 'lock',
    serial: waiting.serial,
    range,
    mode,
    offset: terms.offset,
    length: terms.length,
    tag: terms.tag,
    known: waiting.known,
  })
}

/** Asks for the pages whose copies are not good enough for the lock, in runs. How many it has to wait for. */
function fetchMissing(child: ChildState, waiting: WaitingLock): number {
  let missing = 0
  let run: { first: PageIndex; count: number } | undefined
  for (const index of pagesIn(waiting.range)) {
    const page = child.page(index)
    const isMissing = !isGoodFor(child, page, waiting)
    if (isMissing) missing += 1
    if (isMissing && (page.fetching === 0 || page.fetching < waiting.validFrom)) {
      run ??= { first: index, count: 0 }
      run.count += 1
      if (run.count < messagePagesMax) continue
    }
    if (run !== undefined) fetch(child, run, waiting)
    run = undefined
  }
  if (run !== undefined) fetch(child, run, waiting)
  return missing
}

function isGoodFor(child: ChildState, page: ChildPage, waiting: WaitingLock): boolean {
  if (!isPresent(child, page)) return false
  return child.policy.holders.kind === 'update' ? page.isTracked : page.validatedBy >= waiting.validFrom
}

function fetch(child: ChildState, range: PageRange, waiting: WaitingLock): void {
  const serial = child.nextSerial()
  for (const page of pagesIn(range)) child.page(page).fetching = serial
  // Under a turn nobody else writes the pages: copies fetched one after the other are of one moment.
  const moment = waiting.hasTurn ? waiting.serial : serial
  const known = knownOf(child, range)
  child.fetches.set(serial, { range, known, sentAt: child.site.now, lock: waiting.lock, moment })
  child.send({ kind: 'fetch', serial, range, known })
}

function knownOf(child: ChildState, range: PageRange): number[] {
  return Array.from(pagesIn(range), (page) => child.pages.get(page)?.version ?? noBytes)
}

function isPresent(child: ChildState, page: ChildPage): boolean {
  if (page.isTakenAway) return false
  return (
    page.version !== noBytes && (page.version >= page.floor || child.policy.plantedBug === 'forget-own-write')
  )
}

function hasOwnCommit(child: ChildState, page: ChildPage): boolean {
  return page.commits > 0 && child.policy.plantedBug !== 'forget-own-write'
}

/**
 * Whether what was written together is in all of these copies or in none. Copies that are kept up to date always are: what
 * one update brings it brings at once, and an answer to a fetch comes after all updates that it includes.
 */
function isOneMoment(child: ChildState, range: PageRange): boolean {
  if (child.policy.holders.kind === 'update' || child.policy.plantedBug === 'mix-moments') return true
  const moment = child.pages.get(range.first)?.moment
  for (let offset = 1; offset < range.count; offset++) {
    if (child.pages.get((range.first + offset) as PageIndex)?.moment !== moment) return false
  }
  return true
}

function grant(child: ChildState, waiting: WaitingLock): void {
  const { range, mode, terms, serial } = waiting
  leave(child, waiting)
  // One that turned out to be at hand before its turn came needs none.
  if (serial !== 0 && !waiting.hasTurn) child.send({ kind: 'unlock', serial })
  if (waiting.hasTurn) child.turns.add(terms, { serial, range, mode })
  pin(child, range.first, range.count, mode, waiting.hasTurn ? 'turn' : 'no-turn')
  child.effects.push({ kind: 'grant', lock: waiting.lock })
}

export function pin(
  child: ChildState,
  first: PageIndex,
  count: number,
  mode: LockMode,
  by: 'turn' | 'no-turn',
): void {
  for (let offset = 0; offset < count; offset++) {
    const page = child.page((first + offset) as PageIndex)
    if (mode === 'read') page.readers += 1
    else page.writers += 1
    if (mode !== 'read' && by === 'turn') page.turns += 1
    page.idleUpdates = 0
  }
}

/** A lock ends. Its turn is the caller's to give back. */
export function unpin(
  child: ChildState,
  first: PageIndex,
  count: number,
  mode: LockMode,
  by: 'turn' | 'no-turn',
): void {
  for (let offset = 0; offset < count; offset++) {
    const page = child.page((first + offset) as PageIndex)
    if (mode === 'read') page.readers -= 1
    else page.writers -= 1
    if (mode !== 'read' && by === 'turn') page.turns -= 1
    child.forgetIfIdle(page)
  }
}

/** Acknowledges what the home wanted to be out of use, and now is. */
export function payOwedAcks(child: ChildState): void {
  if (child.owedAcks.length === 0) return
  child.owedAcks = child.owedAcks.filter(({ serial, pages }) => {
    const isUsed = pages.some((index) => {
      const page = child.pages.get(index)
      return page !== undefined && isLocked(page)
    })
    if (!isUsed) child.send({ kind: 'ack', serial, dropped: [] })
    return isUsed
  })
}

/** The home has refused a fetch, or a turn. Whoever only shared the fetch asks again. */
export function onRefused(child: ChildState, serial: number, code: ErrorCode, message: string): void {
  const fetched = child.fetches.get(serial)
  let waiting = fetched === undefined ? undefined : child.waiting.get(fetched.lock)
  if (fetched !== undefined) {
    child.fetches.delete(serial)
    for (const index of pagesIn(fetched.range)) endFetch(child, index, serial)
  }
  for (const other of child.waiting.values()) if (other.serial === serial) waiting = other
  if (waiting !== undefined) {
    refuse(child, waiting, code, message)
    if (waiting.serial !== 0 && waiting.serial !== serial)
      child.send({ kind: 'unlock', serial: waiting.serial })
  }
  child.isStirred = true
}

export function endFetch(child: ChildState, index: PageIndex, serial: number): void {
  const page = child.page(index)
  if (page.fetching === serial) page.fetching = 0
  child.forgetIfIdle(page)
}

/** Whether an answer to a question of a waiting lock may be on its way that speaks of the page. */
export function isAskedAbout(child: ChildState, page: ChildPage): boolean {
  if (page.fetching !== 0 || page.waiting > 0) return true
  for (const { range } of child.fetches.values()) if (includes(range, page.page)) return true
  return false
}

import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import type { ParcelId } from '../../contract.js'
import { chunksOf } from '../message.js'
import { unpin } from './child-locks.js'
import type { ChildState, OwnCommit } from './child-state.js'

export interface EndedSection {
  readonly range: PageRange
  readonly mode: LockMode
  readonly terms: LockTerms
  readonly written: readonly PageIndex[]
  readonly parcels: readonly ParcelId[]
  readonly ticket: number
}

/** A section ends that has written. Its frames stay as they are until the home has made it durable. */
export function onUnlock(child: ChildState, section: EndedSection): void {
  const { range, mode, terms, written, parcels, ticket } = section
  const turn = child.turns.take(terms, range.first, range.count, mode)
  const number = child.nextCommit()
  if (!child.isConnected || turn?.serial === 0) {
    unpin(child, range.first, range.count, mode, turn === undefined ? 'no-turn' : 'turn')
    const failure = { code: 'context-broken', message: 'the lock was lost before it ended' } as const
    child.effects.push({ kind: 'ended', commit: number, ticket, failure })
    return
  }
  const lock = turn?.serial ?? 0
  const commit: OwnCommit = { number, ticket, lock, pages: written, parcels, sentAt: child.site.now }
  child.commits.set(number, commit)
  for (const page of written) child.page(page).commits += 1
  for (const parcel of parcels) child.effects.push({ kind: 'keep', parcel })
  unpin(child, range.first, range.count, mode, turn === undefined ? 'no-turn' : 'turn')
  send(child, commit)
}

function send(child: ChildState, { number, lock, pages, parcels }: OwnCommit): void {
  const kept = chunksOf(parcels)
  const chunks = chunksOf(pages)
  chunks.forEach((chunk, index) => {
    const attach = (kept[index] ?? []).map((parcel) => ({ kind: 'parcel', parcel }) as const)
    const final = index === chunks.length - 1
    child.send({ kind: 'commit', number, lock, pages: chunk, final }, attach)
  })
}

export type Failure = { readonly code: ErrorCode; readonly message: string } | undefined

/** The home has answered, or cannot any more. */
export function endCommit(child: ChildState, number: number, failure: Failure): void {
  const commit = child.commits.get(number)
  if (commit === undefined) return
  child.commits.delete(number)
  for (const index of commit.pages) {
    const page = child.page(index)
    page.commits -= 1
    child.forgetIfIdle(page)
  }
  for (const parcel of commit.parcels) child.effects.push({ kind: 'forget', parcel })
  child.effects.push({ kind: 'ended', commit: commit.number, ticket: commit.ticket, failure })
  child.isStirred = true
}

/** When the oldest of the commits was sent: what they ended in was the newest at some time after. */
export function sentAtOf(child: ChildState, numbers: readonly number[]): number {
  let oldest = Infinity
  for (const number of numbers) oldest = Math.min(oldest, child.commits.get(number)?.sentAt ?? -Infinity)
  return numbers.length === 0 ? child.site.now : oldest
}

/** The home has gone, and with it the answers. */
export function loseCommits(child: ChildState): void {
  const message = 'the connection to the home was lost before it confirmed the write'
  for (const { number, pages } of [...child.commits.values()]) {
    // What others wrote together with these pages may have come already, and what these have become has not.
    for (const page of pages) child.page(page).moment = child.nextSerial()
    endCommit(child, number, { code: 'outcome-unknown', message })
  }
}

import type { SiteId } from '../../../address/identity.js'
import type { PageIndex, PageRange } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import type { ParcelId } from '../../contract.js'
import { includes } from '../message.js'
import type { Commit, HomeState } from './home-state.js'
import type { TableLock } from './lock-table.js'

/** Pages of one section. */
const commitPagesMax = 65_536
/** Sections of one child that wait for storage. */
const commitsPerChildMax = 4096

interface CommitPart {
  readonly number: number
  readonly lock: number
  readonly pages: readonly PageIndex[]
  readonly final: boolean
}

export const notAllocated = 'the range has no storage: allocate it before locking it'

/** A part of what a child's section wrote; with the last one it goes on its way. */
export function onCommitPart(
  home: HomeState,
  child: SiteId,
  part: CommitPart,
  parcels: readonly ParcelId[],
): void {
  const { number, lock, pages, final } = part
  const begun = home.partial.get(child)
  // Parts of two commits do not mix: what was not ended by then never will be.
  if (begun !== undefined && begun.number !== number) forgetPartial(home, child)
  const whole = begun?.number === number ? begun : { number, pages: [], parcels: [] }
  const isSound = pages.length === parcels.length && whole.pages.length + pages.length <= commitPagesMax
  if (isSound) {
    whole.pages.push(...pages)
    whole.parcels.push(...parcels)
    for (const parcel of parcels) home.effects.push({ kind: 'keep', parcel })
    home.partial.set(child, whole)
    if (!final) return
    home.partial.delete(child)
  } else {
    forgetPartial(home, child)
  }
  const turn = turnOf(home, child, lock)
  const commit: Commit = {
    origin: { kind: 'child', child, number },
    pages: whole.pages,
    parcels: whole.parcels,
    turn: turn?.state === 'held' ? turn : undefined,
  }
  if (!isSound) {
    failCommit(
      home,
      { ...commit, parcels: [] },
      'protocol-error',
      'a section of too many pages, or without their bytes',
    )
    return
  }
  enqueue(home, commit, refusalOf(home, commit, lock))
}

function forgetPartial(home: HomeState, child: SiteId): void {
  for (const parcel of home.partial.get(child)?.parcels ?? []) home.effects.push({ kind: 'forget', parcel })
  home.partial.delete(child)
}

function turnOf(home: HomeState, child: SiteId, serial: number): TableLock | undefined {
  for (const lock of home.table) {
    if (lock.owner.kind === 'child' && lock.owner.child === child && lock.owner.serial === serial) return lock
  }
  return undefined
}

type Refusal = { readonly code: ErrorCode; readonly message: string } | undefined

/** Why a child's section is not taken. What was written under a lock is taken only while the child holds it. */
function refusalOf(home: HomeState, commit: Commit, lock: number): Refusal {
  const { pages, turn, origin } = commit
  if (pages.length === 0) return { code: 'protocol-error', message: 'a section that wrote nothing' }
  const isCovered =
    turn !== undefined && turn.mode !== 'read' && pages.every((page) => includes(turn.range, page))
  const mayGoWithout = lock === 0 && !home.policy.takesTurn('write-shared', 1)
  if (!isCovered && !mayGoWithout) {
    return { code: 'context-broken', message: 'the lock was lost before the section ended' }
  }
  for (const page of pages) {
    if (!home.site.isAllocated({ first: page, count: 1 }))
      return { code: 'not-allocated', message: notAllocated }
  }
  let queued = 0
  for (const other of home.queue) {
    if (other.origin.kind === 'child' && origin.kind === 'child' && other.origin.child === origin.child)
      queued += 1
  }
  if (queued >= commitsPerChildMax) return { code: 'busy', message: 'too many sections wait for the disk' }
  return undefined
}

/** Puts a section into the queue for storage, or ends it with the reason why not. */
export function enqueue(home: HomeState, commit: Commit, refusal: Refusal): void {
  if (refusal !== undefined) {
    failCommit(home, commit, refusal.code, refusal.message)
    return
  }
  if (commit.turn !== undefined) commit.turn.state = 'ending'
  home.queue.push(commit)
  home.isStirred = true
  if (home.policy.plantedBug === 'acknowledge-before-durable' && commit.origin.kind === 'child') {
    const numbers = [commit.origin.number]
    home.send(commit.origin.child, { kind: 'committed', numbers, changes: [], final: true })
  }
}

/** The section never happened. Nothing needs to be undone: frames change only when it is durable. */
export function failCommit(home: HomeState, commit: Commit, code: ErrorCode, message: string): void {
  const { origin, parcels, turn } = commit
  for (const parcel of parcels) home.effects.push({ kind: 'forget', parcel })
  if (turn !== undefined) home.table.remove(turn)
  home.isStirred = true
  if (origin.kind === 'child')
    home.send(origin.child, { kind: 'uncommitted', number: origin.number, code, message })
  if (origin.kind !== 'local') return
  forgetLocal(home, commit)
  const failure = { code, message }
  home.effects.push({ kind: 'ended', commit: home.nextCommit(), ticket: origin.ticket, failure })
}

/** The home's own locks need not wait for the section any more. */
export function forgetLocal(home: HomeState, commit: Commit): void {
  for (const index of commit.pages) {
    const page = home.page(index)
    page.commits -= 1
    home.forgetIfIdle(page)
  }
}

/** Ends those that wait for storage that is gone. */
export function failQueued(home: HomeState, range: PageRange, code: ErrorCode, message: string): void {
  const failed = home.queue.filter(({ pages }) => pages.some((page) => includes(range, page)))
  home.queue = home.queue.filter((commit) => !failed.includes(commit))
  for (const commit of failed) failCommit(home, commit, code, message)
}

/** The child is dead: what it had not ended, or what was not handed to storage, never happened. */
export function loseCommitsOf(home: HomeState, child: SiteId): void {
  forgetPartial(home, child)
  const isOfChild = (commit: Commit): boolean =>
    commit.origin.kind === 'child' && commit.origin.child === child
  const lost = home.queue.filter(isOfChild)
  home.queue = home.queue.filter((commit) => !isOfChild(commit))
  for (const { commits } of home.batches.values()) {
    for (const commit of commits) if (isOfChild(commit)) commit.origin = { kind: 'orphan' }
  }
  for (const commit of lost) {
    for (const parcel of commit.parcels) home.effects.push({ kind: 'forget', parcel })
    if (commit.turn !== undefined) home.table.remove(commit.turn)
  }
  if (lost.length > 0) home.isStirred = true
}

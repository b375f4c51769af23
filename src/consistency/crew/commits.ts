import type { SiteId } from '../../address/identity.js'
import type { PageIndex, Version } from '../../address/page.js'
import type { CrewMessage, PageStamp } from '../../wire/crew-message.js'
import type { TransactionTag } from '../../wire/transaction-message.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { present } from '../../stdx/assert.js'
import type { CommitId, CommitOrigin } from '../contract.js'
import type { Commit, CrewState } from './crew-state.js'
import { loseRights } from './lost-rights.js'
import { exclusive } from './page-state.js'
import type { PageState } from './page-state.js'

/**
 * Sends written pages, whose newest frames are here, towards stable storage: to the log, or to the parent. Those of a transaction are held
 * until it has ended: so nobody sees some of what happens together with the rest, and nothing rests on what may come to nothing.
 */
export function startCommit(
  crew: CrewState,
  origin: CommitOrigin,
  pages: readonly PageIndex[],
  together: TransactionTag | undefined,
): void {
  const commit = crew.nextCommit()
  const isTogether = together !== undefined
  crew.effects.push({ kind: 'started', commit, ticket: ticketOf(origin), ...(isTogether && { isTogether }) })
  dispatch(crew, commit, origin, pages, together)
}

/** Sends them, under a number that is known already. */
export function dispatch(
  crew: CrewState,
  commit: CommitId,
  origin: CommitOrigin,
  pages: readonly PageIndex[],
  together: TransactionTag | undefined,
): void {
  const by = origin.kind === 'child' ? origin.child : undefined
  const committed = pages.map((page) => {
    const state = crew.page(page)
    if (crew.isRoot) noteNumber(crew, state)
    state.unsettled += 1
    if (together !== undefined) state.held += 1
    return { page, version: state.version as Version, by }
  })
  const isTogether = together !== undefined
  const versions = committed.map(({ version }) => version)
  crew.commits.set(commit, { origin, pages, versions, isTogether })
  const { parent } = crew.site
  if (parent === undefined) {
    crew.effects.push({ kind: 'persist', commit, pages: committed, ...(isTogether && { together }) })
    if (crew.plantedBug === 'acknowledge-before-durable' && origin.kind === 'child') {
      crew.send(origin.child, { kind: 'committed', commit: origin.commit })
    }
    return
  }
  const stamps = committed.map(({ page, version }) => ({ page, version, hasBytes: true }))
  const message = { kind: 'commit', commit, pages: stamps, final: true } as const
  crew.send(parent, isTogether ? { ...message, together } : message)
}

/** Root: remembers over what is written, where the number does not follow that. */
function noteNumber(crew: CrewState, state: PageState): void {
  const { page, version } = state
  crew.overtakings.note(page, state.unsettled > 0 ? state.given : crew.site.storedVersion?.(page), version)
  state.given = version
}

/** The commit is durable: its pages may go to others, whoever waits is told. */
export function settle(crew: CrewState, commit: CommitId): void {
  const { origin, pages, isTogether } = take(crew, commit)
  for (const page of pages) {
    const state = crew.page(page)
    state.unsettled -= 1
    if (isTogether) state.held -= 1
    crew.mark(state)
  }
  crew.effects.push({ kind: 'ended', commit, ticket: ticketOf(origin), failure: undefined })
  const isTold = crew.isRoot && crew.plantedBug === 'acknowledge-before-durable'
  if (origin.kind === 'child' && !isTold) {
    crew.send(origin.child, { kind: 'committed', commit: origin.commit })
  }
}

/**
 * The commit did not happen. At the root its pages go back to what is durable, or on the way before it; elsewhere the
 * right to them is gone. Local locks on them have seen bytes that never were, so their contexts break. A child that
 * committed loses its right to the pages.
 */
export function unsettle(crew: CrewState, commit: CommitId, code: ErrorCode, message: string): void {
  const { origin, pages, versions, isTogether } = take(crew, commit)
  const states = pages.map((page) => crew.page(page))
  // Who committed may not hear of it, and take others' bytes under these numbers for its own.
  if (origin.kind !== 'local') for (const version of versions) crew.useVersions(version)
  for (const state of states) if (origin.kind === 'child') crew.voidChild(state, origin.child)
  if (crew.isRoot) states.forEach((state) => rollBack(crew, state))
  else loseRights(crew, states)
  for (const state of states) {
    state.unsettled -= 1
    if (isTogether) state.held -= 1
    crew.mark(state)
  }
  crew.bar()
  tellEnd(crew, commit, origin, { code, message })
}

/** Whoever waits for it hears what became of it. */
export function tellEnd(
  crew: CrewState,
  commit: CommitId,
  origin: CommitOrigin,
  failure: { readonly code: ErrorCode; readonly message: string } | undefined,
): void {
  crew.effects.push({ kind: 'ended', commit, ticket: ticketOf(origin), failure })
  if (origin.kind !== 'child') return
  const { child, commit: number } = origin
  if (failure === undefined) crew.send(child, { kind: 'committed', commit: number })
  else crew.send(child, { kind: 'uncommitted', commit: number, ...failure })
}

/** Root: the page is again what storage has. */
function rollBack(crew: CrewState, state: PageState): void {
  const { page } = state
  if (state.readers > 0 || state.writing || state.holds > 0) crew.effects.push({ kind: 'break', page })
  crew.effects.push({ kind: 'drop', page })
  crew.overtakings.forget(page)
  state.version = crew.site.versionOf(page)
}

/**
 * Root: the commit failed, and all that are open with it, as they were handed to storage later. They end at once: what
 * is written from now on starts from what is durable. Storage tells of the others too; they are over by then. Commits of transactions
 * each stand by themselves: nothing was written on top of one, and storage fails those that were written on top of what failed.
 */
export function onNotDurable(crew: CrewState, commit: CommitId, code: ErrorCode, message: string): void {
  const failed = crew.commits.get(commit)
  if (failed === undefined) return
  if (failed.isTogether) {
    unsettle(crew, commit, code, message)
    return
  }
  for (const [open, { isTogether }] of [...crew.commits]) {
    if (!isTogether) unsettle(crew, open, code, message)
  }
}

function ticketOf(origin: CommitOrigin): number | undefined {
  return origin.kind === 'local' ? origin.ticket : undefined
}

/**
 * A child's section: taken only if the child still holds every page of it. And not while the child has yet to hear that
 * it lost something: the section may have read that, on a page that it did not write.
 */
export function onCommit(
  crew: CrewState,
  child: SiteId,
  { commit, pages, together }: Extract<CrewMessage, { kind: 'commit' }>,
): void {
  const isHeld = (stamp: PageStamp): boolean => {
    const state = crew.pages.get(stamp.page)
    return stamp.hasBytes && state?.children?.get(child) === exclusive && stamp.version === state.version + 1
  }
  if (pages.length === 0 || crew.hasVoided(child) || !pages.every(isHeld)) {
    for (const { page } of pages) {
      const state = crew.pages.get(page)
      if (state !== undefined) crew.voidChild(state, child)
    }
    const message = 'the right to the pages was lost before the section ended'
    crew.send(child, { kind: 'uncommitted', commit, code: 'context-broken', message })
    return
  }
  pages.forEach(({ page, version }, payload) => {
    crew.page(page).version = version
    crew.effects.push({ kind: 'install', page, version, payload })
  })
  startCommit(
    crew,
    { kind: 'child', child, commit },
    pages.map(({ page }) => page),
    together,
  )
}

function take(crew: CrewState, commit: CommitId): Commit {
  const found = present(crew.commits.get(commit), `commit ${commit} ends once`)
  crew.commits.delete(commit)
  return found
}

import type { PageIndex } from '../../address/page.js'
import type { StoredPage } from '../../wire/crew-message.js'
import { present } from '../../stdx/assert.js'
import type { CommitId, CommitInDoubt, CommitOrigin } from '../contract.js'
import { ask } from './ask.js'
import { dispatch, tellEnd } from './commits.js'
import type { CrewState } from './crew-state.js'
import type { Finding } from './doubts.js'
import { versionsSkipped } from './doubts.js'
import type { ClaimRequest, PageState } from './page-state.js'
import { exclusive } from './page-state.js'

/**
 * The parent is lost, and every right with it. What was on its way becomes doubts; answers with what does not: commits of transactions, and those
 * whose numbers may have been given by others.
 */
export function doubtCommits(crew: CrewState): readonly CommitId[] {
  const spans = spansOf(crew)
  const doubts: CommitInDoubt[] = []
  const others: CommitId[] = []
  for (const [commit, { origin, pages, versions, isTogether }] of crew.commits) {
    const doubted = pages.map((page, index) => {
      const { first, last } = present(spans.get(page), 'a commit counts')
      const own = present(versions[index], 'a page has a number')
      return { page, own, last, isNear: last - first < versionsSkipped }
    })
    if (isTogether || !doubted.every(({ isNear }) => isNear)) {
      others.push(commit)
      continue
    }
    doubted.sort((a, b) => a.page - b.page)
    doubts.push({
      commit,
      origin,
      pages: doubted.map(({ page, own, last }) => ({ page, own, last })),
      isBarred: crew.isBarred(commit),
    })
  }
  for (const { commit, pages } of doubts) {
    crew.commits.delete(commit)
    for (const { page } of pages) crew.page(page).unsettled -= 1
  }
  adoptDoubts(crew, doubts)
  if (others.length > 0) crew.bar()
  return others
}

/** Of each page: the numbers that this site has given and not heard of. */
function spansOf(crew: CrewState): ReadonlyMap<PageIndex, { first: number; last: number }> {
  const spans = new Map<PageIndex, { first: number; last: number }>()
  for (const { pages, versions } of crew.commits.values()) {
    pages.forEach((page, index) => {
      const number = present(versions[index], 'a page has a number')
      const span = spans.get(page)
      if (span === undefined) spans.set(page, { first: number, last: number })
      else {
        span.first = Math.min(span.first, number)
        span.last = Math.max(span.last, number)
      }
    })
  }
  return spans
}

/** Takes them in, from this manager or the one before it. */
export function adoptDoubts(crew: CrewState, doubts: readonly CommitInDoubt[]): void {
  for (const { pages } of doubts) {
    for (const { page } of pages) {
      const state = crew.page(page)
      state.doubted += 1
      crew.mark(state)
    }
  }
  crew.doubts.add(doubts)
}

/** All that is missing is asked for at once; what is taken is taken in order. */
export function askForDoubted(crew: CrewState): void {
  for (const page of crew.doubts.wanted) {
    const state = crew.page(page)
    crew.mark(state)
    if (state.right < exclusive) ask(crew, state, exclusive)
  }
}

const claim: ClaimRequest = { kind: 'claim', right: exclusive }

/** The claim on the page, where it is the one that is to be taken next. */
export function claimOn(crew: CrewState, page: PageIndex): ClaimRequest | undefined {
  return crew.doubts.next === page ? claim : undefined
}

/** The page, which is the next, can be taken: there is nothing in the way. */
export function takeClaimed(crew: CrewState, state: PageState): void {
  const isThere = !crew.isRoot || crew.site.isAllocated({ first: state.page, count: 1 })
  if (isThere) state.writing = true
  moveOn(crew, isThere ? 'taken' : 'refused')
}

/** The page cannot be had: what others say must do. */
export function refuseClaim(crew: CrewState, state: PageState): void {
  if (claimOn(crew, state.page) !== undefined) moveOn(crew, 'refused')
}

function moveOn(crew: CrewState, how: 'taken' | 'refused'): void {
  crew.doubts.took(how)
  if (crew.doubts.next === undefined) conclude(crew)
  else crew.markDoubt()
}

/** All pages that can be had are here: nobody writes before this is over. */
function conclude(crew: CrewState): void {
  const { doubts } = crew
  const taken = new Set(doubts.taken)
  const storedOf = (page: PageIndex): StoredPage | undefined => {
    if (!taken.has(page)) return undefined
    return crew.isRoot ? crew.storedOf(page) : doubts.storedOf(page)
  }
  const found: { readonly doubt: CommitInDoubt; readonly finding: Finding }[] = []
  let mustNot = false
  for (const doubt of doubts.list) {
    const finding = doubts.find(doubt, mustNot || doubt.isBarred, storedOf, crew.plantedBug)
    // What comes later may have read it.
    if (finding === 'lost' || finding === 'unknown') mustNot = true
    found.push({ doubt, finding })
  }
  if (mustNot) crew.bar()
  for (const { doubt, finding } of found) settleDoubt(crew, doubt, finding)
  letGo(crew)
}

function settleDoubt(crew: CrewState, { commit, origin, pages }: CommitInDoubt, finding: Finding): void {
  switch (finding) {
    case 'done':
      return tellEnd(crew, commit, origin, undefined)
    case 'resend':
      // As if the section had ended now.
      for (const { page } of pages) crew.page(page).version += 1
      return commitAgain(
        crew,
        commit,
        origin,
        pages.map(({ page }) => page),
      )
    case 'lost': {
      const message =
        'the home was lost before the write came there, and others have written since, or it had read what was never durable: lock again'
      return tellEnd(crew, commit, origin, { code: 'context-broken', message })
    }
    case 'unknown': {
      const message = 'the home was lost before it confirmed the write, and others have written since'
      return tellEnd(crew, commit, origin, { code: 'outcome-unknown', message })
    }
  }
}

function commitAgain(
  crew: CrewState,
  commit: CommitId,
  origin: CommitOrigin,
  pages: readonly PageIndex[],
): void {
  crew.effects.push({ kind: 'restore', commit, pages })
  dispatch(crew, commit, origin, pages, undefined)
}

function letGo(crew: CrewState): void {
  for (const page of crew.doubts.taken) crew.page(page).writing = false
  for (const { pages } of crew.doubts.list) {
    for (const { page } of pages) crew.page(page).doubted -= 1
  }
  crew.doubts.clear()
  // Locks may have waited at other pages for all to be over.
  for (const state of crew.pages.values()) {
    if (state.queue.length > 0 || state.recalled !== undefined) crew.mark(state)
  }
}

/** The child is gone: nobody waits for what it has committed. */
export function orphan(crew: CrewState, child: number): void {
  for (const [commit, each] of crew.commits) {
    const { origin } = each
    if (origin.kind === 'child' && origin.child === child) {
      crew.commits.set(commit, { ...each, origin: { kind: 'nobody' } })
    }
  }
  crew.doubts.orphan(child)
}

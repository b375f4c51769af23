import type { SiteId } from '../../address/identity.js'
import type { CrewState } from './crew-state.js'
import { claimOn, takeClaimed } from './claims.js'
import { grantChild, recallChildren } from './downstream.js'
import { pin, tellWanted } from './locks.js'
import { yieldLost } from './lost-rights.js'
import type { ChildRequest, ClaimRequest, PageState, Right, Waiter } from './page-state.js'
import { exclusive, lentAllows, localsAllow, none, shared, siteAllows } from './page-state.js'
import { ask } from './ask.js'
import { obeyRecall } from './upstream.js'

/** Looks at every marked page, until no page has anything left to do. */
export function pumpMarked(crew: CrewState): void {
  for (let state = crew.takeMarked(); state !== undefined; state = crew.takeMarked()) {
    yieldLost(crew, state)
    if (obeyRecall(crew, state)) serveQueue(crew, state)
  }
}

/**
 * Serves the queue of a page, first come first served, as far as it goes. The first waiter that cannot be served stops
 * it, and what is in its way is asked for: the parent's right, the children's tokens. Local locks, commits and grace
 * end by themselves, and mark the page again.
 */
function serveQueue(crew: CrewState, at: PageState): void {
  let state = at
  for (;;) {
    const waiter = claimOn(crew, state.page) ?? firstOf(crew, state)
    if (waiter === undefined || state.handing !== undefined) return
    if (state.right < waiter.right) {
      ask(crew, state, waiter.right)
      return
    }
    if (crew.inGrace) return
    const child = waiter.kind === 'child' ? waiter : undefined
    // It was told to give up what it has. Its answer is yet to come, and must not be taken for one about the new right.
    if (child !== undefined && owesAnswer(crew, state, child.child)) return
    if (!childrenAllow(crew, state, waiter)) {
      recallChildren(crew, state, waiter.right === shared ? shared : none, child)
      return
    }
    if (child === undefined ? !localsAllow(state, waiter.right) : !siteAllows(state, waiter.right)) {
      tellWanted(crew, state, waiter.right)
      return
    }
    if (state.held > 0) return
    if (waiter.kind === 'claim') {
      if (state.unsettled > 0) return
      takeClaimed(crew, state)
      const { next } = crew.doubts
      if (next === undefined) continue
      if (state.queue.length > 0) crew.mark(state)
      // At once, before others come there. There may be many: no call within a call.
      state = crew.page(next)
      continue
    }
    if (child !== undefined && state.unsettled > 0 && crew.plantedBug !== 'grant-before-durable') return
    state.queue.splice(state.queue.indexOf(waiter), 1)
    if (waiter.kind === 'child') grantChild(crew, state, waiter)
    else pin(crew, state, waiter)
  }
}

/**
 * Local locks over pages in doubt do not begin before that is over, lest this site writes over what it has yet to commit. They hold nothing, so nobody
 * waits for them: those behind them go first.
 */
function firstOf(crew: CrewState, state: PageState): Waiter | undefined {
  if (crew.doubts.isEmpty) return state.queue[0]
  return state.queue.find(
    (waiter) =>
      waiter.kind === 'child' || waiter.next > waiter.range.first || !crew.doubts.touches(waiter.range),
  )
}

function owesAnswer(crew: CrewState, state: PageState, child: SiteId): boolean {
  return state.recalling?.has(child) === true && crew.plantedBug !== 'grant-while-recalled'
}

/** Whether what other children hold allows the waiter its right. */
function childrenAllow(crew: CrewState, state: PageState, waiter: Waiter | ClaimRequest): boolean {
  if (waiter.kind !== 'child') return lentAllows(state, waiter.right)
  if (crew.plantedBug === 'forget-a-sharer' && forgotten(state, waiter)) return true
  for (const [child, held] of state.children ?? []) {
    if (child === waiter.child) continue
    if (waiter.right === exclusive ? held !== none : held === exclusive) return false
  }
  return true
}

function forgotten(state: PageState, waiter: ChildRequest): boolean {
  const others: Right[] = []
  for (const [child, held] of state.children ?? []) if (child !== waiter.child) others.push(held)
  return others.length === 1 && others[0] === shared
}

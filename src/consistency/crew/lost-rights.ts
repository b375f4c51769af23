import type { CrewState } from './crew-state.js'
import { restartLocks } from './locks.js'
import { noBytes, none } from './page-state.js'
import type { PageState } from './page-state.js'

/**
 * Rights that end without being given up: the session with the parent is lost, the parent has lost its own, or what
 * was written under them never became durable.
 *
 * Whoever voids a child's right goes on counting on it until the child has answered, as it does with any recall. Until
 * then nobody else gets the page, and the child takes part in nothing. Rejected: to forget the right at once. The child
 * may have yielded, and asked again, before it heard of the loss, and that yield would then be taken for one of a
 * right that it got later.
 */
export function loseRights(crew: CrewState, states: readonly PageState[]): void {
  restartLocks(crew, new Set(states.map((state) => state.page)))
  for (const state of states) {
    if (state.readers > 0 || state.writing || state.holds > 0)
      crew.effects.push({ kind: 'break', page: state.page })
    if (state.right !== none) state.owesYield = crew.connected
    state.right = none
    crew.doubts.forget(state.page)
    state.recalled = undefined
    revokeChildren(crew, state)
    // Bytes that may never have become durable are no base to build on.
    const hasUnproven = state.unsettled > 0 && state.version !== noBytes
    if (hasUnproven && crew.plantedBug !== 'keep-failed-bytes') {
      state.version = noBytes
      crew.effects.push({ kind: 'drop', page: state.page })
    }
    crew.mark(state)
  }
}

/** Voids what children hold of the page, and tells those that are not told otherwise. */
function revokeChildren(crew: CrewState, state: PageState): void {
  for (const child of state.children?.keys() ?? []) {
    if (state.voided?.has(child) === true) continue
    crew.voidChild(state, child)
    crew.outbox.revoke(child, state.page)
  }
  state.handing = undefined
}

/** Tells the parent that a lost right is not in use any more, here or below. */
export function yieldLost(crew: CrewState, state: PageState): void {
  const { parent } = crew.site
  if (!state.owesYield || parent === undefined || state.lent !== none) return
  state.owesYield = false
  crew.outbox.yield(parent, state.page, 'none')
}

import type { CrewState } from './crew-state.js'
import { restartLocks } from './locks.js'
import { noBytes, none } from './page-state.js'
import type { PageState } from './page-state.js'

/**
 * This site's rights to the pages are gone, by no act of its own. Locks that wait begin again, those that are held
 * break, and children lose what they had.
 */
export function voidRights(crew: CrewState, states: readonly PageState[]): void {
  restartLocks(crew, new Set(states.map((state) => state.page)))
  for (const state of states) {
    if (state.readers > 0 || state.writing) crew.effects.push({ kind: 'break', page: state.page })
    state.right = none
    state.recalled = undefined
    revokeChildren(crew, state)
    // Bytes that may never have become durable are no base to build on.
    if (state.unsettled > 0 && state.version !== noBytes) {
      state.version = noBytes
      crew.effects.push({ kind: 'drop', page: state.page })
    }
    crew.mark(state)
  }
}

function revokeChildren(crew: CrewState, state: PageState): void {
  for (const child of [...(state.children?.keys() ?? [])]) {
    crew.lend(state, child, none)
    crew.outbox.revoke(child, state.page)
  }
  state.recalling = undefined
  state.handing = undefined
}

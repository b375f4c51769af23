import type { CrewState } from './crew-state.js'
import { noBytes, toToken } from './page-state.js'
import type { PageState, Right } from './page-state.js'

/** Asks the parent for a right, unless a question about the page is open. */
export function ask(crew: CrewState, state: PageState, right: Right): void {
  const { parent } = crew.site
  if (parent === undefined || !crew.connected || state.asked !== undefined) return
  // Only durable bytes have a name: a version that fails to become durable is given again, to other bytes.
  const known = state.unsettled > 0 ? noBytes : state.version
  const { page } = state
  const question = { page, right: toToken(right), known, isInDoubt: state.doubted > 0 }
  const serial = crew.outbox.ask(parent, question, crew.nextSerial)
  state.asked = { serial, right, cancelling: false }
}

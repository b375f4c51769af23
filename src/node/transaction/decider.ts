import type { Address } from '../../address/address.js'
import type { TransactionOutcome, TransactionVote } from '../../wire/transaction-message.js'
import type { TransactionBug } from './transaction-bug.js'

export type DeciderEvent =
  /** What was written in this region is at hand, and these are the others. */
  | { readonly kind: 'own-ready'; readonly others: readonly Address[] }
  /** It never will be, or rests on what has failed. */
  | { readonly kind: 'own-failed' }
  | { readonly kind: 'vote'; readonly by: Address; readonly vote: TransactionVote }
  | { readonly kind: 'time-over' }
  /** The decision is durable, with what was written in this region. */
  | { readonly kind: 'decided' }
  /** It never will be; or, where that is not sure, whoever reads the log next will know. */
  | { readonly kind: 'not-decided'; readonly isSure: boolean }
  /** The region has done what was decided, and will not ask again. */
  | { readonly kind: 'told'; readonly region: Address }

export type DeciderEffect =
  /** Make the decision durable, and what was written in this region, as one; then tell `decided` or `not-decided`. */
  | { readonly kind: 'decide'; readonly others: readonly Address[] }
  /** Those who wrote in this region hear of the end. */
  | { readonly kind: 'end-own'; readonly outcome: 'committed' | 'aborted' | 'unknown' }
  /** `committed`: again and again, until `told`. */
  | { readonly kind: 'tell'; readonly region: Address; readonly outcome: 'committed' | 'aborted' }
  /** Nobody will ask any more: the decision is needed no longer. */
  | { readonly kind: 'forget' }

type State =
  | { readonly kind: 'open'; readonly ready: Set<Address>; others: readonly Address[] | undefined }
  | { readonly kind: 'deciding'; readonly others: readonly Address[] }
  | { readonly kind: 'committed'; readonly left: Set<Address> }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'unknown' }

/**
 * One transaction at the home of the region that decides. It is committed by one write to that region's log, which holds both the decision and
 * the region's own pages; so this region has nothing to prepare. Until then nothing of it is on the disk: a home that finds no decision there,
 * after a crash or as a backup that took over, says that there was none, and is right for ever, as what was written in this region is lost with
 * the sessions of the home before.
 */
export class Decider {
  readonly #bug: TransactionBug | undefined
  #state: State = { kind: 'open', ready: new Set(), others: undefined }

  constructor(bug?: TransactionBug) {
    this.#bug = bug
  }

  get outcome(): TransactionOutcome {
    const { kind } = this.#state
    return kind === 'committed' || kind === 'aborted' ? kind : 'open'
  }

  /** Whether the region must stay where it is, and what: others may ask, and rest on the answer. */
  get isAwaited(): boolean {
    const state = this.#state
    return state.kind === 'deciding' || (state.kind === 'committed' && state.left.size > 0)
  }

  /** Goes on with a decision that was found on the disk. */
  resume(others: readonly Address[]): readonly DeciderEffect[] {
    return this.#commit(others)
  }

  step(event: DeciderEvent): readonly DeciderEffect[] {
    const state = this.#state
    switch (state.kind) {
      case 'open':
        return this.#whileOpen(state, event)
      case 'deciding':
        if (event.kind === 'decided') return [endOwn('committed'), ...this.#commit(state.others)]
        if (event.kind !== 'not-decided') return []
        if (event.isSure) return [endOwn('aborted'), ...this.#abort(state.others)]
        this.#state = { kind: 'unknown' }
        return [endOwn('unknown')]
      case 'committed':
        if (this.#bug !== undefined && event.kind === 'decided') return [endOwn('committed')]
        if (event.kind !== 'told' || !state.left.delete(event.region) || state.left.size > 0) return []
        return [{ kind: 'forget' }]
      case 'aborted':
        // It may come after that: nothing of it happens.
        return event.kind === 'own-ready' ? [endOwn('aborted')] : []
      case 'unknown':
        return []
    }
  }

  #whileOpen(state: Extract<State, { kind: 'open' }>, event: DeciderEvent): readonly DeciderEffect[] {
    const isHere = state.others !== undefined
    const give = (): readonly DeciderEffect[] => [
      ...(isHere ? [endOwn('aborted')] : []),
      ...this.#abort([...state.ready]),
    ]
    switch (event.kind) {
      case 'own-ready':
        state.others = event.others
        return this.#decideIfReady(state, event.others)
      case 'vote':
        if (event.vote === 'not') return give()
        // What was written here should have come by now: it was lost with a home, and nobody gets these pages before it is known.
        const isLost = event.vote === 'still-ready' && !isHere && state.ready.size === 0
        state.ready.add(event.by)
        if (isLost) return give()
        return state.others === undefined ? [] : this.#decideIfReady(state, state.others)
      case 'own-failed':
      case 'time-over':
        return give()
      case 'decided':
      case 'not-decided':
      case 'told':
        return []
    }
  }

  #decideIfReady(
    { ready }: Extract<State, { kind: 'open' }>,
    others: readonly Address[],
  ): readonly DeciderEffect[] {
    const needed = this.#bug === 'commit-without-the-last' ? others.slice(0, -1) : others
    if (!needed.every((region) => ready.has(region))) return []
    if (this.#bug === 'forget-a-decision') {
      return [{ kind: 'decide', others }, ...this.#commit(others)]
    }
    this.#state = { kind: 'deciding', others }
    return [{ kind: 'decide', others }]
  }

  #commit(others: readonly Address[]): readonly DeciderEffect[] {
    this.#state = { kind: 'committed', left: new Set(others) }
    return others.map((region) => ({ kind: 'tell', region, outcome: 'committed' }))
  }

  #abort(ready: readonly Address[]): readonly DeciderEffect[] {
    this.#state = { kind: 'aborted' }
    return ready.map((region) => ({ kind: 'tell', region, outcome: 'aborted' }))
  }
}

function endOwn(outcome: 'committed' | 'aborted' | 'unknown'): DeciderEffect {
  return { kind: 'end-own', outcome }
}

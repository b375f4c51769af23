import type { TransactionVote } from '../../wire/transaction-message.js'

export type ParticipantEvent =
  /** What this rests on has failed. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'prepared' }
  /** It never will be; or, where that is not sure, whoever reads the log next will know. */
  | { readonly kind: 'not-prepared'; readonly isSure: boolean }
  /** As the region that decides says. */
  | { readonly kind: 'outcome'; readonly outcome: 'committed' | 'aborted' }
  /** It has been long since anything was heard. */
  | { readonly kind: 'alarm' }
  /** What was applied, or dropped, is durable. */
  | { readonly kind: 'done' }

export type ParticipantEffect =
  /** Make what was written durable beside the region, then tell `prepared` or `not-prepared`. */
  | { readonly kind: 'prepare' }
  /** Unless it is `not`: tell `outcome` where the answer has it; ask again after a while, by an `alarm`. */
  | { readonly kind: 'vote'; readonly vote: TransactionVote }
  /** What was prepared becomes the region's pages, as one with its own end; then `done`. Again until it succeeds. */
  | { readonly kind: 'apply' }
  /** What was prepared is no more; then `done`. Again until it succeeds. */
  | { readonly kind: 'drop' }
  /** It is over here. */
  | { readonly kind: 'end'; readonly outcome: 'committed' | 'aborted' | 'unknown' }

type State =
  | { readonly kind: 'preparing'; isSpoiled: boolean }
  | { readonly kind: 'ready' }
  | { readonly kind: 'applying' }
  | { readonly kind: 'dropping' }
  | { readonly kind: 'over' }

/**
 * One transaction at the home of a region that does not decide. Once it has said that it is ready it can only ask; what it is ready for
 * survives crashes, as the log has it.
 */
export class Participant {
  #state: State = { kind: 'preparing', isSpoiled: false }

  /** All that was written in this region is at hand. */
  begin(): readonly ParticipantEffect[] {
    return [{ kind: 'prepare' }]
  }

  /** Goes on with what was found prepared on the disk. */
  resume(): readonly ParticipantEffect[] {
    return this.#becomeReady('still-ready')
  }

  step(event: ParticipantEvent): readonly ParticipantEffect[] {
    const state = this.#state
    switch (state.kind) {
      case 'preparing':
        return this.#whilePreparing(state, event)
      case 'ready':
        if (event.kind === 'alarm') return [vote('still-ready')]
        if (event.kind !== 'outcome') return []
        if (event.outcome === 'aborted') return this.#drop()
        this.#state = { kind: 'applying' }
        return [{ kind: 'apply' }]
      case 'applying':
        return event.kind === 'done' ? this.#end('committed') : []
      case 'dropping':
        return event.kind === 'done' ? this.#end('aborted') : []
      case 'over':
        return []
    }
  }

  #whilePreparing(
    state: Extract<State, { kind: 'preparing' }>,
    event: ParticipantEvent,
  ): readonly ParticipantEffect[] {
    switch (event.kind) {
      case 'failed':
        state.isSpoiled = true
        return []
      case 'outcome':
        if (event.outcome === 'aborted') state.isSpoiled = true
        return []
      case 'prepared':
        return state.isSpoiled ? [vote('not'), ...this.#drop()] : this.#becomeReady('ready')
      case 'not-prepared':
        return event.isSure ? [vote('not'), ...this.#end('aborted')] : this.#end('unknown')
      case 'alarm':
      case 'done':
        return []
    }
  }

  #becomeReady(how: 'ready' | 'still-ready'): readonly ParticipantEffect[] {
    this.#state = { kind: 'ready' }
    return [vote(how)]
  }

  #drop(): readonly ParticipantEffect[] {
    this.#state = { kind: 'dropping' }
    return [{ kind: 'drop' }]
  }

  #end(outcome: 'committed' | 'aborted' | 'unknown'): readonly ParticipantEffect[] {
    this.#state = { kind: 'over' }
    return [{ kind: 'end', outcome }]
  }
}

function vote(how: TransactionVote): ParticipantEffect {
  return { kind: 'vote', vote: how }
}

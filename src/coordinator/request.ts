import type { WaitOptions } from '../io/deadline.js'
import type { Changes, Entry, Found, Lease, LeaseId, Outcome, Revision, Transaction } from './coordinator.js'

/** What can be asked of a store, as plain data: checked by whoever asks, and sent on as it is. */
export type Request =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'list'; readonly prefix: string }
  | { readonly kind: 'transact'; readonly transaction: Transaction }
  | { readonly kind: 'grant'; readonly ttlMs: number }
  | { readonly kind: 'keep-alive'; readonly lease: LeaseId }
  | { readonly kind: 'revoke'; readonly lease: LeaseId }

/** What changes from that revision on: answered when something has, or else with nothing, after `waitMs` at the latest. */
export interface ChangesRequest {
  readonly kind: 'changes'
  readonly prefix: string
  readonly from: Revision
  readonly waitMs: number
}

interface Answers {
  readonly get: Found<Entry | undefined>
  readonly list: Found<readonly Entry[]>
  readonly transact: Outcome
  readonly grant: Lease
  readonly 'keep-alive': 'alive' | 'ended'
  readonly revoke: 'ended'
  readonly changes: ChangesAnswer
}

export type AnswerTo<R extends Request | ChangesRequest> = Answers[R['kind']]
export type Answer = Answers[keyof Answers]

export type ChangesAnswer =
  /** In the order of revisions; all that happened before `next`, which is where to go on. */
  | { readonly kind: 'news'; readonly news: readonly Changes[]; readonly next: Revision }
  | { readonly kind: 'compacted'; readonly revision: Revision }

/**
 * A way to a store. Every call ends by its options. Throws `unreachable` where the store has certainly not heard of it; `timeout`,
 * `aborted` and `outcome-unknown` where it may have; and what the store says.
 */
export interface StoreAccess {
  ask<R extends Request>(request: R, options: WaitOptions): Promise<AnswerTo<R>>
  /** One for each watch. */
  follow(prefix: string): ChangeSource
  /** Lets go of what it holds. Idempotent. */
  close(): void
}

export interface ChangeSource {
  /** Gives what changes from there on, or an empty list where nothing has for a while, or `timeout`. One call at a time. */
  read(from: Revision, options: WaitOptions): Promise<ChangesAnswer>
  close(): void
}

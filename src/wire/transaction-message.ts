import type { Address } from '../address/address.js'

/** Of one release of several lock contexts together: 128 random bits, which nobody draws twice. */
export type TransactionId = Address

/** A region in which contexts are released, and how many of them wrote there. */
export interface TransactionRegion {
  readonly address: Address
  readonly generation: number
  readonly parts: number
}

/**
 * What a commit carries that is to happen together with others or not at all. The home of the first region decides
 * (docs/adr/0023-released-together.md). The same in all commits of one transaction.
 */
export interface TransactionTag {
  readonly id: TransactionId
  /** Each once, in order of their addresses. */
  readonly regions: readonly TransactionRegion[]
}

/** What has become of a transaction, as the home of its first region knows it. */
export type TransactionOutcome = 'open' | 'committed' | 'aborted'

/** What a region that does not decide says of what was written there. */
export type TransactionVote =
  /** It is durable. */
  | 'ready'
  /** It has been for a while, and nothing was heard. Who decides and knows nothing of the transaction need not wait for the rest: that was lost. */
  | 'still-ready'
  /** It never will be. */
  | 'not'

/** What the homes of a transaction's regions ask each other. Each goes to the home of `address`. */
export type TransactionCall =
  /**
   * To the region that decides: of what the region `by` has. Asked again and again by who is ready, and has not heard.
   */
  | {
      readonly op: 'vote'
      readonly address: Address
      readonly generation: number
      readonly id: TransactionId
      readonly by: Address
      readonly vote: TransactionVote
    }
  /** To any other region: this has been decided. Answered when it has been done there. */
  | {
      readonly op: 'conclude'
      readonly address: Address
      readonly generation: number
      readonly id: TransactionId
      readonly outcome: 'committed' | 'aborted'
    }

export type TransactionResult =
  { readonly op: 'vote'; readonly outcome: TransactionOutcome } | { readonly op: 'conclude' }

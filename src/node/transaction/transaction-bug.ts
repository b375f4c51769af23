/** Faults of how several contexts are released together, which tests plant to see that they are found. Never set outside tests. */
export type TransactionBug =
  /** The others are told of a decision that is not durable yet. */
  | 'forget-a-decision'
  /** What the last region has is not waited for. */
  | 'commit-without-the-last'

export const transactionBugs: readonly TransactionBug[] = ['forget-a-decision', 'commit-without-the-last']

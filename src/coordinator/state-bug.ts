/** Faults that can be planted in the store of a coordinator, to see that the suite finds them. */
export const stateBugs = Object.freeze([
  /** A transaction is applied whatever its conditions say. */
  'ignore-conditions',
  /** A key that is there counts as unchanged. */
  'compare-existence',
  /** A watch that goes on after a revision begins one too late. */
  'skip-a-revision',
  /** A watch from before what is remembered gives what is left. */
  'forget-compaction',
  /** The end of a lease leaves its keys. */
  'keys-outlive-the-lease',
  /** The end of a lease deletes its keys, and tells nobody. */
  'end-in-silence',
  /** Keeping a lease alive does not. */
  'ignore-renewal',
  /** Keys can be put under a lease that has ended, and stay. */
  'accept-an-ended-lease',
  /** A key that was put anew without its lease goes with it all the same. */
  'never-unbind',
  /** A transaction is answered while it is being made durable. */
  'answer-before-durable',
] as const)

export type StateBug = (typeof stateBugs)[number]

/** Faults that can be planted in how releases are kept, to see that they are found. */
export const releaseBugs = Object.freeze([
  /** `pending` is answered before it is durable. */
  'answer-before-durable',
] as const)

export type ReleaseBug = (typeof releaseBugs)[number]

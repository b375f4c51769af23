/** Faults that can be planted in how address space is handed out, to see that they are found. */
export const spaceBugs = Object.freeze([
  /** The cluster manager does not know, once it is started again, what it has granted. */
  'forget-grants',
  /** Whoever takes over a pool takes all of it for free. */
  'take-pools-as-free',
  /** A pool that is handed over stays in use where it was. */
  'keep-the-pool',
] as const)

export type SpaceBug = (typeof spaceBugs)[number]

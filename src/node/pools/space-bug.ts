/** Faults that can be planted in how address space is handed out, to see that they are found. */
export const spaceBugs = Object.freeze([
  /** The cluster manager does not know, once it is started again, what it has granted. */
  'forget-grants',
  /** Whoever takes over a pool takes all of it for free. */
  'take-pools-as-free',
] as const)

export type SpaceBug = (typeof spaceBugs)[number]

/** Faults that can be planted in how a region goes from one log to another, to see that they are found. */
export const handoverBugs = Object.freeze([
  /** The log that it leaves does not know that it may have gone. */
  'leave-without-a-mark',
] as const)

export type HandoverBug = (typeof handoverBugs)[number]

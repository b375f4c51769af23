/** Faults that can be planted in how homes move, to see that they are found. */
export const moveBugs = Object.freeze([
  /** What was written after the pages were copied stays behind. */
  'hand-over-without-the-last-pages',
  /** A home that is started again does not know where its region went. */
  'forget-where-it-went',
  /** The old home goes on serving those who have rights from it. */
  'serve-on',
] as const)

export type MoveBug = (typeof moveBugs)[number]

/** Faults that can be planted in how damaged pages are mended, to see that they are found. */
export const mendBugs = Object.freeze([
  /** A page that cannot be read is served as if it had never been written. */
  'serve-zeros',
  /** A page is given, and taken, in whatever version there is. */
  'take-any-version',
] as const)

export type MendBug = (typeof mendBugs)[number]

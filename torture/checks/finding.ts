/** Something that must not be, in words; `where` is a key or a region. */
export interface Finding {
  readonly where: string
  readonly explanation: string
}

/** A time in which somebody could use what they had locked. */
export interface Held<T> {
  /** For people. */
  readonly name: string
  /** What is held, as far as the test of conflicts needs to know. */
  readonly claim: T
  /** The begin, in an order of all that happens without ties. */
  readonly from: number
  /** The end, in that order; Infinity where it goes on. */
  readonly until: number
}

/** Two that were held at once, though they conflict; undefined where there are none. `conflicts` must be symmetric. */
export function findConflict<T>(
  held: readonly Held<T>[],
  conflicts: (a: T, b: T) => boolean,
): readonly [Held<T>, Held<T>] | undefined {
  let current: Held<T>[] = []
  for (const one of [...held].sort((a, b) => a.from - b.from)) {
    current = current.filter(({ until }) => until > one.from)
    const other = current.find(({ claim }) => conflicts(claim, one.claim))
    if (other !== undefined) return [other, one]
    current.push(one)
  }
  return undefined
}

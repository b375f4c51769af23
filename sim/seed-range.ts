import { seedMax } from '../src/stdx/prng.js'

/** All seeds from `first` to `last`, both of them too. */
export interface SeedRange {
  readonly first: number
  readonly last: number
}

/** `7` or `1..200`; undefined for anything else. */
export function parseSeeds(text: string): SeedRange | undefined {
  const match = /^(\d{1,16})(?:\.\.(\d{1,16}))?$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  return first <= last && last <= seedMax ? { first, last } : undefined
}

export function* seedsOf({ first, last }: SeedRange): Generator<number> {
  for (let seed = first; seed <= last; seed++) yield seed
}

import type { Prng } from '../../stdx/prng.js'

/** What may go wrong in a run; each seed has some of it. */
export interface RunPlan {
  readonly children: number
  readonly pages: number
  readonly sections: number
  readonly cuts: boolean
  readonly childCrashes: boolean
  readonly homeCrashes: boolean
  readonly diskFails: boolean
  readonly loadsFail: boolean
  readonly frees: boolean
  readonly evicts: boolean
  readonly pauses: boolean
  readonly discards: boolean
  readonly timePasses: boolean
  /** Clocks that differ. */
  readonly skews: boolean
}

export function drawPlan(prng: Prng): RunPlan {
  // A seed in four has no faults, so that they are not needed to find what is wrong without them.
  const isCalm = prng.chance(0.25)
  const sometimes = (): boolean => !isCalm && prng.chance(0.5)
  return {
    children: prng.int(1, 4),
    pages: prng.int(1, 4),
    sections: prng.int(2, 8),
    cuts: sometimes(),
    childCrashes: sometimes(),
    homeCrashes: sometimes(),
    diskFails: sometimes(),
    loadsFail: sometimes(),
    frees: sometimes(),
    evicts: prng.chance(0.6),
    pauses: sometimes(),
    discards: prng.chance(0.3),
    timePasses: prng.chance(0.7),
    skews: prng.chance(0.6),
  }
}

import { unreachable } from '../stdx/assert.js'
import type { Prng } from '../stdx/prng.js'

/**
 * - `crash`: a process is killed, and started again later.
 * - `power-off`: a machine stops with all that runs on it, and loses what was not synced.
 * - `drop`: one connection breaks.
 * - `partition`: some hosts cannot reach the others, in either direction. `one-way`: in one direction.
 * - `slow-link`, `slow-disk`: much slower than normal for a while.
 * - `disk-full`: no room for anything new for a while.
 * - `clock-drift`: a machine's clock changes its rate, within the bound.
 * - `pause`: a process stands still while its clock goes on, then everything comes at once.
 * - `bit-rot`: bytes change of what one disk has kept for a while, where the workload says that it may.
 */
export const faultKinds = [
  'crash',
  'power-off',
  'drop',
  'partition',
  'one-way',
  'slow-link',
  'slow-disk',
  'disk-full',
  'clock-drift',
  'pause',
  'bit-rot',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** How often a kind of fault happens, and how long it lasts. Both are means of exponential distributions, in ms. */
export interface FaultRate {
  readonly gapMs: number
  readonly lastsMs: number
}

/** What may go wrong in a run. A kind that is missing does not happen. */
export interface FaultPlan {
  readonly rates: Readonly<Partial<Record<FaultKind, FaultRate>>>
  /** Machines that are off, or have a process that is dead or paused, at one time, at most. */
  readonly machinesDownMax: number
  /** How much slower a slow link or disk is, at most. */
  readonly slownessMax: number
}

export const noFaults: FaultPlan = { rates: {}, machinesDownMax: 0, slownessMax: 1 }

const gapMsMin = 500
const gapMsMax = 20_000
const slownessMaxMax = 1000

/** What a seed lets go wrong: about half of the kinds, each as often and as long as it comes. */
export function drawFaults(random: Prng, machinesDownMax: number): FaultPlan {
  const rates: Partial<Record<FaultKind, FaultRate>> = {}
  for (const kind of faultKinds) {
    // It came later than the others, which are as they were before.
    const source = kind === 'bit-rot' ? random.fork(kind) : random
    // Drawn for those that are off too, so that one kind does not shift the others.
    const isOn = source.chance(0.5)
    const gapMs = source.logarithmic(gapMsMin, gapMsMax)
    const [lastsMsMin, lastsMsMax] = durations(kind)
    const lastsMs = source.logarithmic(lastsMsMin, lastsMsMax)
    if (isOn) rates[kind] = { gapMs, lastsMs }
  }
  return { rates, machinesDownMax, slownessMax: random.logarithmic(2, slownessMaxMax) }
}

/** The range from which the mean duration of a kind is drawn, in ms. */
function durations(kind: FaultKind): readonly [min: number, max: number] {
  switch (kind) {
    case 'crash':
    case 'power-off':
      return [10, 20_000]
    case 'pause':
    case 'partition':
    case 'one-way':
      return [50, 30_000]
    case 'slow-link':
    case 'slow-disk':
    case 'disk-full':
      return [50, 10_000]
    case 'clock-drift':
    case 'drop':
    case 'bit-rot':
      return [1000, 1000]
    default:
      return unreachable(kind)
  }
}

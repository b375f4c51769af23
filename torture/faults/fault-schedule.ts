import { assert, unreachable } from '../../src/stdx/assert.js'
import { Prng } from '../../src/stdx/prng.js'
import type { Cut, Fault, FaultKind, Target } from './fault.js'

export interface ScheduleOptions {
  readonly seed: number
  /** Machines 1 to this are nodes, which can be killed and stopped. */
  readonly nodes: number
  /** Client processes, which can be stopped. */
  readonly clients: number
  /** All that can be cut off from each other: nodes, and what else the run has. At least as many as nodes. */
  readonly machines: number
  /** What may happen; at least one. */
  readonly kinds: readonly FaultKind[]
  /** How long a silent node keeps its rights. */
  readonly leaseMs: number
}

/** Faults that happen at the same time, after a pause that begins when all before are put right. */
export interface Episode {
  readonly pauseMs: number
  readonly faults: readonly Fault[]
}

const pauseMsMin = 500
const pauseMsMax = 5000
const lastsMsMax = 8000
const killMsMin = 100
/** Of a stop that outlives the lease: how far at least. */
const stopPastLease = 1.1
const bothShare = 0.25
const shortStopShare = 0.2
const stopClientShare = 0.2
const killTwoShare = 0.15
const killAllShare = 0.05

/** Endless. What is drawn depends on the options alone, never on what happens. */
export function* faultSchedule(options: ScheduleOptions): Generator<Episode, never> {
  const { nodes, machines, kinds } = options
  assert(
    kinds.length > 0 && nodes >= 1 && machines >= nodes,
    'a schedule needs faults, and machines to have them',
  )
  const random = Prng.fromSeed(options.seed).fork('faults')
  for (;;) {
    const pauseMs = random.between(pauseMsMin, pauseMsMax)
    const first = draw(options, random, random.pick(kinds))
    // Of two faults at once, both do not hit the same process: a stopped one could not be killed a second time.
    const second = random.chance(bothShare) ? draw(options, random, random.pick(kinds)) : undefined
    const faults = second === undefined || hitsTheSame(first, second) ? [first] : [first, second]
    yield { pauseMs, faults }
  }
}

function draw(options: ScheduleOptions, random: Prng, kind: FaultKind): Fault {
  const { nodes, clients, machines, leaseMs } = options
  switch (kind) {
    case 'kill': {
      const share = random.unit()
      const count = share < killAllShare ? nodes : share < killAllShare + killTwoShare ? 2 : 1
      const killed = random.shuffle(numbersTo(nodes)).slice(0, count)
      return { kind, nodes: killed, lastsMs: random.logarithmic(killMsMin, lastsMsMax) }
    }
    case 'stop': {
      const isClient = clients > 0 && random.chance(stopClientShare)
      const target: Target = isClient
        ? { kind: 'client', number: random.int(1, clients) }
        : { kind: 'node', number: random.int(1, nodes) }
      const isShort = random.chance(shortStopShare)
      const lastsMs = isShort
        ? random.between(killMsMin, leaseMs)
        : random.between(leaseMs * stopPastLease, leaseMs * stopPastLease + lastsMsMax / 2)
      return { kind, target, lastsMs }
    }
    case 'partition':
      return { kind, ...drawCuts(machines, random), lastsMs: random.between(killMsMin, lastsMsMax) }
    default:
      return unreachable(kind)
  }
}

/** A machine cut off from all others, in both directions or one; a split in two halves; or a link that is broken in one direction. */
function drawCuts(machines: number, random: Prng): { readonly shape: string; readonly cuts: readonly Cut[] } {
  const [one = 1, other = 2, ...rest] = random.shuffle(numbersTo(machines))
  const all = [other, ...rest]
  switch (random.pick(['alone', 'deaf', 'mute', 'halves', 'link', 'one way'] as const)) {
    case 'alone':
      return { shape: `n${one} alone`, cuts: all.flatMap((to) => bothWays(one, to)) }
    case 'deaf':
      return { shape: `n${one} hears nobody`, cuts: all.map((from) => ({ from, to: one })) }
    case 'mute':
      return { shape: `nobody hears n${one}`, cuts: all.map((to) => ({ from: one, to })) }
    case 'halves': {
      const half = [one, ...rest.slice(0, random.below(Math.max(1, machines - 2)))].sort((a, b) => a - b)
      const others = numbersTo(machines).filter((machine) => !half.includes(machine))
      const cuts = half.flatMap((a) => others.flatMap((b) => bothWays(a, b)))
      return { shape: `${named(half)} without ${named(others)}`, cuts }
    }
    case 'link':
      return { shape: `no way between n${one} and n${other}`, cuts: bothWays(one, other) }
    case 'one way':
      return { shape: `n${other} does not hear n${one}`, cuts: [{ from: one, to: other }] }
  }
}

function bothWays(a: number, b: number): readonly Cut[] {
  return [
    { from: a, to: b },
    { from: b, to: a },
  ]
}

function hitsTheSame(a: Fault, b: Fault): boolean {
  if (a.kind === 'partition' || b.kind === 'partition') return a.kind === b.kind
  const targets = hitBy(a)
  return hitBy(b).some(({ kind, number }) =>
    targets.some((target) => target.kind === kind && target.number === number),
  )
}

function hitBy(fault: Exclude<Fault, { readonly kind: 'partition' }>): readonly Target[] {
  return fault.kind === 'stop'
    ? [fault.target]
    : fault.nodes.map((number): Target => ({ kind: 'node', number }))
}

function numbersTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}

function named(machines: readonly number[]): string {
  return machines.map((machine) => `n${machine}`).join(' ')
}

import type { Prng } from '../../stdx/prng.js'

const KiB = 1024

/** What a run is like, but for its regions. */
export interface Shape {
  readonly nodes: number
  readonly clients: number
  readonly keys: number
  readonly leaseMs: number
  /** After which sessions between nodes that nobody uses are let go. */
  readonly sessionIdleMs: number
  /** Between two readings of a disk by its node, where regions have replicas. */
  readonly scrubEveryMs: number
  readonly pageSize: number
  /** How often a node is stopped in good order: the mean in ms. */
  readonly stopEveryMs: number | undefined
  /** Nodes that join while others work, and the mean time between them, and until a node leaves. Virtual ms. */
  readonly guests: number
  readonly arriveEveryMs: number
  readonly leaveAfterMs: number
}

export function drawShape(random: Prng, nodesMin: number): Shape {
  return {
    nodes: random.int(nodesMin, 4),
    clients: random.int(0, 3),
    keys: random.int(1, 6),
    leaseMs: Math.round(random.logarithmic(300, 3000)),
    sessionIdleMs: Math.round(random.fork('idle sessions').logarithmic(10, 3000)),
    scrubEveryMs: Math.round(random.fork('scrubbing').logarithmic(300, 10_000)),
    pageSize: random.pick([4 * KiB, 4 * KiB, 16 * KiB]),
    stopEveryMs: random.chance(0.3) ? random.logarithmic(1000, 20_000) : undefined,
    guests: random.fork('guests').int(1, 3),
    arriveEveryMs: random.fork('arrivals').logarithmic(30, 1000),
    leaveAfterMs: random.fork('departures').logarithmic(100, 3000),
  }
}

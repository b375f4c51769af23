import type { Prng } from '../stdx/prng.js'
import type { FaultTargets } from './fault-injector.js'
import type { HistoryRecorder } from './history.js'
import type { Verdict } from './linearizability.js'
import type { SimWorld } from './sim-world.js'

/** What a workload works with. */
export interface Stage {
  readonly world: SimWorld
  readonly history: HistoryRecorder
  /** The workload's own. */
  readonly random: Prng
  /** Client operations to do in all. */
  readonly operations: number
}

/**
 * What is simulated: which programs run on which machines, what their clients do, and what must be true at the end.
 * Its methods are called in the order they are listed in, each once.
 */
export interface Workload {
  /** For reports. */
  readonly name: string
  /** Builds machines and starts services. Resolves when they serve; there are no faults yet. */
  setUp(stage: Stage): Promise<FaultTargets>
  /**
   * Does the operations, recording each, while faults happen. Resolves when all clients are through. Everything must
   * end within a bound once the faults are healed.
   */
  run(stage: Stage): Promise<void>
  /** Once clients are through and faults are healed: waits until nothing is on the way any more. */
  settle(stage: Stage): Promise<void>
  /** What came about beside what the history has, for reports: how often. */
  counts?(): Readonly<Record<string, number>>
  /** What is wrong now, in words; empty when all is well. */
  check(stage: Stage): readonly string[]
  /** Whether what clients saw is what was promised; that the history is linearizable, unless told. */
  judge?(stage: Stage): Verdict
}

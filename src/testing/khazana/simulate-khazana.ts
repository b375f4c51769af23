import type { PlantedBug } from '../../consistency/crew/planted-bug.js'
import { DirectoryDisk } from '../directory-disk.js'
import type { FaultPlan } from '../faults.js'
import { SimDirectory } from '../sim-directory.js'
import { simulate } from '../sim-runner.js'
import type { SimReport } from '../sim-runner.js'
import type { TraceSink } from '../trace.js'
import { KhazanaWorkload } from './workload.js'

export interface SimulateKhazanaOptions {
  /** A whole number from 0 to 2^53 - 1: all that happens follows from it. */
  readonly seed: number
  /** Client operations in all, at least 1. */
  readonly operations: number
  /** What goes wrong; drawn from the seed where it is not given. */
  readonly faults?: FaultPlan
  /** A fault of the protocol, to see that it is found. */
  readonly plantedBug?: PlantedBug
  readonly traceSink?: TraceSink
}

/** Runs the real nodes, clients and stores for one seed in a simulated world, and judges what came of it. */
export function simulateKhazana(options: SimulateKhazanaOptions): Promise<SimReport> {
  const { plantedBug, ...rest } = options
  return simulate({
    ...rest,
    workload: new KhazanaWorkload(plantedBug === undefined ? {} : { plantedBug }),
    makeDisk: () => new DirectoryDisk((path) => new SimDirectory({ path })),
  })
}

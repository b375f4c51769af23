import type { PlantedBug } from '../src/consistency/crew/planted-bug.js'
import { LogDisk } from '../src/testing/khazana/log-disk.js'
import { KhazanaWorkload } from '../src/testing/khazana/workload.js'
import { simulate } from '../src/testing/sim-runner.js'
import type { SimReport } from '../src/testing/sim-runner.js'
import type { TraceSink } from '../src/testing/trace.js'

export interface SeedOptions {
  readonly seed: number
  readonly operations: number
  readonly plantedBug: PlantedBug | undefined
  readonly trace: TraceSink | undefined
}

/** One cluster under the faults of one seed. */
export async function runSeed(
  options: SeedOptions,
): Promise<{ readonly report: SimReport; readonly realMs: number }> {
  const { seed, operations, plantedBug, trace } = options
  const started = performance.now()
  const report = await simulate({
    seed,
    operations,
    workload: new KhazanaWorkload(plantedBug === undefined ? {} : { plantedBug }),
    makeDisk: () => new LogDisk(),
    ...(trace === undefined ? {} : { traceSink: trace }),
  })
  return { report, realMs: performance.now() - started }
}

import type { PlantedBug } from '../src/testing/khazana/planted-bugs.js'
import type { SimPreset } from '../src/testing/khazana/sim-preset.js'
import { simulateKhazana } from '../src/testing/khazana/simulate-khazana.js'
import type { SimReport } from '../src/testing/sim-runner.js'
import type { TraceSink } from '../src/testing/trace.js'

export interface SeedOptions {
  readonly seed: number
  readonly operations: number
  readonly preset: SimPreset | undefined
  readonly plantedBug: PlantedBug | undefined
  readonly trace: TraceSink | undefined
}

/** One cluster under the faults of one seed. */
export async function runSeed(
  options: SeedOptions,
): Promise<{ readonly report: SimReport; readonly realMs: number }> {
  const { seed, operations, preset, plantedBug, trace } = options
  const started = performance.now()
  const report = await simulateKhazana({
    seed,
    operations,
    ...(preset === undefined ? {} : { preset }),
    ...(plantedBug === undefined ? {} : { plantedBug }),
    ...(trace === undefined ? {} : { traceSink: trace }),
  })
  return { report, realMs: performance.now() - started }
}

import type { SimFailure, SimReport } from '../src/testing/sim-runner.js'
import type { SeedOptions } from './run-seed.js'

/** One line: what happened under a seed, and how it ended. */
export function describeSeed(report: SimReport, realMs: number): string {
  const faults = Object.entries(report.faults).map(([kind, count]) => `${kind} ${count}`)
  return [
    report.ok ? 'ok  ' : 'FAIL',
    `seed ${report.seed} (${report.workload}):`,
    `${report.operations} operations, ${report.acknowledged} writes acknowledged,`,
    `${(report.virtualMs / 1000).toFixed(1)} s simulated in ${(realMs / 1000).toFixed(1)} s,`,
    `faults: ${faults.length === 0 ? 'none' : faults.join(', ')};`,
    `trace ${report.traceHash}`,
  ].join(' ')
}

/** What went wrong, and how to see it again. */
export function explainFailure(
  seed: number,
  { kind, message }: SimFailure,
  { operations, preset, plantedBug }: Pick<SeedOptions, 'operations' | 'preset' | 'plantedBug'>,
): string {
  const regions = preset === undefined ? '' : ` --preset ${preset}`
  const bug = plantedBug === undefined ? '' : ` --planted-bug ${plantedBug}`
  return [
    '',
    `seed ${seed} failed (${kind}):`,
    ...message.split('\n').map((line) => `  ${line}`),
    '',
    `again, with all that happens: npm run sim -- --seed ${seed} --ops ${operations}${regions}${bug} --trace trace-${seed}.txt`,
    '',
  ].join('\n')
}

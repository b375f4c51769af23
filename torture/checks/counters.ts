import { numberIn } from '../cell.js'
import { isCounter } from '../layout.js'
import { outcomeOf } from '../record.js'
import type { RecordedOperation } from '../record.js'
import type { Finding } from './finding.js'

/**
 * Each write to a counter adds one. So at the end it has at least the acknowledged ones, and at most those of unknown outcome
 * besides. This counts, and looks at nothing else: it would be right even if the order of the history were wrong.
 */
export function lostIncrements(
  history: readonly RecordedOperation[],
  final: ReadonlyMap<string, string | null>,
): readonly Finding[] {
  const sums = new Map<string, { acknowledged: number; unknown: number }>()
  for (const operation of history) {
    if (operation.op !== 'write' || !isCounter(operation.key)) continue
    const outcome = outcomeOf(operation)
    if (outcome === 'failed') continue
    const sum = sums.get(operation.key) ?? { acknowledged: 0, unknown: 0 }
    sum[outcome] += 1
    sums.set(operation.key, sum)
  }
  const findings: Finding[] = []
  for (const [key, { acknowledged, unknown }] of sums) {
    const value = final.get(key)
    if (value === undefined) continue
    const count = numberIn(value)
    if (count !== undefined && count >= acknowledged && count <= acknowledged + unknown) continue
    const explanation = `${key} is ${value} at the end, after ${acknowledged} increments that were acknowledged and ${unknown} of unknown outcome`
    findings.push({ where: key, explanation })
  }
  return findings
}

import { numberIn } from '../cell.js'
import { accountsPerRegion, isCounter, regionOf, sumOfAccounts } from '../layout.js'
import { outcomeOf } from '../record.js'
import type { RecordedOperation } from '../record.js'
import type { Finding } from './finding.js'

/** Every section that read all accounts of a region must have seen the same sum. */
export function brokenSums(history: readonly RecordedOperation[]): readonly Finding[] {
  const sections = new Map<string, RecordedOperation[]>()
  for (const operation of history) {
    const { op, key, section } = operation
    const isRead = op === 'read' && outcomeOf(operation) === 'acknowledged'
    if (section === undefined || !isRead || isCounter(key)) continue
    const reads = sections.get(section)
    if (reads === undefined) sections.set(section, [operation])
    else reads.push(operation)
  }
  const findings: Finding[] = []
  for (const [section, reads] of sections) {
    const [first] = reads
    if (first === undefined || reads.length !== accountsPerRegion) continue
    const sum = reads.reduce((total, { value }) => total + (numberIn(value) ?? NaN), 0)
    if (sum === sumOfAccounts) continue
    const seen = reads.map(({ key, value }) => `${key} ${value}`).join(', ')
    const explanation = `${section} saw ${sum} in all, not ${sumOfAccounts}: ${seen}`
    findings.push({ where: regionOf(first.key), explanation })
  }
  return findings
}

import { lostWrites } from '../../src/testing/acknowledged-writes.js'
import { checkLinearizability } from '../../src/testing/linearizability.js'
import type { Operation } from '../../src/testing/history.js'
import type { RecordedOperation } from '../record.js'
import { lostIncrements } from './counters.js'
import type { Finding } from './finding.js'
import { brokenSums } from './sums.js'

export interface Judgement {
  /** Keys of which something acknowledged is gone. */
  readonly lost: readonly Finding[]
  /** Keys of which something was read that was not the newest, or never there. */
  readonly stale: readonly Finding[]
  /** Sections that saw a part of what another one did: the sum of a region's accounts was wrong. */
  readonly sums: readonly Finding[]
  /** Keys that could not be judged. */
  readonly undecided: readonly Finding[]
}

/**
 * What the history says of the promises. `final` holds what each key was at the end, and is of operations that are in the history,
 * too. A key that is found to have lost something is not judged any further.
 */
export function judge(
  history: readonly RecordedOperation[],
  final: ReadonlyMap<string, string | null>,
): Judgement {
  const lost = new Map<string, Finding>()
  const keep = (finding: Finding): void => {
    if (!lost.has(finding.where)) lost.set(finding.where, finding)
  }
  // What was not read at the end is not known to be lost; that it could not be read is told elsewhere.
  const recovered = history.filter(({ key }) => final.has(key))
  for (const { key, explanation } of lostWrites(recovered, final)) keep({ where: key, explanation })
  for (const finding of lostIncrements(history, final)) keep(finding)
  const stale: Finding[] = []
  const undecided: Finding[] = []
  for (const [key, operations] of byKey(history)) {
    const verdict = checkLinearizability(operations)
    if (verdict.kind === 'ok') continue
    const finding = { where: key, explanation: verdict.explanation }
    if (verdict.kind === 'undecided') undecided.push(finding)
    else if (isOfWritesAlone(verdict.operations)) keep(finding)
    else if (!lost.has(key)) stale.push(finding)
  }
  return { lost: [...lost.values()], stale, sums: brokenSums(history), undecided }
}

/** Then one of them replaced what it should not have seen any more: another one's write is gone. */
function isOfWritesAlone(operations: readonly Operation[]): boolean {
  return operations.every(({ op }) => op === 'write')
}

function byKey(history: readonly RecordedOperation[]): ReadonlyMap<string, readonly RecordedOperation[]> {
  const keys = new Map<string, RecordedOperation[]>()
  for (const operation of history) {
    const operations = keys.get(operation.key)
    if (operations === undefined) keys.set(operation.key, [operation])
    else operations.push(operation)
  }
  return keys
}

import { describeOperation } from '../history.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'
import { endOf, judgeEach } from './register.js'
import type { Register } from './register.js'

/**
 * Whether a section that was asked for after a write had been acknowledged saw that write, or another that does not
 * precede it: one that overwrote it, or was under way beside it, or is not acknowledged yet. This is what `release`
 * promises, with writers of one key at once. It is less than linearizability: of two writes that overlap, one section may
 * see the one and a later section the other.
 */
export function checkReleaseVisibility(history: readonly Operation[]): Verdict {
  return judgeEach(history, judge)
}

function judge(register: Register): Verdict {
  for (const sight of register.sights) {
    const { operation, value } = sight
    const reason = register.impossibility(sight)
    const write = register.writeOf(value)
    if (reason !== undefined) {
      return violation(register.key, `${describeOperation(operation)}\n${reason}`, [operation])
    }
    const over = register.firstOverwriting(write)
    if (over === undefined || endOf(over) > operation.invokeOrder) continue
    const seen = write === undefined ? 'nothing was written at first' : describeOperation(write)
    return violation(
      register.key,
      `${describeOperation(operation)}\nbut what it saw: ${seen}\nwas overwritten before: ${describeOperation(over)}`,
      [operation, over],
    )
  }
  return { kind: 'ok' }
}

function violation(key: string, explanation: string, operations: readonly Operation[]): Verdict {
  return { kind: 'violation', key, explanation, operations }
}

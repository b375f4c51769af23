import { grouped } from '../grouped.js'
import { describeOperation } from '../history.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'
import { registersOf } from '../protocol/register.js'

/**
 * Whether what each program saw of one key could be: somebody wrote it before, and nobody saw again what had been replaced
 * before its eyes, be it by its own write or another's. Each process of the history must be of one site, in one life.
 */
export function judgeEventual(history: readonly Operation[]): Verdict {
  for (const register of registersOf(history)) {
    for (const sight of register.sights) {
      const reason = register.impossibility(sight)
      if (reason !== undefined) return violation([sight.operation], reason)
    }
  }
  for (const operations of grouped(history, ({ process }) => process).values()) {
    const verdict = judgeProgram(operations)
    if (verdict.kind !== 'ok') return verdict
  }
  return { kind: 'ok' }
}

/** `operations`: of one program, one after the other. */
function judgeProgram(operations: readonly Operation[]): Verdict {
  const replaced = new Map<string | null, Operation>()
  let current: { readonly value: string | null; readonly by: Operation } | undefined
  const move = (value: string | null, by: Operation): Operation | undefined => {
    if (current !== undefined && current.value !== value) replaced.set(current.value, by)
    current = { value, by }
    return replaced.get(value)
  }
  for (const operation of operations) {
    const { op, ok, value, old, completeOrder } = operation
    if (!ok || completeOrder === null) continue
    const seen = op === 'read' ? value : old
    const before = seen === undefined ? undefined : move(seen, operation)
    if (before !== undefined) {
      return violation([before, operation], 'what it saw had been replaced before its eyes')
    }
    if (op === 'write') move(value, operation)
  }
  return { kind: 'ok' }
}

function violation(operations: readonly Operation[], reason: string): Verdict {
  const lines = operations.map((one) => `  ${describeOperation(one)}`)
  const key = operations[0]?.key ?? ''
  return { kind: 'violation', key, explanation: [`${reason}:`, ...lines].join('\n'), operations }
}

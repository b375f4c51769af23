import { describeOperation } from '../history.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'

/** The values of a set, as a read of it is recorded. */
export function elementsOf(value: string | null): readonly string[] {
  return value === null ? [] : value.split(' ')
}

/**
 * Whether what each program saw of a set that only grows could be: all of it was added before, and nothing was missing that
 * the program had added, or seen. Each process of the history must be of one site, in one life.
 */
export function judgeSet(history: readonly Operation[]): Verdict {
  const added = new Map<string | null, Operation>()
  for (const one of history) if (one.op === 'write') added.set(one.value, one)
  const known = new Map<string, Set<string>>()
  for (const one of [...history].sort((a, b) => endOf(a) - endOf(b))) {
    if (!one.ok || one.completeOrder === null) continue
    const mine = known.get(one.process) ?? new Set()
    known.set(one.process, mine)
    const elements = elementsOf(one.value)
    if (one.op === 'read') {
      const strange = elements.find((element) => !isThere(added.get(element), one))
      if (strange !== undefined) return violation(one, `it saw "${strange}", which nobody had added`)
      const now = new Set(elements)
      const missing = [...mine].find((element) => !now.has(element))
      if (missing !== undefined) return violation(one, `it did not see "${missing}", which it had known`)
    }
    for (const element of elements) mine.add(element)
  }
  return { kind: 'ok' }
}

/**
 * Whether the same is in the set everywhere, and all that was added to stay. Writes whose outcome is unknown may be there or
 * not.
 */
export function missingElements(found: string | null, history: readonly Operation[]): readonly Operation[] {
  const there = new Set(elementsOf(found))
  return history.filter(
    ({ op, ok, value, completeOrder }) =>
      op === 'write' && ok && completeOrder !== null && value !== null && !there.has(value),
  )
}

function isThere(write: Operation | undefined, read: Operation): boolean {
  return write?.ok === true && write.invokeOrder < endOf(read)
}

function endOf({ completeOrder }: Operation): number {
  return completeOrder ?? Infinity
}

function violation(operation: Operation, reason: string): Verdict {
  const explanation = `${reason}: ${describeOperation(operation)}`
  return { kind: 'violation', key: operation.key, explanation, operations: [operation] }
}

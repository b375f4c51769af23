import { describeOperation } from '../history.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'
import { endOf, registersOf } from './register.js'
import type { Register } from './register.js'

/** What one site has at rest. Keys that it has no copy of are left out; null: never written. */
export interface ReplicaContent {
  readonly site: string
  readonly values: ReadonlyMap<string, string | null>
}

/**
 * Which of two writes has to stand. `real-time`: the one that was asked for after the other was acknowledged. `causal`: the
 * one whose author had seen the other, by its own doing or by what it read; the process of an operation is then whoever
 * sees its own writes. Or a merge, by whether what is there holds what was written.
 */
export type WriteOrder =
  'real-time' | 'causal' | { readonly absorbs: (found: string | null, written: string) => boolean }

/**
 * Whether all sites have the same, and what they have is explained by the history: somebody wrote it, and no acknowledged
 * write has to stand before it. Writes whose outcome is unknown may stand or not.
 */
export function checkConvergence(
  replicas: readonly ReplicaContent[],
  history: readonly Operation[],
  order: WriteOrder,
): Verdict {
  const found = new Map<string, { readonly site: string; readonly value: string | null }>()
  for (const { site, values } of replicas) {
    for (const [key, value] of values) {
      const first = found.get(key)
      if (first === undefined) found.set(key, { site, value })
      else if (first.value !== value) {
        const explanation = `${first.site} has ${shown(first.value)}, and ${site} has ${shown(value)}`
        return { kind: 'violation', key, explanation, operations: [] }
      }
    }
  }
  const registers = new Map(registersOf(history).map((register) => [register.key, register]))
  for (const [key, { value }] of found) {
    const register = registers.get(key)
    const verdict =
      register === undefined ? explainUnwritten(key, value) : explain(register, value, history, order)
    if (verdict.kind !== 'ok') return verdict
  }
  return { kind: 'ok' }
}

function explainUnwritten(key: string, value: string | null): Verdict {
  if (value === null) return { kind: 'ok' }
  return {
    kind: 'violation',
    key,
    explanation: `all have ${shown(value)}, which nobody wrote`,
    operations: [],
  }
}

function explain(
  register: Register,
  value: string | null,
  history: readonly Operation[],
  order: WriteOrder,
): Verdict {
  const { key } = register
  if (!register.isClear) return { kind: 'undecided', key, explanation: 'a value was written twice' }
  const winner = register.writeOf(value)
  if (winner === undefined && value !== null) return explainUnwritten(key, value)
  const lost = register.writes.find(
    (write) =>
      write !== winner && write.completeOrder !== null && hasToStand(write, winner, value, history, order),
  )
  if (lost === undefined) return { kind: 'ok' }
  const explanation = `all have ${shown(value)}, where this has to stand: ${describeOperation(lost)}`
  return { kind: 'violation', key, explanation, operations: winner === undefined ? [lost] : [lost, winner] }
}

function hasToStand(
  write: Operation,
  winner: Operation | undefined,
  value: string | null,
  history: readonly Operation[],
  order: WriteOrder,
): boolean {
  if (typeof order === 'object') return !order.absorbs(value, write.value ?? '')
  // Any write that was kept stands before the zeros at first.
  if (winner === undefined) return true
  if (order === 'real-time') return write.invokeOrder > endOf(winner)
  return isCausedBy(write, winner, history)
}

/** Whether the author of `effect` had seen `cause`, perhaps by way of others. */
function isCausedBy(effect: Operation, cause: Operation, history: readonly Operation[]): boolean {
  const readers = new Map<string, Operation[]>()
  for (const operation of history) {
    const seen = operation.op === 'read' ? operation.value : operation.old
    if (!operation.ok || seen === undefined || seen === null) continue
    const name = JSON.stringify([operation.key, seen])
    const list = readers.get(name)
    if (list === undefined) readers.set(name, [operation])
    else list.push(operation)
  }
  const reached = new Set<Operation>([cause])
  const work = [cause]
  for (let one = work.pop(); one !== undefined; one = work.pop()) {
    const { process, op, key, value } = one
    const end = endOf(one)
    const after = history.filter((other) => other.process === process && other.invokeOrder > end)
    const saw = op === 'write' ? (readers.get(JSON.stringify([key, value])) ?? []) : []
    for (const next of [...after, ...saw]) {
      if (reached.has(next)) continue
      reached.add(next)
      work.push(next)
    }
  }
  return reached.has(effect)
}

function shown(value: string | null): string {
  return value === null ? 'nothing' : JSON.stringify(value)
}

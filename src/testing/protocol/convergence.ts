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
  const mustStand = demandOf(winner, value, history, order)
  const lost = register.writes.find(
    (write) => write !== winner && write.completeOrder !== null && mustStand(write),
  )
  if (lost === undefined) return { kind: 'ok' }
  const explanation = `all have ${shown(value)}, where this has to stand: ${describeOperation(lost)}`
  return { kind: 'violation', key, explanation, operations: winner === undefined ? [lost] : [lost, winner] }
}

/** Tells which acknowledged writes have to stand before the one that does, or be part of what is there. */
function demandOf(
  winner: Operation | undefined,
  value: string | null,
  history: readonly Operation[],
  order: WriteOrder,
): (write: Operation) => boolean {
  if (typeof order === 'object') return (write) => !order.absorbs(value, write.value ?? '')
  // Any write that was kept stands before the zeros at first.
  if (winner === undefined) return () => true
  if (order === 'real-time') return (write) => write.invokeOrder > endOf(winner)
  const effects = effectsOf(winner, history)
  return (write) => effects.has(write)
}

/** Operations whose authors had seen the write, perhaps by way of others. */
function effectsOf(cause: Operation, history: readonly Operation[]): ReadonlySet<Operation> {
  const readers = new Map<string, Operation[]>()
  const later = new Map<string, Operation[]>()
  for (const operation of [...history].sort((a, b) => a.invokeOrder - b.invokeOrder)) {
    const seen = operation.op === 'read' ? operation.value : operation.old
    addTo(later, operation.process, operation)
    if (operation.ok && seen !== undefined && seen !== null) {
      addTo(readers, JSON.stringify([operation.key, seen]), operation)
    }
  }
  const reached = new Set<Operation>([cause])
  const work = [cause]
  const reach = (operation: Operation): void => {
    if (reached.has(operation)) return
    reached.add(operation)
    work.push(operation)
  }
  for (let one = work.pop(); one !== undefined; one = work.pop()) {
    // Each operation of a process is taken away when it is reached: it need not be looked at again.
    const own = later.get(one.process) ?? []
    while ((own.at(-1)?.invokeOrder ?? -1) > endOf(one)) {
      const next = own.pop()
      if (next !== undefined) reach(next)
    }
    if (one.op === 'write')
      for (const reader of readers.get(JSON.stringify([one.key, one.value])) ?? []) reach(reader)
  }
  return reached
}

function addTo(lists: Map<string, Operation[]>, name: string, operation: Operation): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [operation])
  else list.push(operation)
}

function shown(value: string | null): string {
  return value === null ? 'nothing' : JSON.stringify(value)
}

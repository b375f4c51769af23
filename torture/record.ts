import type { Operation } from '../src/testing/history.js'

/** An operation as the process that asked for it knows it: with times, which all processes of a run share. */
export interface TimedOperation extends Omit<Operation, 'invokeOrder' | 'completeOrder'> {
  /** What was done under one lock has one; only where that was more than one operation. */
  readonly section?: string
}

/** The same in its place among all. */
export interface RecordedOperation extends Operation {
  readonly section?: string
}

/**
 * Puts what all processes did into the order of real time. Of what happened in the same nanosecond, beginnings come first: then the
 * operations overlap, and nothing is concluded from their order.
 */
export function orderOperations(operations: readonly TimedOperation[]): RecordedOperation[] {
  const moments: Moment[] = []
  for (const [index, { invoke, complete }] of operations.entries()) {
    moments.push({ at: invoke, kind: 'invoke', index })
    if (complete !== null) moments.push({ at: complete, kind: 'complete', index })
  }
  moments.sort((a, b) => (a.at === b.at ? rank(a) - rank(b) : a.at - b.at))
  const invoked = new Map<number, number>()
  const completed = new Map<number, number>()
  for (const [order, { kind, index }] of moments.entries()) {
    ;(kind === 'invoke' ? invoked : completed).set(index, order)
  }
  return operations
    .map((operation, index) => ({
      ...operation,
      invokeOrder: invoked.get(index) ?? 0,
      completeOrder: completed.get(index) ?? null,
    }))
    .sort((a, b) => a.invokeOrder - b.invokeOrder)
}

interface Moment {
  /** Milliseconds. */
  readonly at: number
  readonly kind: 'invoke' | 'complete'
  /** Of the operation. */
  readonly index: number
}

function rank({ kind }: Moment): number {
  return kind === 'invoke' ? 0 : 1
}

/** How an operation ended. */
export function outcomeOf({ ok, complete }: TimedOperation): 'acknowledged' | 'failed' | 'unknown' {
  if (!ok) return 'failed'
  return complete === null ? 'unknown' : 'acknowledged'
}

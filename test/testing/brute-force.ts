import type { Operation } from '../../src/testing/history.js'

/** Tries all orders of all operations: the definition itself, for histories of one key and a handful of operations. */
export function isLinearizableByForce(history: readonly Operation[]): boolean {
  return canFinish(
    history.filter((one) => one.ok),
    null,
  )
}

function canFinish(rest: readonly Operation[], value: string | null): boolean {
  // Those whose outcome is unknown need not happen.
  if (rest.every((one) => one.completeOrder === null)) return true
  const firstEnd = Math.min(...rest.map((one) => one.completeOrder ?? Infinity))
  return rest.some((one) => {
    if (one.invokeOrder > firstEnd) return false
    const seen = one.op === 'read' ? one.value : one.old
    if (seen !== undefined && seen !== value) return false
    return canFinish(
      rest.filter((other) => other !== one),
      one.op === 'read' ? value : one.value,
    )
  })
}

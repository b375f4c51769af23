import { isSameOwner } from './file-lock.js'
import type { LockOwner } from './file-lock.js'

/** Owners that are looked at, before it is taken for no deadlock. */
const ownersMax = 4096

/** Whether the owner would wait for itself: `blockers` are those that it would wait for, `waitsFor` answers whom an owner waits for already. */
export function isDeadlock(
  owner: LockOwner,
  blockers: Iterable<LockOwner>,
  waitsFor: (owner: LockOwner) => Iterable<LockOwner>,
): boolean {
  const known: LockOwner[] = []
  const toVisit = [...blockers]
  for (let next = toVisit.pop(); next !== undefined; next = toVisit.pop()) {
    const visited = next
    if (isSameOwner(visited, owner)) return true
    if (known.some((one) => isSameOwner(one, visited))) continue
    known.push(visited)
    if (known.length > ownersMax) return false
    toVisit.push(...waitsFor(visited))
  }
  return false
}

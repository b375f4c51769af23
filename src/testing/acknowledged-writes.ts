import { describeOperation } from './history.js'
import type { Operation } from './history.js'

/** A write that was promised to be durable, with the version it made of its key. */
export interface AcknowledgedVersion {
  readonly key: string
  readonly version: number
  readonly value: string
}

/** What a key holds after recovery. */
export interface RecoveredVersion {
  readonly version: number
  readonly value: string | null
}

export interface LostWrite {
  readonly key: string
  readonly explanation: string
}

/**
 * Acknowledged writes that the recovered state does not contain (P2), where versions are known: each key must be at the
 * newest acknowledged version with its value, or at a newer version. One loss a key; empty when nothing was lost.
 */
export function lostVersions(
  acknowledged: readonly AcknowledgedVersion[],
  recovered: ReadonlyMap<string, RecoveredVersion>,
): readonly LostWrite[] {
  const newest = new Map<string, AcknowledgedVersion>()
  for (const write of acknowledged) {
    const known = newest.get(write.key)
    if (known === undefined || write.version > known.version) newest.set(write.key, write)
  }
  const lost: LostWrite[] = []
  for (const write of newest.values()) {
    const found = recovered.get(write.key)
    const isThere =
      found !== undefined &&
      (found.version > write.version || (found.version === write.version && found.value === write.value))
    if (isThere) continue
    const state = found === undefined ? 'nothing' : `version ${found.version}, ${JSON.stringify(found.value)}`
    lost.push({
      key: write.key,
      explanation: `${write.key}: version ${write.version}, "${write.value}", was acknowledged; recovered is ${state}`,
    })
  }
  return lost
}

/**
 * The same where only a history is known: the recovered value of each key must have been written, and not before an
 * acknowledged write of another value began, since that one came later. A write of unknown outcome may be the one
 * that is found. `recovered` holds a value for each key of the history; a missing one counts as null.
 */
export function lostWrites(
  history: readonly Operation[],
  recovered: ReadonlyMap<string, string | null>,
): readonly LostWrite[] {
  const byKey = new Map<string, Operation[]>()
  for (const one of history) {
    if (one.op !== 'write' || !one.ok) continue
    const writes = byKey.get(one.key)
    if (writes === undefined) byKey.set(one.key, [one])
    else writes.push(one)
  }
  const lost: LostWrite[] = []
  for (const [key, writes] of byKey) {
    const explanation = explainLoss(key, writes, recovered.get(key) ?? null)
    if (explanation !== undefined) lost.push({ key, explanation })
  }
  return lost
}

function explainLoss(key: string, writes: readonly Operation[], found: string | null): string | undefined {
  const source = writes.find((write) => write.value === found)
  if (found !== null && source === undefined) return `${key}: recovered "${found}" was never written`
  const sourceEnd = source === undefined ? -1 : (source.completeOrder ?? Infinity)
  // Of the acknowledged writes that came after, the last to begin says it best.
  const missing = writes
    .filter((write) => write !== source && write.completeOrder !== null && write.invokeOrder > sourceEnd)
    .sort((a, b) => b.invokeOrder - a.invokeOrder)[0]
  if (missing === undefined) return undefined
  return `${key}: recovered is ${JSON.stringify(found)}, but later ${describeOperation(missing)}`
}

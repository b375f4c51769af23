import assert from 'node:assert/strict'
import type {
  Condition,
  Coordinator,
  Entry,
  KeyChange,
  Outcome,
  Revision,
  Transaction,
  Watch,
} from '../../coordinator/coordinator.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(value: Uint8Array): string {
  return new TextDecoder().decode(value)
}

/** The value as text; undefined where the key is absent. */
export async function read(coordinator: Coordinator, key: string): Promise<string | undefined> {
  const { found } = await coordinator.get(key)
  return found === undefined ? undefined : textOf(found.value)
}

/** Puts it, and gives the revision. */
export async function put(coordinator: Coordinator, key: string, value: string): Promise<Revision> {
  return applied(coordinator, { puts: [{ key, value: bytes(value) }] })
}

/** Fails the scene unless it is applied. */
export async function applied(coordinator: Coordinator, transaction: Transaction): Promise<Revision> {
  return revisionOf(await coordinator.transact(transaction))
}

export function revisionOf(outcome: Outcome): Revision {
  assert.ok(outcome.kind === 'applied', `${outcome.kind}, not applied`)
  return outcome.revision
}

export function after(revision: Revision): Revision {
  return (revision + 1) as Revision
}

/** A change in words: `+key value`, `-key`. */
export function sayChange(change: KeyChange): string {
  return change.kind === 'put' ? `+${change.entry.key} ${textOf(change.entry.value)}` : `-${change.key}`
}

/** The next changes, in words, sorted; fails the scene where it is not changes. */
export async function nextChanges(
  watch: Watch,
): Promise<{ readonly revision: Revision; readonly said: string[] }> {
  const event = await watch.next()
  if (event.kind === 'compacted')
    throw new Error(`compacted up to ${event.revision}, where nothing was forgotten`)
  return { revision: event.revision, said: event.changes.map(sayChange).sort() }
}

export async function rejects(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  await assert.rejects(promise, (error: unknown) => isOneOf(error, codes))
}

export function isOneOf(error: unknown, codes: readonly ErrorCode[]): boolean {
  return error instanceof KhazanaError && codes.includes(error.code)
}

/** Puts it, whatever happens to the store meanwhile, once; nobody else writes the key by then. Gives the revision. */
export async function putSurely(writer: Coordinator, key: string, value: string): Promise<Revision> {
  for (;;) {
    const { found } = await writer.get(key)
    if (found !== undefined && textOf(found.value) === value) return found.modified
    try {
      const puts = [{ key, value: bytes(value) }]
      const outcome = await writer.transact({ conditions: [asFound(key, found)], puts }, { timeoutMs: 1_000 })
      if (outcome.kind === 'applied') return outcome.revision
    } catch (error) {
      if (!isOneOf(error, ['outcome-unknown', 'unreachable'])) throw error
    }
  }
}

/** That the key is as it was found. */
export function asFound(key: string, found: Entry | undefined): Condition {
  return found === undefined ? { kind: 'absent', key } : { kind: 'unchanged', key, modified: found.modified }
}

import assert from 'node:assert/strict'
import type {
  Coordinator,
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

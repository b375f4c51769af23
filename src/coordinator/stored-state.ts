import { KhazanaError } from '../stdx/errors.js'
import type { Entry, LeaseId, Revision } from './coordinator.js'
import { emptyState } from './state-terms.js'
import type { StateChange, StoredLease, StoredState } from './state-terms.js'

/** Where a coordinator keeps what is durable: the records of a store, each a key and bytes. */
export interface CoordinatorStorage {
  /** All records whose key begins so. */
  list(prefix: string): Iterable<readonly [key: string, value: Uint8Array]>
  /**
   * Resolves when all of it is durable, together. Throws `no-space` and `busy` where nothing of it has happened; after anything
   * else nobody knows, until it is opened anew.
   */
  commit(group: {
    readonly puts: readonly { readonly key: string; readonly value: Uint8Array }[]
    readonly deletes: readonly string[]
  }): Promise<void>
}

/*
 * coordinator/state        { revision, nextLease }
 * coordinator/lease/ID     { ttlMs }
 * coordinator/key/KEY      a line { modified, lease }, then the value
 */
const stateKey = 'coordinator/state'
const leasePrefix = 'coordinator/lease/'
const keyPrefix = 'coordinator/key/'
const lineEnd = 10

/** Throws `bad-format` for a record that is none. */
export function loadState(storage: CoordinatorStorage): StoredState {
  const record = [...storage.list(stateKey)].find(([key]) => key === stateKey)?.[1]
  if (record === undefined) return emptyState
  const { revision, nextLease } = parse(stateKey, record) as Pick<StoredState, 'revision' | 'nextLease'>
  return {
    revision,
    nextLease,
    leases: [...storage.list(leasePrefix)].map(([key, value]) => leaseOf(key, value)),
    entries: [...storage.list(keyPrefix)].map(([key, value]) => entryOf(key, value)),
  }
}

export async function saveChange(storage: CoordinatorStorage, change: StateChange): Promise<void> {
  const { revision, nextLease } = change
  const puts = [{ key: stateKey, value: print({ revision, nextLease }) }]
  const deletes: string[] = []
  if (change.granted !== undefined) {
    const { id, ttlMs } = change.granted
    puts.push({ key: leasePrefix + id, value: print({ ttlMs }) })
  }
  if (change.ended !== undefined) deletes.push(leasePrefix + change.ended)
  for (const one of change.keys) {
    if (one.kind === 'put') puts.push({ key: keyPrefix + one.entry.key, value: recordOf(one.entry) })
    else deletes.push(keyPrefix + one.key)
  }
  await storage.commit({ puts, deletes })
}

function recordOf({ modified, lease, value }: Entry): Uint8Array {
  const line = print({ modified, ...(lease === undefined ? {} : { lease }) })
  const record = new Uint8Array(line.length + 1 + value.length)
  record.set(line)
  record[line.length] = lineEnd
  record.set(value, line.length + 1)
  return record
}

function entryOf(key: string, record: Uint8Array): Entry {
  const at = record.indexOf(lineEnd)
  const { modified, lease } = parse(key, record.subarray(0, Math.max(0, at))) as {
    readonly modified: Revision
    readonly lease?: LeaseId
  }
  return { key: key.slice(keyPrefix.length), value: record.subarray(at + 1), modified, lease }
}

function leaseOf(key: string, record: Uint8Array): StoredLease {
  const { ttlMs } = parse(key, record) as { readonly ttlMs: number }
  return { id: key.slice(leasePrefix.length) as LeaseId, ttlMs }
}

function print(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function parse(key: string, record: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(record))
  } catch (cause) {
    throw new KhazanaError('bad-format', `the coordinator's record ${key} cannot be read`, { cause })
  }
}

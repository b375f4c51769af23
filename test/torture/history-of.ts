import { accountsPerRegion, balanceAtFirst } from '../../torture/layout.js'
import type { RecordedOperation } from '../../torture/record.js'
import { orderOperations } from '../../torture/record.js'
import type { TimedOperation } from '../../torture/record.js'

type Times = readonly [invoke: number, complete: number | null]

export function write(
  key: string,
  value: string,
  old: string | null,
  [invoke, complete]: Times,
): TimedOperation {
  return { process: `writer of ${value}`, op: 'write', key, value, old, invoke, complete, ok: true }
}

export function read(key: string, value: string | null, [invoke, complete]: Times): TimedOperation {
  return { process: 'reader', op: 'read', key, value, invoke, complete, ok: true }
}

/** What one section saw in all accounts of a region, from the first one on. */
export function audit(
  region: string,
  section: string,
  values: readonly string[],
  times: Times,
): readonly TimedOperation[] {
  return values.map((value, account) => ({ ...read(`${region}/account-${account}`, value, times), section }))
}

/** The accounts' first balances, written before everything else. */
export function opening(region: string): readonly TimedOperation[] {
  return Array.from({ length: accountsPerRegion }, (_, account) =>
    write(`${region}/account-${account}`, openingText(), null, [0, 1]),
  )
}

export function openingText(): string {
  return `${balanceAtFirst}#setup`
}

/** The history, and what its last read of each key has found. */
export function concluded(
  ...operations: readonly TimedOperation[]
): readonly [readonly RecordedOperation[], ReadonlyMap<string, string | null>] {
  const history = orderOperations(operations)
  const final = new Map<string, string | null>()
  for (const { op, key, value } of history) if (op === 'read') final.set(key, value)
  return [history, final]
}

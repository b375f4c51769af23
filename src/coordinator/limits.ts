import { checkBytes, checkObject, checkText } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import type { LeaseId, Revision, Transaction } from './coordinator.js'

/*
 * What may be asked of a coordinator, whichever it is. One transaction fits into a request as a stock etcd takes it: 1.5 MiB,
 * 128 operations.
 */

/** Characters. */
export const keyLengthMax = 256
export const valueBytesMax = 4 * 1024
/** Of conditions, and of puts and deletes together. */
export const keysPerTransactionMax = 64
export const leaseTtlMsMin = 100
export const leaseTtlMsMax = 3_600_000
/** At a time, of one coordinator object. */
export const watchesMax = 1_000

const keyForm = /^[\x21-\x7e]*$/

/** Throws `invalid-argument`, as all of these do. */
export function checkKey(key: string): void {
  checkPrefix(key)
  if (key === '') throw invalid('a key is not empty')
}

export function checkPrefix(prefix: string): void {
  checkText(prefix, 'a key or prefix')
  if (keyForm.test(prefix) && prefix.length <= keyLengthMax) return
  throw invalid(
    `a key has at most ${keyLengthMax} printable characters of ASCII and no blank, unlike ${shown(prefix)}`,
  )
}

export function checkTransaction(transaction: Transaction): void {
  checkShape(transaction)
  const { conditions = [], puts = [], deletes = [] } = transaction
  if (conditions.length > keysPerTransactionMax || puts.length + deletes.length > keysPerTransactionMax) {
    throw invalid(`a transaction has at most ${keysPerTransactionMax} conditions, and as many changes`)
  }
  for (const condition of conditions) {
    checkKey(condition.key)
    if (condition.kind === 'unchanged') checkRevision(condition.modified)
  }
  const changed = new Set<string>(deletes)
  for (const key of deletes) checkKey(key)
  for (const { key, value, lease } of puts) {
    checkKey(key)
    checkBytes(value, `the value of ${key}`)
    if (value.length > valueBytesMax) {
      throw invalid(`a value has at most ${valueBytesMax} bytes: ${key} would have ${value.length}`)
    }
    if (lease !== undefined) checkLease(lease)
    changed.add(key)
  }
  if (changed.size < puts.length + deletes.length) throw invalid('a transaction changes each key once')
}

export function checkTtl(ttlMs: number): void {
  if (ttlMs >= leaseTtlMsMin && ttlMs <= leaseTtlMsMax) return
  throw invalid(
    `ttlMs is a number of milliseconds from ${leaseTtlMsMin} to ${leaseTtlMsMax}, not ${shown(ttlMs)}`,
  )
}

export function checkLease(lease: LeaseId): void {
  if (typeof lease !== 'string' || !/^[1-9][0-9]{0,18}$/.test(lease)) {
    throw invalid(`a lease is one that grantLease gave, not ${shown(lease)}`)
  }
}

export function checkRevision(revision: Revision): void {
  if (Number.isSafeInteger(revision) && revision >= 1) return
  throw invalid(`a revision is a whole number from 1, not ${shown(revision)}`)
}

function checkShape(transaction: Transaction): void {
  checkObject(transaction, 'a transaction')
  for (const name of ['conditions', 'puts', 'deletes'] as const) {
    const list: unknown = transaction[name]
    if (list !== undefined && !Array.isArray(list)) throw invalid(`${name} of a transaction is a list`)
  }
}

function invalid(message: string): KhazanaError {
  return new KhazanaError('invalid-argument', message)
}

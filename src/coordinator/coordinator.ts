import type { WaitOptions } from '../io/deadline.js'
import type { Brand } from '../stdx/brand.js'

/** A moment of the whole store: a whole number from 1, one higher with each transaction that changed anything, and with each lease whose end deleted keys. */
export type Revision = Brand<number, 'Revision'>

/** A lease, for as long as the store exists: no other one ever has its id. */
export type LeaseId = Brand<string, 'LeaseId'>

export interface Entry {
  /** 1 to `keyLengthMax` printable characters of ASCII, no blank. */
  readonly key: string
  /** At most `valueBytesMax`. It may be the store's own: it must not be changed. */
  readonly value: Uint8Array
  /** When the key was last put. */
  readonly modified: Revision
  /** With whose end the key is deleted. */
  readonly lease: LeaseId | undefined
}

/** What was found, and the moment at which it was so. */
export interface Found<T> {
  readonly found: T
  readonly revision: Revision
}

export type Condition =
  | { readonly kind: 'absent'; readonly key: string }
  /** The key is there, and was last put at that revision. */
  | { readonly kind: 'unchanged'; readonly key: string; readonly modified: Revision }

export interface Put {
  readonly key: string
  /** At most `valueBytesMax`. Must not change any more. */
  readonly value: Uint8Array
  /** Bound to none unless told, whatever the key was bound to before. */
  readonly lease?: LeaseId
}

/**
 * If all conditions hold, all of it happens, at one revision; else nothing. Each list has at most `keysPerTransactionMax`. A
 * key is put or deleted once.
 */
export interface Transaction {
  readonly conditions?: readonly Condition[]
  readonly puts?: readonly Put[]
  /** Keys; one that is absent is no error. */
  readonly deletes?: readonly string[]
}

export type Outcome =
  /** At this revision; where nothing changed, the one that held. */
  | { readonly kind: 'applied'; readonly revision: Revision }
  /** A condition did not hold at this revision: nothing has happened. */
  | { readonly kind: 'refused'; readonly revision: Revision }
  /** A lease that it puts keys under has ended: nothing has happened. */
  | { readonly kind: 'no-lease' }

export interface Lease {
  readonly id: LeaseId
  /** Milliseconds; at least what was asked for. */
  readonly ttlMs: number
}

export type KeyChange =
  { readonly kind: 'put'; readonly entry: Entry } | { readonly kind: 'delete'; readonly key: string }

/** All that happened at one revision to the keys of a watch; at least one change, each key once. */
export interface Changes {
  readonly kind: 'changes'
  readonly revision: Revision
  readonly changes: readonly KeyChange[]
}

export type WatchEvent =
  | Changes
  /**
   * The store does not know any more what happened from where the watch was: the last event of this watch. List the keys, and
   * watch from the revision after that of the list. Revisions from this one on may still be known.
   */
  | { readonly kind: 'compacted'; readonly revision: Revision }

export interface Watch {
  /**
   * The next event, in the order of revisions: none is missing, none comes twice, however often the store could not be reached
   * meanwhile. One call at a time. Throws `timeout`, `unreachable` and `aborted`, after which a further call goes on as if
   * nothing had been; `closed` after the last event, after `close` of this or of the coordinator; `invalid-argument`.
   */
  next(options?: WaitOptions): Promise<WatchEvent>
  /** Idempotent. */
  close(): void
}

/**
 * The small store that says who lives and who leads (DESIGN 7): some thousands of keys, changed some times a second. It is
 * linearizable: each call takes effect at one moment between its beginning and its end, also reads. All of it is durable.
 *
 * A lease never ends before `ttlMs` have passed since the latest of `grantLease` and `keepAlive` that succeeded was *called*,
 * and may live longer: for a whole `ttlMs` after the store was started again. So who holds a lease counts from before the call on its own
 * clock, whose rate may differ, and stops in time.
 *
 * Every wait ends by the caller's options, in 30 s unless told, and all calls may throw, besides what they say themselves:
 * - `unreachable`: the store could not be reached in that time;
 * - `timeout`: it was reached, and did not answer in that time;
 * - `aborted`, `closed`: by the caller;
 * - `busy`: too much is asked of the store at once, or of what one named bound is for (`src/coordinator/limits.ts`);
 * - `no-space`: the store has no room for it, and nothing has happened;
 * - `protocol-error`, `unsupported`: what answers is no such store, or asks for what this version cannot do;
 * - `storage-failed`: the disk of an embedded store has failed;
 * - `invalid-argument`, with words on what is wrong.
 */
export interface Coordinator {
  /** `found` is undefined where the key is absent. */
  get(key: string, options?: WaitOptions): Promise<Found<Entry | undefined>>
  /** All entries whose key begins so, ascending, of one moment. The empty prefix is all. */
  list(prefix: string, options?: WaitOptions): Promise<Found<readonly Entry[]>>
  /**
   * Throws `outcome-unknown` where the store may or may not have done it, at most once: read what is there. After any other error nothing
   * has happened, nor will.
   */
  transact(transaction: Transaction, options?: WaitOptions): Promise<Outcome>
  /** `ttlMs`: `leaseTtlMsMin` to `leaseTtlMsMax`. After an error there may be a lease that nobody knows: it ends by itself. */
  grantLease(ttlMs: number, options?: WaitOptions): Promise<Lease>
  /** The lease lives for another `ttlMs`; or it has ended, and does not come back. */
  keepAlive(lease: LeaseId, options?: WaitOptions): Promise<'alive' | 'ended'>
  /** Ends the lease now, with all its keys. Idempotent, so that it may be called again after an error. */
  revoke(lease: LeaseId, options?: WaitOptions): Promise<void>
  /**
   * What happens to keys that begin so, from that revision on, including it. At most `watchesMax` at a time (`busy`). Of a
   * revision that is not reached yet it waits. What was long ago is `compacted`; a restart of the store may forget all.
   */
  watch(prefix: string, from: Revision): Watch
  /** Ends all that waits with `closed`. Leases go on: they belong to no connection. Idempotent. */
  close(): void
}

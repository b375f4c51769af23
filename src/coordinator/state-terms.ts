import type { KhazanaError } from '../stdx/errors.js'
import type { Entry, KeyChange, LeaseId, Revision } from './coordinator.js'
import type { HistoryLimits } from './history.js'
import type { Answer, ChangesRequest, Request } from './request.js'

/* What the state machine of a coordinator's store is told, says and keeps. */

/** Of whoever asks: unique among what is not answered yet. */
export type RequestId = number

export interface StateLimits extends HistoryLimits {
  readonly keysMax: number
  /** Of keys and values. */
  readonly entryBytesMax: number
  readonly leasesMax: number
  /** Changes that wait for their turn. */
  readonly queuedMax: number
  /** Requests that wait for something to change. */
  readonly waitingMax: number
}

export const stateLimits: StateLimits = {
  keysMax: 10_000,
  entryBytesMax: 64 * 1024 * 1024,
  leasesMax: 10_000,
  queuedMax: 1_000,
  waitingMax: 10_000,
  historyRevisionsMax: 10_000,
  historyBytesMax: 16 * 1024 * 1024,
}

export interface StoredLease {
  readonly id: LeaseId
  readonly ttlMs: number
}

/** All that is durable. */
export interface StoredState {
  readonly revision: Revision
  /** The number of the next lease. */
  readonly nextLease: number
  readonly entries: readonly Entry[]
  readonly leases: readonly StoredLease[]
}

export const emptyState: StoredState = {
  revision: 1 as Revision,
  nextLease: 1,
  entries: [],
  leases: [],
}

/** What changes at once. `revision` and `nextLease` are those after it. */
export interface StateChange {
  readonly revision: Revision
  readonly nextLease: number
  readonly keys: readonly KeyChange[]
  readonly granted: StoredLease | undefined
  readonly ended: LeaseId | undefined
}

export type StateEvent =
  | { readonly kind: 'asked'; readonly id: RequestId; readonly request: Request | ChangesRequest }
  /** Nobody waits any more for changes under that number, or its time is over; any other request goes on. */
  | { readonly kind: 'waited'; readonly id: RequestId }
  /** The timer of the lease has gone off. */
  | { readonly kind: 'lease-due'; readonly lease: LeaseId }
  /** What was to be made durable last is. */
  | { readonly kind: 'persisted' }
  /** It is not, and nothing of it has happened: `busy`, `no-space`. */
  | { readonly kind: 'not-persisted'; readonly error: KhazanaError }

export type StateEffect =
  | { readonly kind: 'answer'; readonly id: RequestId; readonly answer: Answer }
  | { readonly kind: 'fail'; readonly id: RequestId; readonly error: KhazanaError }
  /** To be made durable; answered by `persisted` or `not-persisted`. One at a time. */
  | { readonly kind: 'persist'; readonly change: StateChange }
  /** Sets the timer of the lease, in place of an earlier one. */
  | { readonly kind: 'arm'; readonly lease: LeaseId; readonly afterMs: number }
  /** The lease needs none any more. */
  | { readonly kind: 'disarm'; readonly lease: LeaseId }

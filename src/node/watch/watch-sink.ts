import type { Address } from '../../address/address.js'
import type { ByteRange } from '../../address/range.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { PageChange } from '../../wire/message.js'

/**
 * Whoever is told of the changes of a range: a program here, or a peer. The home tells it in the turn in which a commit
 * has become durable, so nothing here may wait, keep more than its bound, or throw, unless for what only a peer can have said.
 */
export interface WatchSink {
  /** In the order in which they became durable: of one page, versions rise. */
  changes(changes: readonly PageChange[]): void
  /** So many changes at this place are missing; undefined where nobody knows how many. */
  dropped(count: number | undefined): void
  /** Nothing follows. */
  ended(error: KhazanaError): void
}

/** At the home itself, where what is watched may go to another. */
export interface HomeWatchSink extends WatchSink {
  /** Nothing follows from here: another node is the home now, and serves. */
  moved(): void
}

/** What is watched: the pages that hold the range, of this very region and not of a later one at its address. */
export interface WatchTarget {
  /** Where the region begins. */
  readonly address: Address
  readonly generation: number
  readonly range: ByteRange
}

export interface Subscription {
  /** Resolves when all changes from then on are told. Where it rejects, the sink is never told anything. */
  readonly ready: Promise<void>
  /** The sink is told nothing any more. Where it was not ready, `ready` rejects. Idempotent. */
  stop(): void
}

/** Two losses as one. */
export function lossOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b
}

import type { Clock } from '../../io/clock.js'

/** What of a lease at the coordinator counts here. */
export interface BoundingLease {
  readonly isHeld: boolean
  readonly validUntil: number
  /** Tells of a lease that is past, before anything is done that rests on it. */
  look(): void
}

/**
 * Keeps what this node grants to others in sessions within its own lease at the coordinator (P4): when the lease is past, so is all that others have of
 * this node, and another one may take its place. Sessions' leases are for all regions alike, so the bound is, too. What was granted before there
 * was a lease is not within it: nothing may rest on the lease until it covers that as well.
 */
export class LeaseBound {
  readonly #clock: Clock
  readonly #lease: BoundingLease
  /** The longest lease of a session, in milliseconds. */
  readonly #sessionMs: number
  /** Until when peers may rely on what they were granted without a bound. */
  #unboundUntil = -Infinity

  constructor(clock: Clock, lease: BoundingLease, sessionMs: number) {
    this.#clock = clock
    this.#lease = lease
    this.#sessionMs = sessionMs
  }

  /** For how many milliseconds from now a peer may rely on this node. Infinity where it has no lease, and so nothing that another may take over. */
  limit(): number {
    const lease = this.#lease
    lease.look()
    const now = this.#clock.now()
    if (lease.isHeld) return Math.max(0, lease.validUntil - now)
    this.#unboundUntil = now + this.#sessionMs
    return Infinity
  }

  /** Whether the lease is held, and lasts at least as long as anything that was granted. */
  get isComplete(): boolean {
    return this.#lease.isHeld && this.#lease.validUntil >= this.#unboundUntil
  }
}

import { clockDriftMax } from '../stdx/clock-drift.js'

/**
 * The leases of one link: the holder stops before the granter gives its rights away (DESIGN section 7). The two never
 * compare clock values. The holder counts from when it *asked*, which was before the granter heard of it, and counts
 * its own milliseconds as too many by `clockDriftMax`; the granter counts in full, from the last thing it heard.
 */

/** Renewals whose answer still counts. On a slow link several are on their way. */
const pendingMax = 8

interface Ask {
  readonly renewal: number
  readonly askedAt: number
}

/** The side whose rights depend on the peer. All times are milliseconds of this side's clock. */
export class LeaseHolder {
  #renewal = 0
  #pending: readonly Ask[] = []
  #validUntil = -Infinity

  /** Rights may be used while the clock shows less. It never goes back. */
  get validUntil(): number {
    return this.#validUntil
  }

  /** Whether the last renewal has not been answered. */
  get waiting(): boolean {
    return this.#pending.length > 0
  }

  /** Starts a renewal; its number goes into `renew`. */
  ask(now: number): number {
    this.#renewal += 1
    this.#pending = [...this.#pending, { renewal: this.#renewal, askedAt: now }].slice(-pendingMax)
    return this.#renewal
  }

  /** The peer's answer. False for one to a renewal that was never asked: the peer is at fault. */
  answered(renewal: number, validForMs: number): boolean {
    if (renewal < 1 || renewal > this.#renewal) return false
    const ask = this.#pending.find((pending) => pending.renewal === renewal)
    if (ask === undefined) return true
    this.#pending = this.#pending.filter((pending) => pending.renewal > renewal)
    this.#validUntil = Math.max(this.#validUntil, ask.askedAt + validForMs * (1 - clockDriftMax))
    return true
  }
}

/** The side that honours the peer's rights. All times are milliseconds of this side's clock. */
export class LeaseGranter {
  readonly #leaseMs: number
  #expiresAt: number

  constructor(leaseMs: number, now: number) {
    this.#leaseMs = leaseMs
    this.#expiresAt = now + leaseMs
  }

  /** From here on the peer's rights are void. Moves only forward. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  /** Anything was heard of the peer. */
  heard(now: number): void {
    this.postpone(now + this.#leaseMs)
  }

  /** Waiting longer than promised is always safe. */
  postpone(until: number): void {
    this.#expiresAt = Math.max(this.#expiresAt, until)
  }

  /**
   * What to answer to a `renew` heard just now: for how long the peer may go on, counted from when it asked. `limitMs`:
   * for how long this side itself may.
   */
  grant(limitMs: number): number {
    return Math.max(0, Math.min(this.#leaseMs, limitMs))
  }
}

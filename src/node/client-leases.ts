import type { Clock } from '../io/clock.js'
import { KhazanaError } from '../stdx/errors.js'
import { pause } from './pause.js'
import type { Session } from './session/session.js'

/** Looks in a lease at whether a session covers what clients have. */
const looksPerLease = 16

/**
 * Until when the clients of a node may rely on it. Their rights are parts of the node's own (docs/adr/0004-tree-of-sites.md), so no lease of theirs may outlast that of a session by which the
 * node has rights. What they are granted is bounded by the sessions that there are; but one that begins later may begin with less than they have
 * already, where its peer's own lease at the coordinator ends sooner. No right is had by such a session before it covers theirs.
 */
export class ClientLeases {
  readonly #clock: Clock
  readonly #leaseMs: number
  #until = -Infinity

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock
    this.#leaseMs = leaseMs
  }

  /** A client is granted at most so many milliseconds from now, and never more than a lease. */
  granted(limitMs: number): void {
    this.#until = Math.max(this.#until, this.#clock.now() + Math.min(limitMs, this.#leaseMs))
  }

  /** Resolves when no client has a lease that lasts longer than the session. Rejects where that is lost before, or the signal fires. */
  async coveredBy(session: Pick<Session, 'whenValid' | 'validUntil'>, signal: AbortSignal): Promise<void> {
    for (;;) {
      await session.whenValid()
      const missingMs = this.#until - session.validUntil
      if (missingMs <= 0) return
      await pause(this.#clock, Math.min(missingMs, this.#leaseMs / looksPerLease), signal)
      if (signal.aborted) throw KhazanaError.from(signal.reason)
    }
  }
}

import type { Clock, Timer } from '../io/clock.js'
import { withResolvers } from '../io/deadline.js'
import { clockDriftMax } from '../stdx/clock-drift.js'

/**
 * After a crash nobody can say which rights are still in use somewhere: their holders may go on reading, and be in the middle of writing, until their
 * leases end. So for the length of a lease from its start, a node that had lessees gives no right that they may be in the way of.
 */
export class Grace {
  #timer: Timer | undefined
  readonly #over = withResolvers<void>()

  get isOn(): boolean {
    return this.#timer !== undefined
  }

  start(clock: Clock, leaseMs: number, ended: () => void): void {
    this.#timer = clock.after(leaseMs * (1 + 2 * clockDriftMax), () => {
      this.#timer = undefined
      this.#over.resolve()
      ended()
    })
  }

  /** Resolves when it is not on. Never, where it is stopped. */
  whenOver(): Promise<void> {
    return this.isOn ? this.#over.promise : Promise.resolve()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}

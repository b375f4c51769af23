import type { Clock } from '../io/clock.js'

/** A bound on how fast bytes may go, shared by all that take part in it, in the order in which they ask. */
export class ByteRate {
  readonly #clock: Clock
  readonly #bytesPerMs: number
  #freeAt = -Infinity

  /** Infinity: no bound. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerMs = bytesPerSecond / 1000
  }

  /** Takes a turn for so many bytes: in how many milliseconds from now it comes. */
  reserve(bytes: number): number {
    const now = this.#clock.now()
    const turn = Math.max(now, this.#freeAt)
    this.#freeAt = turn + bytes / this.#bytesPerMs
    return turn - now
  }
}

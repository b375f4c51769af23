import { assert } from '../stdx/assert.js'
import type { Clock, Timer } from '../io/clock.js'
import type { Prng } from '../stdx/prng.js'
import type { Scheduler } from './scheduler.js'
import type { SimProcess } from './sim-process.js'

export interface MachineClockOptions {
  /** What the clock showed when the world began, in ms. */
  readonly originMs: number
  /** Local milliseconds per virtual millisecond; within the stated bound of clock rates. */
  readonly rate: number
  /** `wallTime` when the world began, in ms since 1970. */
  readonly wallTimeMs: number
}

/** One machine's oscillator. Its rate may change, what it shows never goes back. */
export class MachineClock {
  readonly #scheduler: Scheduler
  #wallTimeMs: number
  #rate: number
  #baseMs: number
  #sinceMs = 0

  constructor(scheduler: Scheduler, options: MachineClockOptions) {
    assert(options.rate > 0, 'a clock goes forward')
    this.#scheduler = scheduler
    this.#baseMs = options.originMs
    this.#wallTimeMs = options.wallTimeMs - options.originMs
    this.#rate = options.rate
  }

  get rate(): number {
    return this.#rate
  }

  now(): number {
    return this.#baseMs + (this.#scheduler.now() - this.#sinceMs) * this.#rate
  }

  wallTime(): number {
    return this.#wallTimeMs + this.now()
  }

  setRate(rate: number): void {
    assert(rate > 0, 'a clock goes forward')
    this.#baseMs = this.now()
    this.#sinceMs = this.#scheduler.now()
    this.#rate = rate
  }

  /** Somebody sets the wall clock: `now` does not notice. */
  jumpWallTime(byMs: number): void {
    this.#wallTimeMs += byMs
  }
}

const latenessMsMax = 1.5
const delayMsMin = 1e-4

/** A machine's clock as one process sees it. Timers are late by a little, never early by the machine's own clock. */
export class SimClock implements Clock {
  readonly #process: SimProcess
  readonly #machine: MachineClock
  readonly #random: Prng

  constructor(process: SimProcess, machine: MachineClock, random: Prng) {
    this.#process = process
    this.#machine = machine
    this.#random = random
  }

  now(): number {
    return this.#machine.now()
  }

  wallTime(): number {
    return this.#machine.wallTime()
  }

  after(delayMs: number, run: () => void): Timer {
    const deadlineMs = this.now() + Math.max(0, delayMs)
    let scheduled: Timer | undefined
    const arm = (latenessMs: number): void => {
      const restMs = (deadlineMs - this.now()) / this.#machine.rate
      scheduled = this.#process.schedule(Math.max(delayMsMin, restMs) + latenessMs, 'timer', () => {
        // The rate may have fallen meanwhile, and fractions of milliseconds are rounded.
        if (this.now() < deadlineMs) arm(0)
        else run()
      })
    }
    arm(this.#random.between(0, latenessMsMax))
    return { cancel: () => scheduled?.cancel() }
  }
}

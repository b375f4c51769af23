import { assert } from '../stdx/assert.js'
import type { Prng } from '../stdx/prng.js'
import { forbidAmbient } from './ambient-guard.js'
import type { EventOwner } from './event-owner.js'
import { EventQueue } from './event-queue.js'
import type { SimEvent } from './event-queue.js'
import { RealResources } from './real-resources.js'
import { SimulationError } from './simulation-error.js'
import { StrayFailures } from './stray-failures.js'
import type { Trace } from './trace.js'

export interface SchedulerOptions {
  readonly random: Prng
  readonly trace: Trace
  /** Events run in all, at most. */
  readonly stepsMax: number
  /** Real time spent in `run`, at most. An endless loop inside one event cannot be seen: there is one thread. */
  readonly wallClockMsMax: number
}

/** Something that will happen, unless cancelled. */
export interface Scheduled {
  cancel(): void
}

// Taken before any guard replaces them.
const realSetImmediate = setImmediate
const realNow = performance.now.bind(performance)

const stepsBetweenWallClockChecks = 64
const pendingListedMax = 20

/**
 * The one queue of everything that will happen in a simulated world. An event has a virtual time and a tie-break drawn
 * from the seed, and its owner decides whether it runs, waits or is dropped. Nothing else completes anything.
 *
 * After each event the real event loop makes one full turn (a real `setImmediate`): all promise reactions that the
 * event set off, however long their chains, have run before the next event. Waiting a fixed number of microtask turns
 * instead would reorder the world whenever someone adds an `await`. While `run` or `settle` is in progress the ambient
 * globals throw, and errors that nobody catches end it.
 */
export class Scheduler {
  readonly trace: Trace
  readonly #random: Prng
  readonly #stepsMax: number
  readonly #wallClockMsMax: number
  readonly #queue = new EventQueue()
  readonly #withheld = new Map<EventOwner, SimEvent[]>()
  #nowMs = 0
  #serial = 0
  #steps = 0
  #wallClockMs = 0
  #isRunning = false

  constructor(options: SchedulerOptions) {
    this.trace = options.trace
    this.#random = options.random
    this.#stepsMax = options.stepsMax
    this.#wallClockMsMax = options.wallClockMsMax
  }

  /** Virtual milliseconds since the beginning, fractional. */
  now(): number {
    return this.#nowMs
  }

  /** Events run so far. */
  get steps(): number {
    return this.#steps
  }

  /**
   * Runs `run` `delayMs` from now, in no fixed order among the events of one time. The label is a constant: it goes
   * into the trace and into reports.
   */
  schedule(owner: EventOwner | undefined, delayMs: number, label: string, run: () => void): Scheduled {
    assert(delayMs >= 0 && delayMs < Infinity, `an event in ${delayMs} ms`)
    const event = this.#event(owner, this.#nowMs + delayMs, this.#random.uint32(), label, run)
    if (owner?.state !== 'dead') this.#queue.push(event)
    return {
      cancel: () => {
        event.run = undefined
      },
    }
  }

  /** Resolves `delayMs` from now; never, if the owner dies before. */
  delay(owner: EventOwner | undefined, delayMs: number, label: string): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(owner, delayMs, label, resolve)
    })
  }

  /** Puts what was withheld from a paused owner before all other events of now, in its order. */
  release(owner: EventOwner): void {
    const withheld = this.#withheld.get(owner) ?? []
    this.#withheld.delete(owner)
    for (const [index, event] of withheld.entries()) {
      if (event.run !== undefined) {
        // `cancel` reaches the event itself: the new entry asks it again.
        const run = (): void => event.run?.()
        this.#queue.push(this.#event(owner, this.#nowMs, index - withheld.length, event.label, run))
      }
    }
  }

  /** Forgets what was withheld from an owner that died. */
  discard(owner: EventOwner): void {
    this.#withheld.delete(owner)
  }

  /** Lets all happen that is due up to `untilMs`; then it is `untilMs`. */
  async run(untilMs: number): Promise<void> {
    await this.#drive(untilMs, () => false)
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  /**
   * Lets things happen until the promise settles, and gives its outcome. Throws `deadlock` when no event is left, and
   * `virtual-time-exhausted` at `untilMs`.
   */
  async settle<T>(promise: Promise<T>, untilMs: number): Promise<T> {
    let outcome: PromiseSettledResult<T> | undefined
    promise.then(
      (value) => (outcome = { status: 'fulfilled', value }),
      (reason: unknown) => (outcome = { status: 'rejected', reason }),
    )
    await this.#drive(untilMs, () => outcome !== undefined)
    if (outcome?.status === 'fulfilled') return outcome.value
    if (outcome?.status === 'rejected') throw outcome.reason
    if (this.#queue.length === 0) throw this.#error('deadlock', 'nothing can happen any more')
    throw this.#error('virtual-time-exhausted', `not settled at ${untilMs} ms`)
  }

  /** What has not happened yet, for people: how many events of each label, and the next ones. */
  describePending(): string {
    const pending = this.#queue
      .sorted()
      .filter((event) => event.run !== undefined && event.owner?.state !== 'dead')
    const counts = new Map<string, number>()
    for (const event of pending) counts.set(event.label, (counts.get(event.label) ?? 0) + 1)
    const totals = [...counts].map(([label, count]) => `${label} x${count}`).join(', ')
    const next = pending.slice(0, pendingListedMax).map(describe)
    const withheld = [...this.#withheld].map(
      ([owner, events]) => `  paused ${owner.name}: ${events.length} withheld`,
    )
    return [
      `${pending.length} events pending: ${totals === '' ? 'none' : totals}`,
      ...next,
      ...withheld,
    ].join('\n')
  }

  #event(
    owner: EventOwner | undefined,
    timeMs: number,
    tie: number,
    label: string,
    run: () => void,
  ): SimEvent {
    return { timeMs, tie, serial: this.#serial++, owner, label, run }
  }

  async #drive(untilMs: number, isDone: () => boolean): Promise<void> {
    assert(!this.#isRunning, 'the scheduler runs already')
    this.#isRunning = true
    const resources = RealResources.now()
    const startedMs = realNow()
    const spentMs = this.#wallClockMs
    using _guard = forbidAmbient()
    using strays = StrayFailures.collect()
    try {
      await turn()
      while (!isDone()) {
        const event = this.#queue.peek()
        if (event === undefined || event.timeMs > untilMs) break
        this.#queue.pop()
        if (!this.#step(event)) continue
        await turn()
        this.#checkStrays(event, strays)
        const leak = resources.leaked()
        if (leak !== undefined) throw this.#error('leak', `${name(event)} holds a real ${leak}`)
        if (this.#steps >= this.#stepsMax) throw this.#error('steps-exhausted', `${this.#steps} events`)
        if (this.#steps % stepsBetweenWallClockChecks === 0) {
          this.#wallClockMs = spentMs + realNow() - startedMs
          if (this.#wallClockMs > this.#wallClockMsMax) {
            throw this.#error('wall-clock-exhausted', `${this.#wallClockMs.toFixed(0)} ms of real time`)
          }
        }
      }
    } finally {
      this.#wallClockMs = spentMs + realNow() - startedMs
      this.#isRunning = false
    }
  }

  /** Whether the event ran. */
  #step(event: SimEvent): boolean {
    const { owner, run } = event
    this.#nowMs = Math.max(this.#nowMs, event.timeMs)
    if (run === undefined || owner?.state === 'dead') return false
    if (owner?.state === 'paused') {
      const withheld = this.#withheld.get(owner)
      if (withheld === undefined) this.#withheld.set(owner, [event])
      else withheld.push(event)
      return false
    }
    this.#steps++
    event.run = undefined
    this.trace.note(this.#nowMs, event.label, owner?.name ?? '-')
    try {
      run()
    } catch (reason) {
      throw this.#failed(event, reason)
    }
    return true
  }

  #checkStrays(event: SimEvent, strays: StrayFailures): void {
    const stray = strays.first
    if (stray !== undefined) throw this.#failed(event, stray.reason)
  }

  #failed(event: SimEvent, reason: unknown): SimulationError {
    if (reason instanceof SimulationError) return reason
    const message = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
    return new SimulationError(
      'program-failed',
      `in or after ${name(event)} at ${this.#nowMs.toFixed(3)} ms: ${message}`,
      { cause: reason },
    )
  }

  #error(
    kind: 'leak' | 'deadlock' | `${'steps' | 'wall-clock' | 'virtual-time'}-exhausted`,
    what: string,
  ): Error {
    return new SimulationError(kind, `at ${this.#nowMs.toFixed(3)} ms: ${what}\n${this.describePending()}`)
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve)
  })
}

function name(event: SimEvent): string {
  return `"${event.label}" of ${event.owner?.name ?? 'the world'}`
}

function describe(event: SimEvent): string {
  return `  ${event.timeMs.toFixed(3)} ms: ${name(event)}`
}

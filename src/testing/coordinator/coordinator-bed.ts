import type { Coordinator } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import type { Prng } from '../../stdx/prng.js'

/** A store to be tried, and what can be done to it. */
export interface CoordinatorBed {
  /** Keys of this scene begin so: the store may have others. */
  readonly prefix: string
  /** By which to wait. */
  readonly clock: Clock
  readonly random: Prng
  /** The shortest lease that the store grants. Milliseconds. */
  readonly leaseTtlMs: number
  /** Another client of the store, closed at the end of the scene. */
  client(): Coordinator
  /** The store answers nobody, and loses nothing, until what this resolves to is called. */
  freeze(): Promise<() => void>
  /** Like kill -9, then a start. Resolves when it has begun to start; nobody knows what becomes of calls meanwhile. */
  restart(): Promise<void>
  /** What happened before now cannot be watched any more. */
  forgetHistory(): Promise<void>
}

export interface CoordinatorScene {
  /** A sentence on what the coordinator does. */
  readonly name: string
  /** It counts on no answer, so that it can be played where messages get lost. */
  readonly standsLosses?: true
  readonly play: (bed: CoordinatorBed) => Promise<void>
}

/** Waits, by the clock of the bed. */
export function rest(bed: CoordinatorBed, delayMs: number): Promise<void> {
  return new Promise((resolve) => bed.clock.after(delayMs, resolve))
}

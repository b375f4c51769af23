import type { EventOwner } from './event-owner.js'
import type { Scheduler } from './scheduler.js'

/** How a process ended. `killed`: its kernel lives and closes what it held. `power-lost`: nobody does. */
export type Death = 'killed' | 'power-lost'

/**
 * One incarnation of a program on a simulated machine. Once dead it stays dead: its events never run, its promises
 * never settle, what it still does in the turn it dies in has no effect outside. A restart makes another one.
 */
export class SimProcess implements EventOwner {
  /** Unlike that of any other process of the world, also of other incarnations. */
  readonly name: string
  readonly #scheduler: Scheduler
  readonly #deathWatchers = new Set<(death: Death) => void>()
  #state: 'running' | 'paused' | 'dead' = 'running'

  constructor(name: string, scheduler: Scheduler) {
    this.name = name
    this.#scheduler = scheduler
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.#state
  }

  schedule(delayMs: number, label: string, run: () => void): { cancel(): void } {
    return this.#scheduler.schedule(this, delayMs, label, run)
  }

  /** Resolves `delayMs` of virtual time from now, unless the process dies before. */
  delay(delayMs: number, label: string): Promise<void> {
    return this.#scheduler.delay(this, delayMs, label)
  }

  /** Like SIGSTOP: its events wait, while its clock and its peers go on. */
  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  /** Like SIGCONT: all that waited comes at once. */
  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.#scheduler.release(this)
  }

  die(death: Death): void {
    if (this.#state === 'dead') return
    this.#state = 'dead'
    this.#scheduler.discard(this)
    for (const watcher of this.#deathWatchers) watcher(death)
    this.#deathWatchers.clear()
  }

  /** Calls the kernel's part of dying; not the program's, which learns nothing. */
  onDeath(watcher: (death: Death) => void): void {
    this.#deathWatchers.add(watcher)
  }
}

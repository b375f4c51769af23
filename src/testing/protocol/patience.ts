import { demand } from './contract-violation.js'

/** What can wait: a `ProtocolWorld`. */
interface Waiting {
  readonly now: number
  settleFor(ms: number): void
}

/** How long anything may take where nothing is in its way: milliseconds of virtual time. */
const patienceMs = 120_000
const firstWaitMs = 20

/** Waits for something, each time twice as long, until it has taken too long. */
export class Patience {
  readonly #world: Waiting
  readonly #end: number
  #waitMs = firstWaitMs

  constructor(world: Waiting) {
    this.#world = world
    this.#end = world.now + patienceMs
  }

  /** All that there is to do happens, for a while. Throws a `ContractViolation`, the sentence, when patience is at an end. */
  wait(sentence: () => string): void {
    if (this.#world.now >= this.#end) demand(false, sentence())
    this.#world.settleFor(this.#waitMs)
    this.#waitMs *= 2
  }
}

import type { Prng } from '../../stdx/prng.js'
import { SimCoordinator } from '../coordinator/sim-coordinator.js'
import type { SimWorld } from '../sim-world.js'

/** A coordinator of its own that is stopped, or cut off, now and then, and is there again after a while. */
export class CoordinatorOutages {
  readonly coordinator: SimCoordinator
  readonly #world: SimWorld
  readonly #random: Prng
  readonly #gapMs: number
  readonly #lastsMs: number
  #mend: (() => void) | undefined
  #isOver = false
  /** How many there were. */
  count = 0

  constructor(world: SimWorld, random: Prng) {
    this.#world = world
    this.#random = random.fork('outages')
    this.#gapMs = this.#random.logarithmic(1000, 60_000)
    // It is there for two thirds of the time at least: where it hardly ever is, nothing goes on, and nothing is seen.
    this.#lastsMs = Math.min(this.#random.logarithmic(10, 10_000), this.#gapMs / 2)
    this.coordinator = new SimCoordinator({ scheduler: world.scheduler, random: random.fork('coordinator') })
  }

  begin(isOn: () => boolean): void {
    this.#world.scheduler.schedule(undefined, this.#random.exponential(this.#gapMs), 'outage', () => {
      if (!isOn() || this.#isOver) return
      this.#mend = this.#interrupt()
      this.count += 1
      this.#world.scheduler.schedule(
        undefined,
        this.#random.exponential(this.#lastsMs),
        'end of outage',
        () => {
          this.#endOne()
          this.begin(isOn)
        },
      )
    })
  }

  /** For good. */
  end(): void {
    this.#isOver = true
    this.#endOne()
  }

  #endOne(): void {
    this.#mend?.()
    this.#mend = undefined
  }

  #interrupt(): () => void {
    if (this.#random.chance(0.5)) return this.coordinator.cutOff()
    this.coordinator.stop()
    return () => {
      this.coordinator.start()
    }
  }
}

import type { Prng } from '../../stdx/prng.js'
import type { ProtocolActors } from './protocol-actors.js'
import type { ProtocolWorld } from './protocol-world.js'
import type { RunPlan } from './run-plan.js'
import { childNamesOf, homeName, namesOf } from './world-sites.js'

/** What happens in a random run, one thing at a time: who asks for what, what arrives, and what fails as the plan says. */
export class RandomSteps<M> {
  readonly #world: ProtocolWorld<M>
  readonly #actors: ProtocolActors<M>
  readonly #plan: RunPlan
  readonly #prng: Prng
  #homeCrashes = 0

  constructor(world: ProtocolWorld<M>, actors: ProtocolActors<M>, plan: RunPlan, prng: Prng) {
    this.#world = world
    this.#actors = actors
    this.#plan = plan
    this.#prng = prng
  }

  /** Something happens. */
  take(): void {
    const prng = this.#prng
    const world = this.#world
    const draw = prng.unit()
    if (draw < 0.42) this.#deliverOne()
    else if (draw < 0.58) this.#askOne()
    else if (draw < 0.74) this.#endOne()
    else if (draw < 0.82) this.#useDisk()
    else if (draw < 0.86) this.#passTime()
    else if (draw < 0.9) this.#evictOne()
    else if (draw < 0.965) this.#disturbLinks()
    else if (draw < 0.98) this.#crashOne()
    else if (draw < 0.99) this.#freeOne()
    else if (prng.chance(0.5)) this.#actors.allocate()
    else world.endGrace()
  }

  #deliverOne(): void {
    const world = this.#world
    const pairs = childNamesOf(this.#world).flatMap((name) => [
      [name, homeName],
      [homeName, name],
    ])
    const busy = pairs.filter(([from = '', to = '']) => world.inFlight(from, to) > 0)
    if (busy.length === 0) return
    const [from = '', to = ''] = this.#prng.pick(busy)
    world.deliver(from, to)
  }

  #askOne(): void {
    if (this.#actors.busy.length >= this.#plan.sections || !this.#actors.hasValuesLeft) return
    this.#actors.ask(this.#prng.pick(namesOf(this.#world)))
  }

  #endOne(): void {
    const prng = this.#prng
    const world = this.#world
    const [open, waiting] = [this.#actors.inState('open'), this.#actors.inState('waiting')]
    if (open.length > 0 && (waiting.length === 0 || prng.chance(0.85))) {
      const section = prng.pick(open)
      if (section.request.terms.seize) this.#actors.free(section)
      else if (this.#plan.discards && prng.chance(0.1)) world.discard(section)
      else this.#actors.finish(section)
    } else if (waiting.length > 0 && prng.chance(0.25)) {
      world.cancel(prng.pick(waiting))
    }
  }

  #useDisk(): void {
    const prng = this.#prng
    const world = this.#world
    if (world.home.waitingLoads > 0 && prng.chance(0.5)) {
      world.endLoad(this.#plan.loadsFail && prng.chance(0.1) ? 'failing' : 'loaded')
    } else if (this.#plan.diskFails && prng.chance(0.15)) world.failCommit()
    else world.endCommit()
  }

  #passTime(): void {
    if (!this.#plan.timePasses) return this.#world.tick(1)
    this.#world.tick(this.#prng.chance(0.7) ? this.#prng.int(1, 40) : this.#prng.int(100, 2000))
  }

  #evictOne(): void {
    if (!this.#plan.evicts) return
    this.#world.evict(this.#prng.pick(namesOf(this.#world)), this.#prng.below(this.#world.pages))
  }

  #disturbLinks(): void {
    const prng = this.#prng
    const world = this.#world
    const name = prng.pick(childNamesOf(this.#world))
    const draw = prng.unit()
    if (draw < 0.12) {
      if (this.#plan.cuts) world.cut(name)
    } else if (draw < 0.4) world.childNotices(name)
    else if (draw < 0.65) world.homeNotices(name)
    else if (draw < 0.9) world.connect(name)
    else if (draw < 0.95) {
      if (this.#plan.pauses) world.pauseLease(name)
    } else world.renewLease(name)
  }

  #crashOne(): void {
    const prng = this.#prng
    if (prng.chance(0.6)) {
      if (this.#plan.childCrashes) {
        const name = prng.pick(childNamesOf(this.#world))
        this.#actors.dies(name)
        this.#world.crash(name)
      }
    } else if (this.#plan.homeCrashes) {
      this.#actors.dies(homeName)
      this.#homeCrashes += 1
      // Stamps of a clock are not told apart by reigns.
      const mayBeNew = this.#world.protocol.name !== 'eventual'
      const reign = mayBeNew && this.#homeCrashes % 2 === 1 ? 'new-reign' : 'same-reign'
      this.#world.crashHome(prng.int(0, this.#world.storage.waiting), reign)
    }
  }

  #freeOne(): void {
    const first = this.#prng.below(this.#world.pages)
    if (this.#plan.frees && this.#actors.hasValuesLeft) this.#actors.seize(first, 1)
  }
}

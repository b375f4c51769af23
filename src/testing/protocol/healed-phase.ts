import type { PageIndex } from '../../address/page.js'
import type { Prng } from '../../stdx/prng.js'
import { demand } from './contract-violation.js'
import { checkConvergence } from './convergence.js'
import type { ReplicaContent, WriteOrder } from './convergence.js'
import { Patience } from './patience.js'
import { cellKey, cellsPerPage, valuesOf } from './protocol-actors.js'
import type { ProtocolActors } from './protocol-actors.js'
import type { ProtocolClaims } from './protocol-claims.js'
import type { ProtocolWorld } from './protocol-world.js'
import { wordsOfVerdict } from './run-judgement.js'
import { childNamesOf, homeName, namesOf } from './world-sites.js'

/**
 * The end of a random run, in which nothing is in the way any more: the protocol must make progress, within `Patience`, or a
 * `ContractViolation` is thrown.
 */
export class HealedPhase<M> {
  readonly #world: ProtocolWorld<M>
  readonly #actors: ProtocolActors<M>
  readonly #claims: ProtocolClaims
  readonly #prng: Prng

  constructor(world: ProtocolWorld<M>, actors: ProtocolActors<M>, claims: ProtocolClaims, prng: Prng) {
    this.#world = world
    this.#actors = actors
    this.#claims = claims
    this.#prng = prng
  }

  /** Whatever had failed is mended, and what was under way ends. */
  heal(): void {
    const world = this.#world
    world.say('From here on all is well.')
    for (const name of childNamesOf(this.#world)) {
      if (!world.isUp(name)) {
        world.childNotices(name)
        world.homeNotices(name)
        world.connect(name)
      }
      world.renewLease(name)
    }
    world.endGrace()
    this.#actors.allocate()
    this.#finishAll('from before')
  }

  /** Sections end as soon as they are open, until there are none. */
  #finishAll(when: string): void {
    const world = this.#world
    const patience = new Patience(world)
    for (;;) {
      world.settle()
      for (const section of this.#actors.inState('open')) {
        if (section.request.terms.seize) this.#actors.free(section)
        else this.#actors.finish(section)
        world.settle()
        this.#actors.allocate()
      }
      const left = this.#actors.busy
      if (left.length === 0) return
      if (this.#actors.inState('open').length > 0) continue
      const words = left.map(({ name, state }) => `${name} (${state})`).join(', ')
      patience.wait(() => `sections ${when} that never end: ${words}`)
    }
  }

  /** Which of two writes has to stand. */
  get #order(): WriteOrder {
    if (this.#claims.merge === true) return { absorbs: (found, written) => Number(found) >= Number(written) }
    return this.#claims.writes === 'local' ? 'causal' : 'real-time'
  }

  /** Sooner or later all sites see the same, and it is right. */
  converge(): void {
    const world = this.#world
    const patience = new Patience(world)
    for (;;) {
      const contents = namesOf(this.#world).map((name) => this.#look(name))
      const verdict = checkConvergence(contents, this.#actors.history(), this.#order)
      if (verdict.kind === 'ok') return
      patience.wait(() => `the sites do not converge: ${wordsOfVerdict(verdict)}`)
    }
  }

  /** What a section over all pages sees at the site. */
  #look(site: string): ReplicaContent {
    const world = this.#world
    // Where age is no bound, a copy may be behind for ever.
    const mayStay = this.#claims.reads === 'bounded' && this.#claims.staleness?.ms === Infinity
    const section = this.#actors.visit({
      site,
      mode: 'read',
      first: 0,
      count: world.pages,
      written: new Set(),
      staleness: mayStay ? { ms: 0, versions: 0 } : undefined,
    })
    let values: ReplicaContent['values'] = new Map()
    const patience = new Patience(world)
    for (;;) {
      world.settle()
      if (section.isOver) break
      if (section.state === 'open') {
        const frames = new Map<PageIndex, Uint8Array>()
        for (const page of section.pages())
          frames.set(page, section.read(page * world.pageSize, world.pageSize))
        values = valuesOf(frames, site)
        this.#actors.finish(section)
        continue
      }
      patience.wait(() => `${section.name}, a read of all pages, never ends: it is ${section.state}`)
    }
    demand(
      section.state === 'done',
      `${section.name}, a read with nothing in its way, fails: ${section.failure?.message ?? ''}`,
    )
    return { site, values }
  }

  /** After `quiesce` everything is on stable storage, and after `resume` it goes on. */
  comeToRest(): void {
    const world = this.#world
    const before = this.#look(homeName)
    world.quiesce()
    const patience = new Patience(world)
    world.settle()
    while (!world.isQuiet()) {
      const loud = world.sites.filter(({ manager }) => !manager.isQuiet()).map(({ name }) => name)
      patience.wait(() => `after quiesce, ${loud.join(', ')} never comes to rest`)
    }
    const stored = new Map<PageIndex, Uint8Array>()
    for (let page = 0 as PageIndex; page < world.pages; page++) stored.set(page, world.storage.bytesOf(page))
    const verdict = checkConvergence(
      [before, { site: 'stable storage', values: valuesOf(stored, 'stable storage') }],
      this.#actors.history(),
      this.#order,
    )
    demand(
      verdict.kind === 'ok',
      `all is quiet, and what is stored is not what was seen: ${wordsOfVerdict(verdict)}`,
    )
    world.resume()
  }

  /** Every site gets every page, to read and to write. */
  visitAll(): void {
    for (const site of this.#prng.shuffle(namesOf(this.#world))) {
      if (!this.#actors.hasValuesLeft) break
      const written = new Set<string>()
      for (let page = 0; page < this.#world.pages; page++)
        written.add(cellKey(page, this.#prng.below(cellsPerPage)))
      const section = this.#actors.visit({ site, mode: 'write', first: 0, count: this.#world.pages, written })
      this.#finishAll('at the end')
      demand(section.state === 'done', `${section.name}, with nothing in its way, ends as ${section.state}`)
    }
    this.converge()
  }

  /** Once nothing is going on, every site can let go of all, and nothing is lost. */
  evictAll(): void {
    const world = this.#world
    for (const name of [...childNamesOf(this.#world), homeName]) {
      for (let page = 0; page < world.pages; page++) {
        const patience = new Patience(world)
        while (!world.evict(name, page)) {
          patience.wait(() => `${name} never lets go of page ${page}, which nobody uses`)
        }
        world.settle()
      }
    }
    this.converge()
  }
}

import { present } from '../../stdx/assert.js'
import { Prng } from '../../stdx/prng.js'
import type { PageIndex } from '../../address/page.js'
import type { ProtocolDefinition } from '../../consistency/contract.js'
import { checkLinearizability } from '../linearizability.js'
import type { Verdict } from '../linearizability.js'
import { demand } from './contract-violation.js'
import { checkConvergence } from './convergence.js'
import type { ReplicaContent, WriteOrder } from './convergence.js'
import { findConflict } from './mutual-exclusion.js'
import { Patience } from './patience.js'
import { ProtocolActors, cellKey, cellsPerPage, valuesOf } from './protocol-actors.js'
import { attributesOf, bytesConflict, excludes, largerStands } from './protocol-claims.js'
import type { ClaimedLock, ProtocolClaims } from './protocol-claims.js'
import type { ProtocolSection } from './protocol-section.js'
import { ProtocolWorld } from './protocol-world.js'
import { checkReleaseVisibility } from './release-visibility.js'
import { checkStaleness } from './staleness-bound.js'
import { homeName } from './world-sites.js'

/** What may go wrong in a run; each seed has some of it. */
interface Plan {
  readonly children: number
  readonly pages: number
  readonly sections: number
  readonly cuts: boolean
  readonly childCrashes: boolean
  readonly homeCrashes: boolean
  readonly diskFails: boolean
  readonly loadsFail: boolean
  readonly frees: boolean
  readonly evicts: boolean
  readonly pauses: boolean
  readonly discards: boolean
  readonly timePasses: boolean
  /** Clocks that differ. */
  readonly skews: boolean
}

/** Lines of the log that go with a failure. */
const logLinesShown = 60

/**
 * One random run: applications at all sites ask for locks, read, write, give up, while messages arrive in any order that
 * sessions allow, and things fail as the seed's plan says. Then all is healed, and the run must make progress: every lock is
 * answered, every ticket ends, all sites see the same, `quiesce` comes to rest, and every page can be evicted. What was
 * recorded is judged by what the protocol claims.
 */
export class ProtocolRun<M> {
  readonly world: ProtocolWorld<M>
  readonly #claims: ProtocolClaims
  readonly #prng: Prng
  readonly #plan: Plan
  readonly #actors: ProtocolActors<M>

  constructor(protocol: ProtocolDefinition<M>, claims: ProtocolClaims, seed: number) {
    const prng = Prng.fromSeed(seed)
    const drawn = drawPlan(prng.fork('plan'))
    // What was freed is not in what all is merged to.
    const plan = claims.merge === true ? { ...drawn, frees: false } : drawn
    const clocks = prng.fork('clocks')
    this.#claims = claims
    this.#prng = prng.fork('steps')
    this.#plan = plan
    this.world = new ProtocolWorld({
      protocol,
      children: ['A', 'B', 'C', 'D'].slice(0, plan.children),
      pages: plan.pages,
      attributes: attributesOf(claims),
      ...(claims.conflicts === true ? { conflicts: bytesConflict } : {}),
      ...(claims.merge === true ? { merge: largerStands } : {}),
      clocks: () => ({
        offsetMs: plan.skews ? clocks.int(0, 1_000_000) : 0,
        wallOffsetMs: plan.skews ? clocks.int(-5000, 5000) : 0,
      }),
      over: (section) => this.#actors.over(section),
    })
    this.#actors = new ProtocolActors(this.world, claims, prng.fork('actors'))
  }

  get #names(): string[] {
    return this.world.sites.map(({ name }) => name)
  }

  get #children(): string[] {
    return this.#names.filter((name) => name !== homeName)
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.#step()
    this.#heal()
    this.#judge()
    this.#converge()
    this.#comeToRest()
    this.#visitAll()
    this.#evictAll()
    this.#judge()
  }

  // ---- faults and chance --------------------------------------------------------------------------------------------

  #step(): void {
    const prng = this.#prng
    const { world } = this
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
    const { world } = this
    const pairs = this.#children.flatMap((name) => [
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
    this.#actors.ask(this.#prng.pick(this.#names))
  }

  #endOne(): void {
    const prng = this.#prng
    const { world } = this
    const [open, waiting] = [this.#inState('open'), this.#inState('waiting')]
    if (open.length > 0 && (waiting.length === 0 || prng.chance(0.85))) {
      const section = prng.pick(open)
      if (section.request.terms.seize) this.#actors.free(section)
      else if (this.#plan.discards && prng.chance(0.1)) world.discard(section)
      else this.#actors.finish(section)
    } else if (waiting.length > 0 && prng.chance(0.25)) {
      world.cancel(prng.pick(waiting))
    }
  }

  #inState(state: ProtocolSection['state']): ProtocolSection[] {
    return this.#actors.busy.filter((section) => section.state === state)
  }

  #useDisk(): void {
    const prng = this.#prng
    const { world } = this
    if (world.home.waitingLoads > 0 && prng.chance(0.5)) {
      world.endLoad(this.#plan.loadsFail && prng.chance(0.1) ? 'failing' : 'loaded')
    } else if (this.#plan.diskFails && prng.chance(0.15)) world.failCommit()
    else world.endCommit()
  }

  #passTime(): void {
    if (!this.#plan.timePasses) return this.world.tick(1)
    this.world.tick(this.#prng.chance(0.7) ? this.#prng.int(1, 40) : this.#prng.int(100, 2000))
  }

  #evictOne(): void {
    if (!this.#plan.evicts) return
    this.world.evict(this.#prng.pick(this.#names), this.#prng.below(this.world.pages))
  }

  #disturbLinks(): void {
    const prng = this.#prng
    const { world } = this
    const name = prng.pick(this.#children)
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
        const name = prng.pick(this.#children)
        this.#actors.dies(name)
        this.world.crash(name)
      }
    } else if (this.#plan.homeCrashes) {
      this.#actors.dies(homeName)
      this.world.crashHome(prng.int(0, this.world.storage.waiting))
    }
  }

  #freeOne(): void {
    const first = this.#prng.below(this.world.pages)
    if (this.#plan.frees && this.#actors.hasValuesLeft) this.#actors.seize(first, 1)
  }

  // ---- the healed phase ---------------------------------------------------------------------------------------------

  #heal(): void {
    const { world } = this
    world.say('From here on all is well.')
    for (const name of this.#children) {
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
    const { world } = this
    const patience = new Patience(world)
    for (;;) {
      world.settle()
      for (const section of this.#inState('open')) {
        if (section.request.terms.seize) this.#actors.free(section)
        else this.#actors.finish(section)
        world.settle()
        this.#actors.allocate()
      }
      const left = this.#actors.busy
      if (left.length === 0) return
      if (this.#inState('open').length > 0) continue
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
  #converge(): void {
    const { world } = this
    const patience = new Patience(world)
    for (;;) {
      const contents = this.#names.map((name) => this.#look(name))
      const verdict = checkConvergence(contents, this.#actors.history(), this.#order)
      if (verdict.kind === 'ok') return
      patience.wait(() => `the sites do not converge: ${wordsOf(verdict)}`)
    }
  }

  /** What a section over all pages sees at the site. */
  #look(site: string): ReplicaContent {
    const { world } = this
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
  #comeToRest(): void {
    const { world } = this
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
      `all is quiet, and what is stored is not what was seen: ${wordsOf(verdict)}`,
    )
    world.resume()
  }

  /** Every site gets every page, to read and to write. */
  #visitAll(): void {
    for (const site of this.#prng.shuffle(this.#names)) {
      if (!this.#actors.hasValuesLeft) break
      const written = new Set<string>()
      for (let page = 0; page < this.world.pages; page++)
        written.add(cellKey(page, this.#prng.below(cellsPerPage)))
      const section = this.#actors.visit({ site, mode: 'write', first: 0, count: this.world.pages, written })
      this.#finishAll('at the end')
      demand(section.state === 'done', `${section.name}, with nothing in its way, ends as ${section.state}`)
    }
    this.#converge()
  }

  /** Once nothing is going on, every site can let go of all, and nothing is lost. */
  #evictAll(): void {
    const { world } = this
    for (const name of [...this.#children, homeName]) {
      for (let page = 0; page < world.pages; page++) {
        const patience = new Patience(world)
        while (!world.evict(name, page)) {
          patience.wait(() => `${name} never lets go of page ${page}, which nobody uses`)
        }
        world.settle()
      }
    }
    this.#converge()
  }

  // ---- the judgement ------------------------------------------------------------------------------------------------

  #judge(): void {
    this.#judgeExclusion()
    const history = this.#actors.history()
    const verdict = this.#judgeReads(history)
    demand(
      verdict.kind !== 'violation',
      `what sections saw is not ${this.#claims.reads}: ${wordsOf(verdict)}`,
    )
  }

  #judgeReads(history: ReturnType<ProtocolActors<M>['history']>): Verdict {
    switch (this.#claims.reads) {
      case 'linearizable':
        return checkLinearizability(history)
      case 'release':
        return checkReleaseVisibility(history)
      case 'bounded':
      case 'eventual': {
        const bounds = this.#actors.boundsOf(history)
        return checkStaleness(history, (one) => present(bounds.get(one), 'each operation has a bound'))
      }
    }
  }

  #judgeExclusion(): void {
    const test = this.#claims.conflicts === true ? bytesConflict : undefined
    const held = this.world.sections.flatMap((section) => {
      const { site, mode, range, terms } = section.request
      if (section.openOrder === undefined) return []
      const claim: ClaimedLock = {
        site,
        mode,
        range,
        claim: { mode, offset: terms.offset, length: terms.length, tag: terms.tag },
      }
      return [{ name: section.name, claim, from: section.openOrder, until: section.closeOrder ?? Infinity }]
    })
    const found = findConflict(held, excludes(this.#claims, test))
    const names = found?.map(({ name, claim }) => `${name} (${claim.mode})`).join(' and ') ?? ''
    demand(names === '', `${names} were open at once, where writes are ${this.#claims.writes}`)
  }
}

function drawPlan(prng: Prng): Plan {
  // A seed in four has no faults, so that they are not needed to find what is wrong without them.
  const isCalm = prng.chance(0.25)
  const sometimes = (): boolean => !isCalm && prng.chance(0.5)
  return {
    children: prng.int(1, 4),
    pages: prng.int(1, 4),
    sections: prng.int(2, 8),
    cuts: sometimes(),
    childCrashes: sometimes(),
    homeCrashes: sometimes(),
    diskFails: sometimes(),
    loadsFail: sometimes(),
    frees: sometimes(),
    evicts: prng.chance(0.6),
    pauses: sometimes(),
    discards: prng.chance(0.3),
    timePasses: prng.chance(0.7),
    skews: prng.chance(0.6),
  }
}

function wordsOf(verdict: Verdict): string {
  return verdict.kind === 'ok' ? '' : `${verdict.key}: ${verdict.explanation}`
}

/** Runs a seed. What is thrown says which, and how it ended. */
export function runProtocolSeed<M>(
  protocol: ProtocolDefinition<M>,
  claims: ProtocolClaims,
  seed: number,
  steps: number,
): ProtocolWorld<M> {
  const run = new ProtocolRun(protocol, claims, seed)
  try {
    run.run(steps)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const lines = run.world.log.slice(-logLinesShown).join('\n')
    throw new Error(`seed ${seed} of ${protocol.name}: ${reason}\n${lines}`, { cause })
  }
  return run.world
}

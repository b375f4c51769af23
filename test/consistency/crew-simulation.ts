import assert from 'node:assert/strict'
import type { LockMode } from '../../src/address/lock-mode.js'
import type { PageIndex, PageRange } from '../../src/address/page.js'
import type { ProtocolDefinition } from '../../src/consistency/contract.js'
import { Prng } from '../../src/stdx/prng.js'
import { HistoryRecorder } from '../../src/testing/history.js'
import type { OpenOperation } from '../../src/testing/history.js'
import { checkLinearizability } from '../../src/testing/linearizability.js'
import type { Value } from './crew-disk.js'
import { checkInvariants } from './crew-invariants.js'
import { CrewNetwork } from './crew-network.js'
import type { Place } from './crew-network.js'
import { pagesIn } from './crew-section.js'
import type { Outcome, Section } from './crew-section.js'
import type { CrewSite } from './crew-site.js'
import { OutsideStore } from './outside-store.js'

/** What may go wrong in a run: each kind is left out in some of them. */
interface Faults {
  readonly sessions: boolean
  readonly siblings: boolean
  readonly homeCrashes: boolean
  readonly eras: boolean
  readonly siteCrashes: boolean
  readonly failingDisk: boolean
  readonly freeing: boolean
  readonly evictions: boolean
  readonly cancels: boolean
}

/** What else sites do. */
export interface Habits {
  /** They keep copies of pages without a lock. */
  readonly holds: boolean
}

/** Sections that one site has under way at most. */
const sectionsPerSiteMax = 4

/**
 * A random run of the protocol from a seed: sections begin and end, messages arrive, things fail, one step after the
 * other, and after each the invariants are checked. Then all heals, and everything that waits must come to an end.
 */
export class CrewSimulation {
  readonly network: CrewNetwork
  readonly #prng: Prng
  readonly #pages: readonly PageIndex[]
  readonly #faults: Faults
  readonly #recorder: HistoryRecorder
  /** Its own, so that fences change nothing of what else happens. */
  readonly #fencePrng: Prng
  readonly #outside = new OutsideStore()
  readonly #habits: Habits
  readonly #holdPrng: Prng
  readonly #operations = new Map<Section, Map<PageIndex, OpenOperation>>()
  #steps = 0
  #sections = 0
  #isHealed = false
  /** What happened, for whoever looks at a failure. */
  readonly log: string[] = []
  /** Sections that ended well. */
  done = 0
  /** Holds that others waited for. */
  wanted = 0

  constructor(seed: number, protocol: ProtocolDefinition, habits: Habits = { holds: false }) {
    const prng = Prng.fromSeed(seed)
    this.#prng = prng
    this.#habits = habits
    this.#holdPrng = prng.fork('holds')
    this.#fencePrng = prng.fork('fences')
    const pageCount = prng.pick([1, 1, 2, 3, 4])
    this.#pages = pagesIn({ first: 0 as PageIndex, count: pageCount })
    const often = (): boolean => prng.chance(0.4)
    const isBacked = prng.fork('backing').chance(0.75)
    this.#faults = {
      sessions: often(),
      siblings: often(),
      homeCrashes: prng.chance(0.25),
      eras: prng.chance(0.25) && isBacked,
      siteCrashes: prng.chance(0.25),
      failingDisk: often(),
      freeing: prng.chance(0.2),
      evictions: often(),
      cancels: often(),
    }
    this.#recorder = new HistoryRecorder(() => this.#steps)
    const delays = prng.chance(0.5)
    this.network = new CrewNetwork(places(prng), {
      ...{ protocol, isBacked },
      hooks: {
        sent: (from, to, message) => this.log.push(`  ${from.name} -> ${to.name} ${JSON.stringify(message)}`),
        effect: (site, effect) => {
          if (effect.kind !== 'send') this.log.push(`  ${site.name}: ${JSON.stringify(effect)}`)
          if (effect.kind === 'wanted' && site.holds.get(effect.page)?.state === 'held') this.wanted += 1
        },
        outcome: (site, section, outcome) => {
          this.#onOutcome(site, section, outcome)
        },
        delaysGrant: () => delays && !this.#isHealed && prng.chance(0.3),
      },
    })
  }

  /** Throws where something is wrong. */
  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      if (this.#habits.holds) this.#holdOrLetGo()
      this.#step()
    }
    this.#heal()
    this.#visitEverySite()
    for (const site of this.network.sites) for (const page of this.#pages) site.letGo(page)
    this.#settle()
    this.#evictEverything()
    const verdict = checkLinearizability(this.#recorder.operations())
    assert.equal(verdict.kind, 'ok', verdict.kind === 'ok' ? '' : verdict.explanation)
  }

  #check(): void {
    this.#steps += 1
    checkInvariants(this.network, this.#pages)
    if (this.#fencePrng.chance(0.3)) this.#writeOutside()
  }

  /** A section that may write does so outside, too. */
  #writeOutside(): void {
    const writers = this.#sectionsIn('open').filter(
      ([site, { mode, isSeizure }]) => mode === 'write' && !isSeizure && site.isValid,
    )
    if (writers.length === 0) return
    const [site, section] = this.#fencePrng.pick(writers)
    const fence = site.readFence(section)
    assert(fence !== undefined, `${section.name} gets a fence`)
    this.log.push(`  ${section.name} has fence ${fence}`)
    this.#outside.write(section, fence)
  }

  #do(what: string, act: () => void): void {
    this.log.push(what)
    act()
    this.#check()
  }

  // ---- one step ---------------------------------------------------------------------------------------------------

  #step(): void {
    const prng = this.#prng
    const dice = prng.unit()
    if (dice < 0.45) return this.#deliverOne()
    if (dice < 0.6) return this.#beginOne()
    if (dice < 0.78) return this.#endOne()
    if (dice < 0.85) {
      if (this.#faults.failingDisk && prng.chance(0.2))
        this.#do('the disk fails', () => this.network.disk.fail())
      return this.#do('the disk ends a commit', () => this.network.home.endCommit())
    }
    if (dice < 0.89) return this.#completeOne()
    if (dice < 0.92) return this.#cancelOne()
    if (dice < 0.95) return this.#evictOne()
    this.#breakOne()
  }

  #holdOrLetGo(): void {
    const prng = this.#holdPrng
    if (!prng.chance(0.4)) return
    const site = prng.pick(this.network.sites)
    const page = prng.pick(this.#pages)
    const held = site.holds.get(page)
    if (held === undefined) return this.#do(`${site.name} tries to hold ${page}`, () => void site.hold(page))
    if (prng.chance(held.state === 'held' ? 0.1 : 0.5))
      this.#do(`${site.name} lets ${page} go`, () => {
        site.letGo(page)
      })
  }

  #deliverOne(): void {
    const busy = this.network.queues.filter(({ parcels }) => parcels.length > 0)
    if (busy.length === 0) return
    const queue = this.#prng.pick(busy)
    const what = queue.parcels[0]?.kind === 'message' ? JSON.stringify(queue.parcels[0].message) : 'resume'
    this.#do(`${queue.from.name} -> ${queue.to.name} arrives: ${what}`, () => {
      this.network.deliver(queue)
    })
  }

  #beginOne(): void {
    const prng = this.#prng
    const site = prng.pick(this.network.sites)
    if (site.sections.size >= sectionsPerSiteMax) return
    if (this.#faults.freeing && site === this.network.home && prng.chance(0.3)) {
      if (prng.chance(0.5)) this.network.disk.allocateAll()
      else this.#begin(site, 'write', this.#randomRange(), 'free')
      return
    }
    this.#begin(
      site,
      prng.chance(0.5) ? 'read' : 'write',
      this.#randomRange(),
      prng.chance(0.85) ? 'write' : 'look',
    )
  }

  #randomRange(): PageRange {
    const first = this.#prng.pick(this.#pages)
    return { first, count: this.#prng.int(1, this.#pages.length - first) }
  }

  #begin(site: CrewSite, mode: LockMode, range: PageRange, purpose: 'look' | 'write' | 'free'): Section {
    const name = `${site.name}${++this.#sections}`
    const writes = new Map<PageIndex, Value>()
    if (mode === 'write' && purpose === 'write') {
      for (const page of pagesIn(range)) if (this.#prng.chance(0.7)) writes.set(page, `${name}.${page}`)
    }
    const section: Section = {
      name,
      range,
      mode,
      writes,
      isSeizure: purpose === 'free',
      state: 'waiting',
      lock: undefined,
      isGivenUp: false,
      seen: new Map(),
      fence: undefined,
    }
    const operations = new Map<PageIndex, OpenOperation>()
    for (const page of pagesIn(range)) {
      const key = `p${page}`
      const value = section.isSeizure ? zerosOf(section, page) : writes.get(page)
      const isWrite = typeof value === 'string'
      operations.set(page, isWrite ? this.#recorder.write(name, key, value) : this.#recorder.read(name, key))
    }
    this.#operations.set(section, operations)
    this.#do(`${site.name} begins ${name}: ${purpose} ${mode} ${range.first}+${range.count}`, () => {
      site.begin(section)
    })
    return section
  }

  #onOutcome(_site: CrewSite, section: Section, outcome: Outcome): void {
    this.log.push(`  ${section.name} ${outcome}`)
    if (outcome === 'done') this.done += 1
    for (const [page, operation] of this.#operations.get(section) ?? []) {
      const seen = section.seen.get(page)
      const isWrite = section.writes.has(page) || section.isSeizure
      if (outcome === 'unknown' && isWrite) operation.unknown(seen)
      else if (outcome !== 'done') operation.failed()
      else if (isWrite) operation.wrote(seen)
      else operation.read(seen ?? null)
    }
    this.#operations.delete(section)
  }

  #endOne(): void {
    const open = this.#sectionsIn('open')
    if (open.length === 0) return
    const [site, section] = this.#prng.pick(open)
    this.#end(site, section)
  }

  #end(site: CrewSite, section: Section): void {
    if (section.isSeizure) {
      // Storage is taken away only where nothing of it waits to become durable.
      if (pagesIn(section.range).some((page) => site.manager.isUnsettled(page))) return
      this.#do(`${section.name} frees`, () => {
        site.freeUnder(section, (page) => zerosOf(section, page))
      })
    } else if (!this.#isHealed && this.#prng.chance(0.05)) {
      this.#do(`${section.name} gives up what it wrote`, () => {
        site.abandon(section)
      })
    } else {
      this.#do(`${section.name} unlocks`, () => {
        site.end(section)
      })
    }
  }

  #sectionsIn(state: Section['state']): (readonly [CrewSite, Section])[] {
    return this.network.sites.flatMap((site) =>
      [...site.sections]
        .filter((section) => section.state === state)
        .map((section) => [site, section] as const),
    )
  }

  #completeOne(): void {
    const granted = this.#sectionsIn('granted')
    if (granted.length === 0) return
    const [site, section] = this.#prng.pick(granted)
    this.#do(`${section.name} is complete`, () => {
      site.complete(section)
    })
  }

  #cancelOne(): void {
    const waiting = [...this.#sectionsIn('waiting'), ...this.#sectionsIn('granted')]
    if (!this.#faults.cancels || waiting.length === 0) return
    const [site, section] = this.#prng.pick(waiting)
    this.#do(`${section.name} gives up waiting`, () => {
      site.cancel(section)
    })
  }

  #evictOne(): void {
    if (!this.#faults.evictions) return
    const site = this.#prng.pick(this.network.sites)
    const page = this.#prng.pick(this.#pages)
    this.#do(`${site.name} evicts ${page}`, () => {
      site.evict(page)
    })
  }

  #breakOne(): void {
    const { network } = this
    const prng = this.#prng
    const link = prng.pick(network.links)
    const { child } = link
    if (this.#faults.sessions) {
      if (link.isCarrying) {
        if (prng.chance(0.3)) this.#do(`the session of ${child.name} is lost`, () => network.lose(link))
        return
      }
    }
    if (this.#faults.siblings && network.siblings.length > 0 && prng.chance(0.4)) {
      return this.#siblingStep()
    }
    if (this.#faults.homeCrashes && prng.chance(0.08)) {
      const kept = prng.int(0, network.disk.queue.length)
      return this.#do('the home crashes', () => network.crashHome(kept))
    }
    if (this.#faults.eras && !link.childThinksUp && prng.chance(0.3)) {
      return this.#do(`${child.name} hears of a new era`, () => network.beginEra(link))
    }
    if (this.#faults.siteCrashes && prng.chance(0.08)) {
      return this.#do(`${child.name} crashes`, () => network.crash(child))
    }
    if (network.isInGrace && prng.chance(0.3)) return this.#do('grace ends', () => network.endGrace())
    const dead = network.links.filter(({ isCarrying }) => !isCarrying)
    if (dead.length > 0) this.#mend(prng.pick(dead))
  }

  #mend(link: CrewNetwork['links'][number]): void {
    const { network } = this
    const { name } = link.child
    const sides = [...(link.childThinksUp ? ['child'] : []), ...(link.parentThinksUp ? ['parent'] : [])]
    if (sides.length === 0) return this.#do(`${name} connects`, () => network.connect(link))
    if (this.#prng.pick(sides) === 'child') {
      this.#do(`${name} learns of its loss`, () => network.tellChild(link))
    } else {
      this.#do(`${link.parent.name} gives ${name} up`, () => network.tellParent(link))
    }
  }

  #siblingStep(): void {
    const { network } = this
    const sibling = this.#prng.pick(network.siblings)
    const names = sibling.ends.map(({ name }) => name).join(' and ')
    const [told] = sibling.untold
    if (sibling.isCarrying) this.#do(`${names} lose each other`, () => network.loseSibling(sibling))
    else if (told === undefined) this.#do(`${names} connect`, () => network.connectSibling(sibling))
    else
      this.#do(`${told.name} learns that ${names} lost each other`, () => network.tellSibling(sibling, told))
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** Faults stop, all that is on its way arrives, sections end: then nothing may be left waiting. */
  #heal(): void {
    const { network } = this
    this.#isHealed = true
    network.disk.allocateAll()
    for (const link of network.links) while (!link.isCarrying) this.#mend(link)
    for (const sibling of network.siblings) while (!sibling.isCarrying) this.#siblingStepUntilUp(sibling)
    if (network.isInGrace) this.#do('grace ends', () => network.endGrace())
    this.#settle()
    network.disk.allocateAll()
    const waiting = network.sites.flatMap((site) =>
      [...site.sections].map(({ name, state }) => `${name} (${state})`),
    )
    assert.deepEqual(waiting, [], 'these sections never end')
    this.#checkAgreement()
  }

  #siblingStepUntilUp(sibling: CrewNetwork['siblings'][number]): void {
    for (const end of [...sibling.untold])
      this.#do(`${end.name} is told`, () => this.network.tellSibling(sibling, end))
    this.network.connectSibling(sibling)
  }

  /** Delivers, completes and ends until nothing happens any more. */
  #settle(): void {
    const { network } = this
    for (let rounds = 0; rounds < 20_000; rounds++) {
      const before = this.#steps
      for (const site of network.sites) site.letGoWanted()
      this.#deliverOne()
      if (this.#steps !== before && this.#prng.chance(0.7)) continue
      this.#endOne()
      this.#completeOne()
      if (network.disk.queue.length > 0) this.#do('the disk ends a commit', () => network.home.endCommit())
      if (this.#steps === before) return
    }
    assert.fail('messages without end')
  }

  /** With nothing on its way, a parent knows exactly what its children have. */
  #checkAgreement(): void {
    for (const page of this.#pages) {
      for (const { child, parent } of this.network.links) {
        const known = parent.manager.inspect(page).children.get(child.id) ?? 'none'
        const held = child.manager.inspect(page).right
        assert.equal(
          known,
          held,
          `${parent.name} knows ${known} of ${child.name} for page ${page}; it has ${held}`,
        )
      }
    }
  }

  /** Every site gets every page once more, to read and to write: no order or question was left over anywhere. */
  #visitEverySite(): void {
    const range: PageRange = { first: 0 as PageIndex, count: this.#pages.length }
    for (let round = 0; round < 2; round++) {
      for (const site of this.#prng.shuffle(this.network.sites)) {
        const section = this.#begin(site, this.#prng.pick(['read', 'write']), range, 'write')
        this.#settle()
        assert.equal(section.state, 'done', `${section.name} ends`)
      }
    }
    this.#checkAgreement()
  }

  /** Once nothing is going on, every site can forget all. */
  #evictEverything(): void {
    for (const site of [...this.network.sites].reverse()) {
      for (const page of this.#pages) assert(site.evict(page), `${site.name} still needs page ${page}`)
      this.#settle()
    }
    for (const site of this.network.sites) {
      const kept = [...site.manager.pages()]
      if (kept.length > 0) for (const page of kept) site.evict(page)
      assert.deepEqual([...site.manager.pages()], [], `${site.name} forgets pages that nobody uses`)
    }
  }
}

function zerosOf(section: Section, page: PageIndex): string {
  return `zeros after ${section.name}.${page}`
}

/** A home, two or three nodes, and clients of any of them. */
function places(prng: Prng): Place[] {
  const nodes = ['A', 'B', 'C'].slice(0, prng.int(2, 3))
  const all: Place[] = [{ name: 'H' }, ...nodes.map((name) => ({ name, parent: 'H' }))]
  const clients = ['k', 'l', 'm'].slice(0, prng.int(0, 3))
  for (const name of clients) all.push({ name, parent: prng.pick(['H', ...nodes]) })
  return all
}

/** Runs a seed. What is thrown says which, and how it ended. */
export function runCrewSeed(seed: number, protocol: ProtocolDefinition, habits?: Habits): CrewSimulation {
  const simulation = new CrewSimulation(seed, protocol, habits)
  try {
    simulation.run(Prng.fromSeed(seed).fork('length').int(100, 500))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`seed ${seed} fails: ${reason}\n${simulation.log.slice(-60).join('\n')}`, { cause })
  }
  return simulation
}

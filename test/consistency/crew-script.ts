import assert from 'node:assert/strict'
import type { LockMode } from '../../src/address/lock-mode.js'
import type { PageIndex, PageRange } from '../../src/address/page.js'
import type { CmMessage } from '../../src/consistency/contract.js'
import type { Value } from './crew-disk.js'
import { checkInvariants } from './crew-invariants.js'
import { CrewNetwork } from './crew-network.js'
import type { Link, Place } from './crew-network.js'
import { pagesIn } from './crew-section.js'
import type { Section } from './crew-section.js'
import type { CrewSite } from './crew-site.js'
import { wordsOfEffect, wordsOfMessage, wordsOfRange } from './crew-words.js'

const outcomes = { done: 'is done', failed: 'failed', unknown: 'has an unknown outcome' } as const

/** Pages at which the invariants are checked after each step of a script. */
const pagesChecked = 4

/** A hand-written run: each call is one event, and what follows from it is written down line by line. */
export class CrewScript {
  readonly network: CrewNetwork
  readonly lines: string[] = []
  /** Messages in the order of sending, for counting. */
  readonly sent: CmMessage[] = []
  readonly #order: (readonly [CrewSite, CrewSite])[] = []
  #sections = 0

  constructor(places: readonly Place[]) {
    this.network = new CrewNetwork(places, {
      hooks: {
        sent: (from, to, message) => {
          this.sent.push(message)
          this.#order.push([from, to])
          this.lines.push(`${from.name} -> ${to.name}: ${this.#words(message)}`)
        },
        outcome: (site, section, outcome) => {
          const isPlain = outcome === 'done' && section.mode === 'read'
          const what = `${section.mode} of ${wordsOfRange(section.range)}`
          if (!isPlain) this.lines.push(`${site.name}: the ${what} ${outcomes[outcome]}`)
        },
        effect: (site, effect) => {
          const words = wordsOfEffect(effect)
          if (words !== undefined) this.lines.push(`${site.name}: ${words}`)
        },
      },
    })
  }

  #words(message: CmMessage): string {
    return wordsOfMessage(message, (id) => this.network.sites.find((site) => site.id === id)?.name ?? `${id}`)
  }

  /** Prose. */
  say(text: string): void {
    if (this.lines.length > 0) this.lines.push('')
    this.lines.push(
      ...text
        .trim()
        .split('\n')
        .map((line) => `# ${line.trim()}`.trimEnd()),
    )
  }

  #event(line: string, act: () => void): void {
    this.lines.push(line)
    act()
    checkInvariants(this.network, pagesIn({ first: 0 as PageIndex, count: pagesChecked }))
  }

  /** Asks for a lock that, if `mode` is write, will write all its pages. */
  lock(name: string, mode: LockMode, first: number, count = 1): Section {
    return this.#lock(name, mode, { first: first as PageIndex, count }, false)
  }

  /** The home takes the page's storage away, as soon as it has the lock for that. */
  free(page: number): void {
    const section = this.#lock(this.network.home.name, 'write', { first: page as PageIndex, count: 1 }, true)
    this.run()
    this.#event(`${this.network.home.name}: free p${page}`, () => {
      this.network.home.freeUnder(section, (freed) => `zeros of p${freed}`)
    })
  }

  #lock(name: string, mode: LockMode, range: PageRange, isSeizure: boolean): Section {
    const site = this.network.site(name)
    const label = `${name}${++this.#sections}`
    const writes = new Map<PageIndex, Value>()
    if (mode === 'write') for (const page of pagesIn(range)) writes.set(page, `${label}.${page}`)
    const section: Section = {
      name: label,
      range,
      mode,
      writes,
      isSeizure,
      state: 'waiting',
      lock: undefined,
      isGivenUp: false,
      seen: new Map(),
      fence: undefined,
    }
    this.#event(`${name}: lock ${mode} ${wordsOfRange(range)}`, () => {
      if (site.begin(section)) this.lines.push(`${name}: a hit, no message`)
    })
    return section
  }

  unlock(section: Section): void {
    assert.equal(section.state, 'open', `${section.name} has its lock`)
    const site = this.#siteOf(section)
    const wrote = section.mode === 'write' ? ', having written it' : ''
    this.#event(`${site.name}: unlock ${wordsOfRange(section.range)}${wrote}`, () => {
      site.end(section)
    })
  }

  /** Ends the lock with nothing written. */
  release(section: Section): void {
    assert.equal(section.state, 'open', `${section.name} has its lock`)
    const site = this.#siteOf(section)
    this.#event(`${site.name}: unlock ${wordsOfRange(section.range)}, nothing written`, () => {
      site.abandon(section)
    })
  }

  cancel(section: Section): void {
    const site = this.#siteOf(section)
    this.#event(`${site.name}: give up waiting for ${wordsOfRange(section.range)}`, () => {
      site.cancel(section)
    })
  }

  #siteOf(section: Section): CrewSite {
    const site = this.network.sites.find(({ sections }) => sections.has(section))
    assert(site !== undefined, `${section.name} goes on`)
    return site
  }

  /** All messages arrive, in the order of sending. */
  run(): void {
    for (let next = this.#order.shift(); next !== undefined; next = this.#order.shift()) {
      const queue = this.network.queue(...next)
      if (queue.parcels.length > 0) this.network.deliver(queue)
      checkInvariants(this.network, pagesIn({ first: 0 as PageIndex, count: pagesChecked }))
    }
    this.network.deliverAll()
  }

  /** The oldest message between two sites arrives; others wait. */
  arrive(from: string, to: string): void {
    const queue = this.network.queue(this.network.site(from), this.network.site(to))
    const parcel = queue.parcels[0]
    assert(parcel?.kind === 'message', `a message of ${from} is on its way to ${to}`)
    this.#event(`(${this.#words(parcel.message)} arrives at ${to})`, () => {
      this.network.deliver(queue)
    })
  }

  isOnItsWay(from: string, to: string): boolean {
    return this.network.queue(this.network.site(from), this.network.site(to)).parcels.length > 0
  }

  /** The home's disk ends the oldest commit. */
  durable(): void {
    this.#event(`${this.network.home.name}: (the disk is done)`, () => {
      this.network.home.endCommit()
    })
  }

  /** The home's disk has no room for the oldest commit: it fails, and those after it with it. */
  fail(): void {
    this.network.disk.fail()
    this.#event(`${this.network.home.name}: (the disk is full)`, () => {
      this.network.home.endCommit()
    })
  }

  /** Everything there is to do, to the end. */
  finish(): void {
    this.run()
    while (this.network.disk.queue.length > 0) {
      this.durable()
      this.run()
    }
  }

  evict(name: string, page: number): void {
    this.#event(`${name}: evict p${page}`, () => {
      assert(this.network.site(name).evict(page as PageIndex), `${name} may evict p${page}`)
    })
  }

  /** Something happens to the sessions. */
  happens(line: string, act: (network: CrewNetwork) => void): void {
    this.#event(line, () => {
      act(this.network)
    })
  }

  link(name: string): Link {
    return this.network.link(this.network.site(name))
  }
}

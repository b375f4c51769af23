import type { LockMode } from '../../address/lock-mode.js'
import { plainTerms } from '../../address/lock-terms.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { ProtocolDefinition } from '../../consistency/contract.js'
import { assert, present } from '../../stdx/assert.js'
import { ContractViolation } from './contract-violation.js'
import { HomeStorage } from './home-storage.js'
import type { Parcel } from './parcel-table.js'
import { ProtocolSection } from './protocol-section.js'
import type { ProtocolSite } from './protocol-site.js'
import { checkSeizure } from './seizure-check.js'
import type { SiteWorld } from './site-world.js'
import { WorldClock } from './world-clock.js'
import { WorldLog } from './world-log.js'
import type { SentMessage } from './world-log.js'
import { WorldMail } from './world-mail.js'
import type { LockSettings, WorldOptions } from './world-options.js'
import { WorldSessions } from './world-sessions.js'
import { homeName, makeSites } from './world-sites.js'
import type { WorldSites } from './world-sites.js'

/** Rounds of deliveries, disk and alarms in which nothing takes time. */
const roundsMax = 100_000

/**
 * The managers of one region at a home and any number of children of it, with the sessions between them, clocks, and the
 * home's storage, in plain synchronous code: no promise, no real time. Nothing moves by itself. The caller says which
 * message arrives next, what the disk does, what fails and how time passes; `settle` does all there is to do.
 *
 * Every message crosses the protocol's codec. Whatever a manager does against the contract throws a `ContractViolation`.
 */
export class ProtocolWorld<M> {
  readonly protocol: ProtocolDefinition<M>
  readonly pageSize: number
  readonly pages: number
  readonly home: ProtocolSite<M>
  /** The home first. */
  readonly sites: readonly ProtocolSite<M>[]
  readonly storage: HomeStorage
  /** What happened, a line each, as in `test/transcripts`. */
  readonly log: string[]
  /** All messages, in the order of sending. */
  readonly sent: readonly SentMessage[]
  /** Names of children that get nothing of what is sent to them. */
  readonly deaf: Set<string>
  /** All sections, in the order of asking. */
  readonly sections: ProtocolSection[] = []
  readonly #options: WorldOptions<M>
  readonly #clock = new WorldClock()
  readonly #log: WorldLog<M>
  readonly #sites: WorldSites<M>
  readonly #mail: WorldMail<M>
  readonly #sessions: WorldSessions<M>
  #order = 0

  constructor(options: WorldOptions<M>) {
    const { protocol, merge } = options
    this.protocol = protocol
    this.pageSize = options.pageSize ?? 256
    this.pages = options.pages ?? 4
    this.#options = options
    this.storage = new HomeStorage({ pageSize: this.pageSize, pages: this.pages, merge })
    this.#log = new WorldLog(options.words, (id) => this.#sites.withId(id)?.name ?? `${id}`)
    this.#sites = makeSites(options, this.pageSize, this.storage, this.#siteWorld())
    const codec = present(protocol.codec, 'a protocol has a codec')
    this.#mail = new WorldMail(this.#sites, codec, this.#log, this.pageSize)
    this.#sessions = new WorldSessions({
      sites: this.#sites,
      mail: this.#mail,
      storage: this.storage,
      log: this.#log,
      nextOrder: () => this.nextOrder(),
    })
    this.home = this.#sites.home
    this.sites = this.#sites.all
    this.log = this.#log.lines
    this.sent = this.#log.sent
    this.deaf = this.#mail.deaf
    for (const { child } of this.#sites.links) this.connect(child.name)
  }

  #siteWorld(): SiteWorld<M> {
    const clock = this.#clock
    return {
      get now(): number {
        return clock.now
      },
      nextOrder: () => this.nextOrder(),
      send: (from, to, message, parcels, pages) => {
        this.#mail.send(from, to, message, parcels, pages)
      },
      isConnected: (child) => this.#sites.link(child).childThinksUp,
      onEffect: (site, effect) => {
        this.#log.onEffect(site, effect)
      },
      onOpen: (section) => {
        if (section.request.terms.seize) checkSeizure(section, this.sites)
        this.#options.opened?.(section)
      },
      onOutcome: (section) => {
        this.#log.onOutcome(section)
        this.#options.over?.(section)
      },
    }
  }

  site(name: string): ProtocolSite<M> {
    return this.#sites.site(name)
  }

  /** Prose, for a transcript. */
  say(text: string): void {
    this.#log.say(text)
  }

  /** How often each kind of message was sent. */
  counts(): ReadonlyMap<string, number> {
    return this.#log.counts()
  }

  /** The next place in the order of all that happens. */
  nextOrder(): number {
    return this.#order++
  }

  // ---- sections ---------------------------------------------------------------------------------------------------

  /** An application at the site asks for a lock on `count` pages from `first` on. */
  lock(name: string, mode: LockMode, first: number, count = 1, settings: LockSettings = {}): ProtocolSection {
    const site = this.site(name)
    const range: PageRange = { first: first as PageIndex, count }
    // One object a lock, which names it from its grant to its end.
    const terms: LockTerms = {
      ...plainTerms,
      offset: first * this.pageSize,
      length: count * this.pageSize,
      ...settings.terms,
    }
    const section = new ProtocolSection({
      site: name,
      name: `${name}${this.sections.length + 1}`,
      range,
      mode,
      terms,
      invokeOrder: this.nextOrder(),
      pageSize: this.pageSize,
    })
    this.sections.push(section)
    this.#log.onAsked(section)
    if (site.begin(section)) this.log.push(`${name}: a hit, no message`)
    return section
  }

  /** Ends the section; what it wrote, if anything, becomes the region's. */
  unlock(section: ProtocolSection): void {
    this.#log.onAction(section, 'unlock')
    this.site(section.request.site).unlock(section)
  }

  /** Ends the section; what it wrote is dropped, and it has `failed`. */
  discard(section: ProtocolSection): void {
    this.#log.onAction(section, 'discard')
    this.site(section.request.site).abandon(section)
  }

  /** Gives up waiting for the lock. */
  cancel(section: ProtocolSection): void {
    this.#log.onAction(section, 'give up waiting for')
    this.site(section.request.site).cancel(section)
  }

  /** The home begins to take the storage of the pages away: `free` ends what this returns, once it is open. */
  seize(first: number, count = 1): ProtocolSection {
    return this.lock(homeName, 'write', first, count, { terms: { seize: true } })
  }

  /** The storage of the section's pages is gone, and the section over. */
  free(section: ProtocolSection): void {
    this.#log.onAction(section, 'free')
    this.home.free(section)
  }

  /** The pages have storage again. They are zeros, unless `fill` says, so that a test can tell these from those before. */
  allocate(first: number, count = 1, fill?: (page: PageIndex) => Uint8Array): void {
    this.storage.allocate({ first: first as PageIndex, count }, fill)
  }

  // ---- messages ---------------------------------------------------------------------------------------------------

  /** How many messages are on their way. */
  inFlight(from: string, to: string): number {
    return this.#mail.queue(from, to).length
  }

  /** The oldest message between the two arrives. Answers whether there was one. */
  deliver(from: string, to: string): boolean {
    return this.#mail.deliver(from, to)
  }

  /** As `deliver`, and says so in the log: for scripts in which the order of arriving matters. */
  arrive(from: string, to: string): void {
    this.#mail.arrive(from, to)
  }

  /** All messages arrive, in the order of sending, and those that follow from them. */
  deliverAll(): void {
    this.#mail.deliverAll()
  }

  /**
   * What a child that follows no protocol may say: any bytes, or any message, with any parcels. A `protocol-error` is what the
   * driver expects: it ends the session. Answers whether there was one. Other errors are thrown.
   */
  inject(from: string, said: Uint8Array | M, parcels: readonly Parcel[] = []): boolean {
    return this.#mail.inject(from, said, parcels)
  }

  // ---- storage, memory, time --------------------------------------------------------------------------------------

  /** The home's storage ends its oldest commit. */
  endCommit(): void {
    if (this.storage.waiting === 0) return
    this.log.push(`${homeName}: (the disk is done)`)
    this.home.endCommit()
  }

  /** The home's oldest commit fails, and with it those behind it. */
  failCommit(): void {
    if (this.storage.waiting === 0) return
    this.storage.fail()
    this.log.push(`${homeName}: (the disk is full)`)
    this.home.endCommit()
  }

  /** The home's oldest load ends. */
  endLoad(outcome: 'loaded' | 'failing' = 'loaded'): void {
    if (this.home.waitingLoads > 0) this.home.endLoad(outcome)
  }

  /** The site would like the memory back. Answers whether it got it. */
  evict(name: string, page: number): boolean {
    this.log.push(`${name}: evict p${page}`)
    return this.site(name).evict(page as PageIndex)
  }

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#clock.now
  }

  /** Time passes; alarms ring when theirs has come. */
  tick(ms: number): void {
    this.#clock.tick(ms, this.sites, ({ name }) => this.log.push(`${name}: (its alarm rings)`))
  }

  /** When the next alarm rings, in milliseconds of this world; Infinity where none is set. */
  nextAlarmAt(): number {
    return this.#clock.nextAlarmAt(this.sites)
  }

  /** All that there is to do happens, but for the passing of time. */
  settle(): void {
    for (let round = 0; round < roundsMax; round++) {
      this.deliverAll()
      if (this.storage.waiting > 0) this.endCommit()
      else if (this.home.waitingLoads > 0) this.endLoad()
      else if (this.#clock.isAlarmDue(this.sites)) this.tick(0)
      else return
    }
    throw new ContractViolation('the managers never come to rest')
  }

  /** As `settle`, over so much time. */
  settleFor(ms: number): void {
    const end = this.now + ms
    for (;;) {
      this.settle()
      if (this.now >= end) return
      this.tick(Math.min(end, Math.max(this.nextAlarmAt(), this.now)) - this.now)
    }
  }

  // ---- sessions, crashes ------------------------------------------------------------------------------------------

  /** Whether messages pass between the child and the home. */
  isUp(name: string): boolean {
    return this.#sites.link(name).isCarrying
  }

  /** The session is lost, with all that is on its way. Nobody knows yet. */
  cut(name: string): void {
    this.#sessions.cut(name)
  }

  /** The child learns that the session is lost. */
  childNotices(name: string): void {
    this.#sessions.childNotices(name)
  }

  /** The home gives the child up. By then its lease has ended. */
  homeNotices(name: string): void {
    this.#sessions.homeNotices(name)
  }

  /** The whole course of a loss: both sides learn of it, the child first. */
  lose(name: string): void {
    this.cut(name)
    this.childNotices(name)
    this.homeNotices(name)
  }

  /** A new session, which begins when both sides know that the old one is lost. Answers whether there is one now. */
  connect(name: string): boolean {
    return this.#sessions.connect(name)
  }

  /** The child's lease ends, though the session does not: its rights rest. */
  pauseLease(name: string): void {
    this.#sessions.pauseLease(name)
  }

  /** The lease holds again, where the session lives. */
  renewLease(name: string): void {
    this.#sessions.renewLease(name)
  }

  /** A child dies, and starts again with nothing. Until the home has noticed, it cannot connect. */
  crash(name: string): void {
    this.#sessions.crash(name)
  }

  /**
   * The home dies and starts again on its storage. The first `kept` of the waiting commits had reached it. In a new reign, all pages are told under new
   * versions.
   */
  crashHome(kept = 0, reign: 'same-reign' | 'new-reign' = 'same-reign'): void {
    this.#sessions.crashHome(kept, reign)
  }

  /** Between `crashHome` and `endGrace`. */
  get isInGrace(): boolean {
    return this.#sessions.isInGrace
  }

  /** A lease has passed since the home started: who has not come back must have stopped. */
  endGrace(): void {
    this.#sessions.endGrace()
  }

  // ---- quiesce ----------------------------------------------------------------------------------------------------

  /** At all sites, the protocol is about to change. No section may be open or waiting. */
  quiesce(): void {
    const [busy] = this.sites
      .flatMap(({ sections }) => [...sections])
      .filter(({ state }) => state !== 'ending')
    assert(busy === undefined, `no section goes on, but ${busy?.name ?? ''} is ${busy?.state ?? ''}`)
    this.log.push('(all are told to come to rest)')
    for (const site of this.sites) {
      site.isQuiesced = true
      site.step({ kind: 'quiesce' })
    }
  }

  resume(): void {
    this.log.push('(all go on)')
    for (const site of this.sites) {
      site.isQuiesced = false
      site.step({ kind: 'resume' })
    }
  }

  /** Whether all managers say so. */
  isQuiet(): boolean {
    return this.sites.every(({ manager }) => manager.isQuiet())
  }
}

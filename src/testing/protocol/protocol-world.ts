import { defaultAttributes } from '../../address/attributes.js'
import type { RegionAttributes } from '../../address/descriptor.js'
import { nodeId } from '../../address/identity.js'
import type { SiteId } from '../../address/identity.js'
import type { LockMode } from '../../address/lock-mode.js'
import { plainTerms } from '../../address/lock-terms.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type {
  CmEffect,
  ConflictTest,
  MergeFunction,
  MessageCodec,
  ProtocolDefinition,
} from '../../consistency/contract.js'
import { assert, present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { cmBodyBytesMax } from '../../wire/limits.js'
import { ContractViolation, demand } from './contract-violation.js'
import { HomeStorage } from './home-storage.js'
import { changedBy } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'
import { ProtocolSection } from './protocol-section.js'
import { ProtocolSite } from './protocol-site.js'
import type { SiteWorld } from './protocol-site.js'
import { wordsOfAttached, wordsOfEffect, wordsOfRange, wordsOfUnknown } from './protocol-words.js'

/** The session between a child and the home. Each side learns of its loss by itself. */
interface Link<M> {
  readonly child: ProtocolSite<M>
  /** Whether messages pass. */
  isCarrying: boolean
  /** Whether the side still takes the session for alive. */
  childThinksUp: boolean
  homeThinksUp: boolean
  readonly toHome: Letter[]
  readonly toChild: Letter[]
}

interface Letter {
  readonly bytes: Uint8Array
  readonly parcels: readonly Parcel[]
  readonly words: string
}

/** Something that a world wrote down. */
export interface SentMessage {
  readonly from: string
  readonly to: string
  /** Its `kind`, where it has one. */
  readonly kind: string
  /** Encoded, without parcels. */
  readonly bytes: Uint8Array
  readonly parcelBytes: number
}

export interface WorldOptions<M> {
  readonly protocol: ProtocolDefinition<M>
  /** Names of the sites beside the home, which is `H`. Three, `A`, `B` and `C`, unless told. */
  readonly children?: readonly string[]
  /** Of the region; 4 unless told. */
  readonly pages?: number
  /** Bytes; 256 unless told: what the protocol must not mind. */
  readonly pageSize?: number
  readonly attributes?: Partial<RegionAttributes>
  readonly conflicts?: ConflictTest
  readonly merge?: MergeFunction
  /** How far the site's clocks are from the world's: `now`, and the wall clock. 0 unless told. */
  readonly clocks?: (site: string) => { readonly offsetMs: number; readonly wallOffsetMs: number }
  /** A message for a transcript; its kind and fields unless told. `nameOf` gives a site's name. */
  readonly words?: (message: M, nameOf: (site: SiteId) => string) => string
  /** Called when a section can be used, and when it is over. */
  readonly opened?: (section: ProtocolSection) => void
  readonly over?: (section: ProtocolSection) => void
}

/** What a lock is asked for with, beside mode and pages. */
export interface LockSettings {
  /** `offset` and `length` are those of the pages unless told. */
  readonly terms?: Partial<LockTerms>
}

export const homeName = 'H'

/** Without it a manager that rings itself again and again would go unnoticed. */
const alarmsAtOnceMax = 1000
const deliveriesMax = 100_000
/** What rounding may do to a time on the clock of a site: alarms that are nearer have come. */
const clockGrainMs = 1e-6
/** Before it all has happened that the wall clock of 2024 could be asked about. */
const wallStartMs = 1_700_000_000_000

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
  readonly log: string[] = []
  /** All messages, in the order of sending. */
  readonly sent: SentMessage[] = []
  /** All sections, in the order of asking. */
  readonly sections: ProtocolSection[] = []
  /** Milliseconds since the world began. */
  now = 0
  isInGrace = false
  /** Names of children that get nothing of what is sent to them. */
  readonly deaf = new Set<string>()
  readonly #options: WorldOptions<M>
  readonly #codec: MessageCodec<M>
  readonly #links: readonly Link<M>[]
  readonly #byName = new Map<string, ProtocolSite<M>>()
  readonly #letters: (readonly [Link<M>, 'toHome' | 'toChild'])[] = []
  #order = 0

  constructor(options: WorldOptions<M>) {
    const { protocol, merge } = options
    this.protocol = protocol
    this.pageSize = options.pageSize ?? 256
    this.pages = options.pages ?? 4
    this.#options = options
    this.#codec = present(protocol.codec, 'a protocol has a codec')
    this.storage = new HomeStorage({ pageSize: this.pageSize, pages: this.pages, merge })
    const attributes: RegionAttributes = {
      ...defaultAttributes,
      protocol: protocol.name,
      merge: merge === undefined ? '' : 'merge',
      conflicts: options.conflicts === undefined ? '' : 'conflicts',
      ...options.attributes,
    }
    const world = this.#siteWorld()
    const names = [homeName, ...(options.children ?? ['A', 'B', 'C'])]
    this.sites = names.map((name, index) => {
      const clock = options.clocks?.(name) ?? { offsetMs: 0, wallOffsetMs: 0 }
      return new ProtocolSite(
        {
          id: nodeId(index + 1),
          name,
          parent: index === 0 ? undefined : nodeId(1),
          storage: index === 0 ? this.storage : undefined,
          protocol,
          merge,
          options: {
            pageSize: this.pageSize,
            attributes,
            conflicts: options.conflicts,
            merges: merge !== undefined,
          },
          clockOffsetMs: clock.offsetMs,
          wallOffsetMs: clock.wallOffsetMs + wallStartMs,
        },
        world,
      )
    })
    for (const site of this.sites) this.#byName.set(site.name, site)
    this.home = this.site(homeName)
    this.#links = this.sites.slice(1).map((child) => ({
      child,
      isCarrying: false,
      childThinksUp: false,
      homeThinksUp: false,
      toHome: [],
      toChild: [],
    }))
    for (const { child } of this.#links) this.connect(child.name)
  }

  #siteWorld(): SiteWorld<M> {
    const now = (): number => this.now
    return {
      get now(): number {
        return now()
      },
      nextOrder: () => this.nextOrder(),
      send: (from, to, message, parcels, pages) => this.#send(from, to, message, parcels, pages),
      isConnected: (child) => this.#link(child.name).childThinksUp,
      onEffect: (site, effect) => this.#logEffect(site, effect),
      onOpen: (section) => this.#onOpen(section),
      onOutcome: (site, section) => this.#onOutcome(site, section),
    }
  }

  /** The next place in the order of all that happens. */
  nextOrder(): number {
    return this.#order++
  }

  site(name: string): ProtocolSite<M> {
    return present(this.#byName.get(name), `there is a site ${name}`)
  }

  #link(name: string): Link<M> {
    return present(
      this.#links.find(({ child }) => child.name === name),
      `${name} is a child`,
    )
  }

  #nameOf(id: SiteId): string {
    return this.sites.find((site) => site.id === id)?.name ?? `${id}`
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
    const tag = terms.tag === '' ? '' : ` "${terms.tag}"`
    const why = terms.seize ? ', to take the storage away' : ''
    this.log.push(`${name}: lock ${mode} ${wordsOfRange(range)}${tag}${why}`)
    if (site.begin(section)) this.log.push(`${name}: a hit, no message`)
    return section
  }

  /** Ends the section; what it wrote, if anything, becomes the region's. */
  unlock(section: ProtocolSection): void {
    const { site, range } = section.request
    this.log.push(`${site}: unlock ${wordsOfRange(range)}`)
    this.site(site).unlock(section)
  }

  /** Ends the section; what it wrote is dropped, and it has `failed`. */
  discard(section: ProtocolSection): void {
    const { site, range } = section.request
    this.log.push(`${site}: discard ${wordsOfRange(range)}`)
    this.site(site).abandon(section)
  }

  /** Gives up waiting for the lock. */
  cancel(section: ProtocolSection): void {
    const { site, range } = section.request
    this.log.push(`${site}: give up waiting for ${wordsOfRange(range)}`)
    this.site(site).cancel(section)
  }

  /** The home begins to take the storage of the pages away: `free` ends what this returns, once it is open. */
  seize(first: number, count = 1): ProtocolSection {
    return this.lock(homeName, 'write', first, count, { terms: { seize: true } })
  }

  /** The storage of the section's pages is gone, and the section over. */
  free(section: ProtocolSection): void {
    this.log.push(`${homeName}: free ${wordsOfRange(section.range)}`)
    this.home.free(section)
  }

  /** The pages have storage again. They are zeros, unless `fill` says, so that a test can tell these from those before. */
  allocate(first: number, count = 1, fill?: (page: PageIndex) => Uint8Array): void {
    this.storage.allocate({ first: first as PageIndex, count }, fill)
  }

  #onOpen(section: ProtocolSection): void {
    if (section.request.terms.seize) this.#checkSeizure(section)
    this.#options.opened?.(section)
  }

  #checkSeizure(seizure: ProtocolSection): void {
    for (const site of this.sites) {
      for (const section of site.sections) {
        if (section === seizure || section.state !== 'open') continue
        const { first, count } = seizure.range
        const isMeeting =
          section.range.first < first + count && first < section.range.first + section.range.count
        const isBound = site.isValid && site.manager.needsLease(section.mode, section.request.terms)
        demand(
          !isMeeting || !isBound,
          `the home grants ${seizure.name}, to free ${wordsOfRange(seizure.range)}, while ${section.name} is open`,
        )
      }
    }
  }

  #onOutcome(site: ProtocolSite<M>, section: ProtocolSection): void {
    const what = `the ${section.mode} of ${wordsOfRange(section.range)}`
    if (section.state === 'failed')
      this.log.push(`${site.name}: ${what} failed: ${section.failure?.code ?? ''}`)
    if (section.state === 'unknown') this.log.push(`${site.name}: ${what} has an unknown outcome`)
    if (section.state === 'done' && section.mode !== 'read') this.log.push(`${site.name}: ${what} is done`)
    this.#options.over?.(section)
  }

  // ---- messages ---------------------------------------------------------------------------------------------------

  #send(
    from: ProtocolSite<M>,
    to: SiteId,
    message: M,
    parcels: readonly Parcel[],
    pages: readonly PageIndex[],
  ): void {
    const target = this.sites.find((site) => site.id === to)
    demand(target !== undefined, `${from.name} sends to site ${to}, which there is not`)
    demand(target !== from, `${from.name} sends to itself`)
    demand(
      from.isHome || target.isHome,
      `${from.name} sends to ${target.name}, which is neither its parent nor its child`,
    )
    const bytes = this.#codec.encode(message)
    demand(bytes.length <= cmBodyBytesMax, `${from.name} sends a message of ${bytes.length} bytes`)
    const words = this.#wordsOf(message, parcels, pages)
    this.#checkCodec(from, bytes, words)
    const link = this.#link(from.isHome ? target.name : from.name)
    const isUp = link.isCarrying && (from.isHome ? link.homeThinksUp : link.childThinksUp)
    if (!isUp || this.deaf.has(target.name)) return
    this.log.push(`${from.name} -> ${target.name}: ${words}`)
    const parcelBytes = parcels.reduce((sum, parcel) => sum + parcel.bytes.length, 0)
    this.sent.push({
      from: from.name,
      to: target.name,
      kind: kindOf(message),
      bytes: bytes.slice(),
      parcelBytes,
    })
    const direction = from.isHome ? 'toChild' : 'toHome'
    link[direction].push({ bytes: bytes.slice(), parcels, words })
    this.#letters.push([link, direction])
  }

  #wordsOf(message: M, parcels: readonly Parcel[], pages: readonly PageIndex[]): string {
    const words = this.#options.words?.(message, (id) => this.#nameOf(id)) ?? wordsOfUnknown(message)
    return `${words}${wordsOfAttached(parcels, pages)}`
  }

  #checkCodec(from: ProtocolSite<M>, bytes: Uint8Array, words: string): void {
    const again = this.#codec.encode(this.#codec.decode(bytes))
    const isSame = again.length === bytes.length && again.every((byte, at) => byte === bytes[at])
    demand(isSame, `${from.name} sends ${words}: decoded and encoded again it is something else`)
  }

  /** How many messages are on their way. */
  inFlight(from: string, to: string): number {
    return this.#queue(from, to).length
  }

  #queue(from: string, to: string): Letter[] {
    return from === homeName ? this.#link(to).toChild : this.#link(from).toHome
  }

  /** The oldest message between the two arrives. Answers whether there was one. */
  deliver(from: string, to: string): boolean {
    const letter = this.#queue(from, to).shift()
    if (letter === undefined) return false
    const site = this.site(from)
    try {
      const message = this.#codec.decode(letter.bytes)
      this.site(to).step((parcels) => ({ kind: 'message', from: site.id, message, parcels }), letter.parcels)
    } catch (cause) {
      if (!(cause instanceof KhazanaError)) throw cause
      throw new ContractViolation(
        `${to} refuses "${letter.words}", which the manager at ${from} sent: ${cause.message}`,
        {
          cause,
        },
      )
    }
    return true
  }

  /** As `deliver`, and says so in the log: for scripts in which the order of arriving matters. */
  arrive(from: string, to: string): void {
    const letter = present(this.#queue(from, to)[0], `a message of ${from} is on its way to ${to}`)
    this.log.push(`(${letter.words} arrives at ${to})`)
    this.deliver(from, to)
  }

  /** All messages arrive, in the order of sending, and those that follow from them. */
  deliverAll(): void {
    for (let count = 0; count < deliveriesMax; count++) {
      const next = this.#letters.shift()
      if (next === undefined) return
      const [{ child }, direction] = next
      if (direction === 'toHome') this.deliver(child.name, homeName)
      else this.deliver(homeName, child.name)
    }
    throw new ContractViolation('the managers send messages without end')
  }

  /**
   * What a child that follows no protocol may say: any bytes, or any message, with any parcels. A `protocol-error` is what the
   * driver expects: it ends the session. Answers whether there was one. Other errors are thrown.
   */
  inject(from: string, said: Uint8Array | M, parcels: readonly Parcel[] = []): boolean {
    const child = this.site(from)
    try {
      // The driver looks at what came before the manager hears of it.
      for (const parcel of parcels) changedBy(new Uint8Array(this.pageSize), parcel)
      const bytes = said instanceof Uint8Array ? said : this.#codec.encode(said)
      const message = this.#codec.decode(bytes)
      this.home.step((ids) => ({ kind: 'message', from: child.id, message, parcels: ids }), parcels)
      return false
    } catch (cause) {
      if (!(cause instanceof KhazanaError) || cause.code !== 'protocol-error') throw cause
      this.log.push(`(${homeName} refuses what ${from} says: ${cause.message})`)
      return true
    }
  }

  /** How often each kind of message was sent. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { kind } of this.sent) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return counts
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

  /** Time passes; alarms ring when theirs has come. */
  tick(ms: number): void {
    const end = this.now + ms
    let rings = 0
    for (;;) {
      const site = this.#nextAlarm(end)
      if (site === undefined) break
      const at = this.now + (site.alarmAt - site.now)
      rings = at <= this.now ? rings + 1 : 0
      demand(rings <= alarmsAtOnceMax, `${site.name} sets alarms without end, and time does not pass`)
      this.now = Math.max(this.now, at)
      this.log.push(`${site.name}: (its alarm rings)`)
      site.ring()
    }
    this.now = end
  }

  #nextAlarm(until: number): ProtocolSite<M> | undefined {
    let first: ProtocolSite<M> | undefined
    let least = Infinity
    for (const site of this.sites) {
      const inMs = site.alarmAt - site.now
      if (inMs > until - this.now + clockGrainMs || inMs >= least) continue
      first = site
      least = inMs
    }
    return first
  }

  /** When the next alarm rings, in milliseconds of this world; Infinity where none is set. */
  nextAlarmAt(): number {
    return this.now + Math.max(0, Math.min(...this.sites.map((site) => site.alarmAt - site.now)))
  }

  /** All that there is to do happens, but for the passing of time. */
  settle(): void {
    for (let round = 0; round < deliveriesMax; round++) {
      this.deliverAll()
      if (this.storage.waiting > 0) this.endCommit()
      else if (this.home.waitingLoads > 0) this.endLoad()
      else if (this.nextAlarmAt() <= this.now + clockGrainMs) this.tick(0)
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

  isUp(name: string): boolean {
    return this.#link(name).isCarrying
  }

  /** The session is lost, with all that is on its way. Nobody knows yet. */
  cut(name: string): void {
    const link = this.#link(name)
    if (!link.isCarrying) return
    this.log.push(`(${name} and ${homeName} cannot reach each other)`)
    this.#drop(link)
  }

  #drop(link: Link<M>): void {
    link.isCarrying = false
    link.toHome.length = 0
    link.toChild.length = 0
    // Empty queues make their letters void: the list may hold more than there are, in the same order.
    for (let at = this.#letters.length - 1; at >= 0; at--) {
      if (this.#letters[at]?.[0] === link) this.#letters.splice(at, 1)
    }
  }

  /** The child learns that the session is lost. */
  childNotices(name: string): void {
    const link = this.#link(name)
    if (link.isCarrying || !link.childThinksUp) return
    this.log.push(`${name}: (the parent is lost)`)
    link.childThinksUp = false
    this.#lapse(link.child)
    link.child.step({ kind: 'parent-lost' })
  }

  /** The home gives the child up. By then its lease has ended. */
  homeNotices(name: string): void {
    const link = this.#link(name)
    if (link.isCarrying || !link.homeThinksUp) return
    this.log.push(`${homeName}: (${name} is lost)`)
    this.#stop(link)
    link.homeThinksUp = false
    this.home.step({ kind: 'child-lost', child: link.child.id })
  }

  #stop(link: Link<M>): void {
    if (link.childThinksUp) link.child.isStopped = true
    this.#lapse(link.child)
  }

  /** Sections that need a lease cannot be used from here on. */
  #lapse(site: ProtocolSite<M>): void {
    for (const section of site.sections) {
      if (section.state === 'open' && site.manager.needsLease(section.mode, section.request.terms))
        section.closeOrder ??= this.nextOrder()
    }
  }

  /** The child's lease ends, though the session does not: its rights rest. */
  pauseLease(name: string): void {
    this.site(name).isStopped = true
  }

  /** The lease holds again, where the session lives. */
  renewLease(name: string): void {
    const link = this.#link(name)
    if (!link.isCarrying) return
    link.child.isStopped = false
    link.child.wake()
  }

  /** A new session, which begins when both sides know that the old one is lost. Answers whether there is one now. */
  connect(name: string): boolean {
    const link = this.#link(name)
    if (link.isCarrying) return true
    if (link.childThinksUp || link.homeThinksUp) return false
    if (this.log.length > 0) this.log.push(`${name}: (connected to ${homeName})`)
    link.isCarrying = true
    link.childThinksUp = true
    link.homeThinksUp = true
    link.child.isStopped = false
    link.child.step({ kind: 'parent-ready' })
    // Those that were not broken are used again.
    for (const section of link.child.sections) if (section.state === 'open') section.closeOrder = undefined
    link.child.wake()
    return true
  }

  /** The whole course of a loss: both sides learn of it, the child first. */
  lose(name: string): void {
    this.cut(name)
    this.childNotices(name)
    this.homeNotices(name)
  }

  /** A child dies, and starts again with nothing. Until the home has noticed, it cannot connect. */
  crash(name: string): void {
    const link = this.#link(name)
    this.log.push(`(${name} dies)`)
    this.#drop(link)
    link.childThinksUp = false
    link.child.crash('none')
  }

  /** The home dies and starts again on its storage. The first `kept` of the waiting commits had reached it. */
  crashHome(kept = 0): void {
    this.log.push(`(${homeName} dies)`)
    for (let count = 0; count < kept; count++) this.storage.endFirst()
    this.storage.loseQueue()
    for (const link of this.#links) {
      this.#drop(link)
      link.homeThinksUp = false
    }
    this.isInGrace = true
    this.home.crash('until-ended')
  }

  /** A lease has passed since the home started: who has not come back must have stopped. */
  endGrace(): void {
    if (!this.isInGrace) return
    this.log.push(`${homeName}: (rights of before have ended)`)
    for (const link of this.#links) if (!link.isCarrying) this.#stop(link)
    this.isInGrace = false
    this.home.step({ kind: 'grace-ended' })
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

  // ---- the log ----------------------------------------------------------------------------------------------------

  /** Prose, for a transcript. */
  say(text: string): void {
    if (this.log.length > 0) this.log.push('')
    for (const line of text.trim().split('\n')) this.log.push(`# ${line.trim()}`.trimEnd())
  }

  #logEffect(site: ProtocolSite<M>, effect: CmEffect<M>): void {
    const words = wordsOfEffect(effect)
    if (words !== undefined) this.log.push(`${site.name}: ${words}`)
  }
}

/** The conversation so far, as a golden file under `test/transcripts` has it. */
export function transcriptOf(world: { readonly log: readonly string[] }): string {
  return `${world.log.join('\n')}\n`
}

function kindOf(message: unknown): string {
  const isTagged = typeof message === 'object' && message !== null && 'kind' in message
  return isTagged && typeof message.kind === 'string' ? message.kind : 'message'
}

import type { SiteId } from '../../address/identity.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type {
  Attachment,
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
  CommittedPage,
  ConsistencyManager,
  LockId,
  MergeFunction,
  ProtocolDefinition,
} from '../../consistency/contract.js'
import { assert, unreachable } from '../../stdx/assert.js'
import { cmParcelsMax } from '../../wire/limits.js'
import { demand } from './contract-violation.js'
import type { HomeStorage } from './home-storage.js'
import { ParcelTable, changedBy } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'
import type { ProtocolSection, SectionOutcome } from './protocol-section.js'

/** What a site needs of the world that it is part of. */
export interface SiteWorld<M> {
  /** Milliseconds of true time. */
  readonly now: number
  /** The next place in the order of all that happens. */
  nextOrder(): number
  /** `parcels` belong to the receiver. */
  send(
    from: ProtocolSite<M>,
    to: SiteId,
    message: M,
    parcels: readonly Parcel[],
    pages: readonly PageIndex[],
  ): void
  /** Whether the child has a session with the home, as far as it knows. */
  isConnected(child: ProtocolSite<M>): boolean
  /** An effect is about to be performed. */
  onEffect(site: ProtocolSite<M>, effect: CmEffect<M>): void
  /** A section can be used. */
  onOpen(section: ProtocolSection): void
  /** A section is over, in state `done`, `failed` or `unknown`. */
  onOutcome(site: ProtocolSite<M>, section: ProtocolSection): void
}

export interface SiteSettings<M> {
  readonly id: SiteId
  readonly name: string
  /** Undefined at the home. */
  readonly parent: SiteId | undefined
  /** At the home alone. */
  readonly storage: HomeStorage | undefined
  readonly protocol: ProtocolDefinition<M>
  readonly options: Omit<CmOptions, 'grace'>
  readonly merge: MergeFunction | undefined
  /** How far its clocks are from true time, in milliseconds. */
  readonly clockOffsetMs: number
  readonly wallOffsetMs: number
}

type Load =
  | { readonly kind: 'manager'; readonly load: number; readonly range: PageRange }
  | { readonly kind: 'section'; readonly section: ProtocolSection }

interface Task<M> {
  readonly parcels: readonly Parcel[]
  readonly call: (parcels: ReturnType<ParcelTable['admit']>) => readonly CmEffect<M>[]
  readonly after: (() => void) | undefined
}

/** At most so many pages are loaded at once. */
const loadPagesMax = 64

/**
 * Drives one manager as a replica does, in plain synchronous code, and throws a `ContractViolation` where the manager does
 * what the contract forbids.
 */
export class ProtocolSite<M> implements CmSite {
  readonly name: string
  readonly id: SiteId
  readonly parent: SiteId | undefined
  manager: ConsistencyManager<M>
  /** Pages in memory. */
  readonly frames = new Map<PageIndex, Uint8Array>()
  /** Sections that are not over. */
  readonly sections = new Set<ProtocolSection>()
  /** Its lease has run out: rights must not be used, though the manager does not know. */
  isStopped = false
  /** Between `quiesce` and `resume`. */
  isQuiesced = false
  /** When the manager wants to be told, on this site's clock. */
  alarmAt = Infinity
  /** How often it began with nothing. */
  incarnation = 1
  readonly #settings: SiteSettings<M>
  readonly #world: SiteWorld<M>
  #parcels: ParcelTable
  #tasks: Task<M>[] = []
  #isPerforming = false
  #clockFloor = -Infinity
  #lock = 0
  #ticket = 0
  #tickets = new Map<number, ProtocolSection>()
  #locks = new Map<LockId, ProtocolSection>()
  #loads: Load[] = []

  constructor(settings: SiteSettings<M>, world: SiteWorld<M>) {
    this.#settings = settings
    this.#world = world
    this.name = settings.name
    this.id = settings.id
    this.parent = settings.parent
    this.#parcels = new ParcelTable(settings.name)
    this.manager = settings.protocol.create(this, { ...settings.options, grace: 'none' })
  }

  get isHome(): boolean {
    return this.parent === undefined
  }

  // ---- what the manager asks --------------------------------------------------------------------------------------

  get now(): number {
    // An alarm is told when its time has come exactly, whatever rounding says.
    return Math.max(this.#world.now + this.#settings.clockOffsetMs, this.#clockFloor)
  }

  get wallTime(): number {
    return this.#world.now + this.#settings.wallOffsetMs
  }

  versionOf(page: PageIndex): Version {
    return this.#storage('asks for a durable version').versionOf(page)
  }

  isAllocated(range: PageRange): boolean {
    return this.#settings.storage?.isAllocated(range) ?? true
  }

  siblingSession(): undefined {
    return undefined
  }

  get parentSession(): number {
    return -1
  }

  canReach(): boolean {
    return false
  }

  #storage(what: string): HomeStorage {
    const { storage } = this.#settings
    demand(storage !== undefined, `${this.name} ${what}, which is for the home alone`)
    return storage
  }

  // ---- sections ---------------------------------------------------------------------------------------------------

  /** Whether rights that need a lease may be used at this moment. */
  get isValid(): boolean {
    return this.isHome || (!this.isStopped && this.#world.isConnected(this))
  }

  mayUse(mode: LockMode, terms: LockTerms): boolean {
    return this.isValid || !this.manager.needsLease(mode, terms)
  }

  /** Parcels that the manager keeps. */
  get keptParcels(): number {
    return this.#parcels.keptCount
  }

  /** Loads that have not ended. */
  get waitingLoads(): number {
    return this.#loads.length
  }

  /** Asks for the section's lock. Answers whether it was a hit. */
  begin(section: ProtocolSection): boolean {
    assert(!this.isQuiesced, `no locks are asked for at ${this.name} after quiesce`)
    this.sections.add(section)
    const { range, mode } = section
    const { terms } = section.request
    const isInMemory = !terms.seize && [...section.pages()].every((page) => this.frames.has(page))
    if (
      isInMemory &&
      this.mayUse(mode, terms) &&
      this.manager.tryAcquire(range.first, range.count, mode, terms)
    ) {
      this.#open(section)
      return true
    }
    const lock = ++this.#lock as LockId
    section.lock = lock
    this.#locks.set(lock, section)
    this.step({ kind: 'lock', lock, range, mode, terms })
    return false
  }

  /** The caller gives up waiting. */
  cancel(section: ProtocolSection): void {
    if (section.state === 'granted') {
      section.isGivenUp = true
    } else if (section.state === 'waiting' && section.lock !== undefined) {
      const { lock } = section
      this.#end(section, 'failed', { code: 'aborted', message: 'the caller gave up' })
      this.step({ kind: 'cancel', lock })
    }
  }

  /** Ends an open section: what it wrote becomes the region's. */
  unlock(section: ProtocolSection): void {
    if (section.state !== 'open') return
    if (!this.mayUse(section.mode, section.request.terms)) return this.abandon(section)
    const changes = section.changes(this.#settings.protocol.writes ?? 'patches')
    if (changes.size === 0) {
      this.#close(section)
      this.#end(section, 'done')
      return this.#release(section)
    }
    const ticket = ++this.#ticket
    this.#tickets.set(ticket, section)
    this.#close(section)
    section.state = 'ending'
    const { range, mode } = section
    const { terms } = section.request
    this.step(
      (parcels) => ({ kind: 'unlock', range, mode, terms, written: [...changes.keys()], parcels, ticket }),
      [...changes.values()],
    )
  }

  /** Ends an open section; what it wrote is dropped. */
  abandon(section: ProtocolSection): void {
    if (section.state !== 'open') return
    this.#close(section)
    this.#end(section, 'failed', { code: 'context-broken', message: 'the right was lost' })
    this.#release(section)
  }

  /** The home takes the storage of an open section's pages away, and ends the section. */
  free(section: ProtocolSection): void {
    const storage = this.#storage('frees pages')
    assert(section.state === 'open' && section.request.terms.seize, `${section.name} is for freeing`)
    for (const page of section.pages()) {
      storage.free(page)
      this.#setFrame(page, undefined)
    }
    this.step({ kind: 'freed', range: section.range, code: 'not-allocated', message: 'the pages were freed' })
    this.#close(section)
    this.#end(section, 'done')
    this.#release(section)
  }

  /** Sections that were granted while the lease did not hold can begin, where it does again. */
  wake(): void {
    for (const section of [...this.sections]) this.#complete(section)
  }

  /** Answers whether the page's bytes were dropped. */
  evict(page: PageIndex): boolean {
    for (const section of this.sections) {
      const isPinned = section.state === 'open' || section.state === 'granted'
      if (isPinned && section.covers(page)) return false
    }
    let isAllowed = false
    this.#run({
      parcels: [],
      call: () => {
        const answer = this.manager.evict(page)
        isAllowed = answer.kind === 'allowed'
        return answer.effects
      },
      after: () => {
        if (isAllowed) this.#setFrame(page, undefined)
      },
    })
    return isAllowed
  }

  #complete(section: ProtocolSection): void {
    if (section.state !== 'granted') return
    if (section.isGivenUp) {
      this.#end(section, 'failed', {
        code: 'context-broken',
        message: 'the right was lost before it was used',
      })
      return this.#release(section)
    }
    if (!this.mayUse(section.mode, section.request.terms)) return
    if (!section.request.terms.seize) {
      for (const page of section.pages()) {
        if (this.frames.has(page)) continue
        demand(this.isHome, `${this.name} grants ${section.name} without having the bytes of page ${page}`)
        const isLoading = this.#loads.some((load) => load.kind === 'section' && load.section === section)
        if (!isLoading) this.#loads.push({ kind: 'section', section })
        return
      }
    }
    this.#open(section)
  }

  #open(section: ProtocolSection): void {
    const frames = new Map<PageIndex, Uint8Array>()
    if (!section.request.terms.seize) {
      for (const page of section.pages()) {
        const frame = this.frames.get(page)
        demand(frame !== undefined, `${this.name} grants ${section.name} without the bytes of page ${page}`)
        frames.set(page, frame)
      }
    }
    section.open(frames)
    section.openOrder = this.#world.nextOrder()
    this.#world.onOpen(section)
  }

  #close(section: ProtocolSection): void {
    section.closeOrder ??= this.#world.nextOrder()
  }

  #release(section: ProtocolSection): void {
    const { first, count } = section.range
    this.#run({
      parcels: [],
      call: () => this.manager.release(first, count, section.mode, section.request.terms),
      after: undefined,
    })
  }

  #end(section: ProtocolSection, outcome: SectionOutcome, failure?: ProtocolSection['failure']): void {
    if (!this.sections.delete(section)) return
    section.state = outcome
    section.failure = failure
    this.#world.onOutcome(this, section)
  }

  // ---- what happens to it -----------------------------------------------------------------------------------------

  /** Tells the manager, or will, as soon as it has performed what it does. */
  step(
    event: CmEvent<M> | ((parcels: ReturnType<ParcelTable['admit']>) => CmEvent<M>),
    parcels: readonly Parcel[] = [],
  ): void {
    this.#run({
      parcels,
      call: (ids) => this.manager.step(typeof event === 'function' ? event(ids) : event),
      after: undefined,
    })
  }

  /** The process dies, and starts again with nothing but, at the home, its storage. */
  crash(grace: CmOptions['grace']): void {
    for (const section of [...this.sections]) {
      const outcome = section.state === 'ending' ? 'unknown' : 'failed'
      if (section.state === 'open') this.#close(section)
      this.#end(section, outcome, { code: 'closed', message: 'the process died' })
    }
    for (const page of [...this.frames.keys()]) this.#setFrame(page, undefined)
    this.#parcels = new ParcelTable(this.name)
    this.#tickets = new Map()
    this.#locks = new Map()
    this.#loads = []
    this.#tasks = []
    this.alarmAt = Infinity
    this.isStopped = false
    this.isQuiesced = false
    this.incarnation += 1
    this.manager = this.#settings.protocol.create(this, { ...this.#settings.options, grace })
  }

  /** The time of its alarm has come. */
  ring(): void {
    this.#clockFloor = this.alarmAt
    this.alarmAt = Infinity
    this.step({ kind: 'alarm' })
  }

  /** The home's storage ends its oldest commit. */
  endCommit(): void {
    const ended = this.#settings.storage?.endFirst()
    if (ended === undefined) return
    const { commit, hasFailed, stored, changed } = ended
    for (const [page, bytes] of stored) {
      if (changed.has(page) && this.frames.has(page)) this.#setFrame(page, bytes.slice())
    }
    if (hasFailed) this.step({ kind: 'not-durable', commit, code: 'no-space', message: 'the disk is full' })
    else this.step({ kind: 'durable', commit })
  }

  /** The oldest load at the home ends. `failing`: the disk cannot read the pages. */
  endLoad(outcome: 'loaded' | 'failing'): void {
    const load = this.#loads.shift()
    if (load === undefined) return
    const failure = this.#bring(load.kind === 'manager' ? load.range : load.section.range, outcome)
    if (load.kind === 'manager') {
      this.step({ kind: 'loaded', load: load.load, failure })
    } else {
      if (failure !== undefined) load.section.isGivenUp = true
      this.#complete(load.section)
    }
  }

  #bring(
    range: PageRange,
    outcome: 'loaded' | 'failing',
  ): { code: 'damaged' | 'not-allocated'; message: string } | undefined {
    const storage = this.#storage('loads pages')
    if (!storage.isAllocated(range)) return { code: 'not-allocated', message: 'the pages have no storage' }
    if (outcome === 'failing') return { code: 'damaged', message: 'a page cannot be read' }
    for (let page = range.first; page < range.first + range.count; page++) {
      if (!this.frames.has(page)) this.#setFrame(page, storage.bytesOf(page))
    }
    return undefined
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  /** The manager is called, and its effects are performed, before anything else is told to it. */
  #run(task: Task<M>): void {
    this.#tasks.push(task)
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let next = this.#tasks.shift(); next !== undefined; next = this.#tasks.shift()) {
        const ids = this.#parcels.admit(next.parcels)
        for (const effect of next.call(ids)) this.#perform(effect)
        this.#parcels.endEvent()
        next.after?.()
      }
    } finally {
      this.#tasks = []
      this.#parcels.endEvent()
      this.#isPerforming = false
    }
  }

  #perform(effect: CmEffect<M>): void {
    this.#world.onEffect(this, effect)
    switch (effect.kind) {
      case 'send':
        return this.#send(effect.to, effect.message, effect.attach ?? [])
      case 'grant':
        return this.#grant(effect.lock)
      case 'refuse': {
        const section = this.#answered(effect.lock, 'refuses')
        return this.#end(section, 'failed', { code: effect.code, message: effect.message })
      }
      case 'install':
        return demand(
          false,
          `${this.name} installs page ${effect.page}: that is for crew alone, others apply`,
        )
      case 'apply': {
        const parcel = this.#parcels.get(effect.parcel)
        const frame = this.frames.get(effect.page)
        if (parcel.kind === 'page') this.#setFrame(effect.page, parcel.bytes.slice())
        else if (frame !== undefined) this.#setFrame(effect.page, changedBy(frame, parcel))
        return
      }
      case 'merge': {
        const frame = this.frames.get(effect.page)
        demand(frame !== undefined, `${this.name} merges page ${effect.page}, which is not in memory`)
        const parcel = this.#mergeable(effect.parcel, effect.page)
        return this.#setFrame(effect.page, parcel.merge(frame, parcel.bytes, effect.page))
      }
      case 'keep':
        return this.#parcels.keep(effect.parcel)
      case 'forget':
        return this.#parcels.forget(effect.parcel)
      case 'drop':
        return this.#setFrame(effect.page, undefined)
      case 'break':
        return this.#break(effect.page)
      case 'load':
        return this.#load(effect.load, effect.range)
      case 'persist':
        return this.#persist(effect.commit, effect.pages)
      case 'started':
        return
      case 'ended':
        return this.#ended(effect.ticket, effect.failure)
      case 'alarm':
        demand(!Number.isNaN(effect.at), `${this.name} sets an alarm at no time`)
        this.alarmAt = effect.at
        return
      default:
        return unreachable(effect)
    }
  }

  #send(to: SiteId, message: M, attach: readonly Attachment[]): void {
    demand(attach.length <= cmParcelsMax, `${this.name} attaches ${attach.length} parcels to one message`)
    const pages: PageIndex[] = []
    const parcels = attach.map((attachment): Parcel => {
      if (attachment.kind === 'parcel') return this.#parcels.get(attachment.parcel)
      const frame = this.frames.get(attachment.page)
      demand(
        frame !== undefined,
        `${this.name} sends the frame of page ${attachment.page}, which is not in memory`,
      )
      pages.push(attachment.page)
      return { kind: 'page', bytes: frame.slice() }
    })
    this.#world.send(this, to, message, parcels, pages)
  }

  #answered(lock: LockId, how: string): ProtocolSection {
    const section = this.#locks.get(lock)
    demand(
      section !== undefined,
      `${this.name} ${how} lock ${lock}, which nobody asked for, or which died with the site`,
    )
    demand(
      section.state === 'waiting',
      `${this.name} ${how} ${section.name} (lock ${lock}), which is ${stateWords(section)}`,
    )
    return section
  }

  #grant(lock: LockId): void {
    const section = this.#answered(lock, 'grants')
    demand(!this.isQuiesced, `${this.name} grants ${section.name} after quiesce`)
    section.state = 'granted'
    this.#complete(section)
  }

  #break(page: PageIndex): void {
    for (const section of [...this.sections]) {
      if (!section.covers(page)) continue
      if (section.state === 'open') this.abandon(section)
      else if (section.state === 'granted') {
        section.isGivenUp = true
        this.#complete(section)
      }
    }
  }

  #load(load: number, range: PageRange): void {
    this.#storage('loads pages')
    demand(range.count >= 1 && range.count <= loadPagesMax, `${this.name} loads ${range.count} pages at once`)
    const isUnderWay = this.#loads.some((other) => other.kind === 'manager' && other.load === load)
    demand(!isUnderWay, `${this.name} starts load ${load} while one of that number is under way`)
    this.#loads.push({ kind: 'manager', load, range })
  }

  #persist(commit: Parameters<HomeStorage['persist']>[0], pages: readonly CommittedPage[]): void {
    const storage = this.#storage('persists')
    storage.persist(
      commit,
      pages.map(({ page, version, parcels, how }) => {
        if (parcels === undefined) {
          const frame = this.frames.get(page)
          demand(frame !== undefined, `${this.name} persists page ${page} as it is, and it is not in memory`)
          return { page, version, change: { kind: 'frame', bytes: frame.slice() } }
        }
        demand(parcels.length > 0, `${this.name} persists page ${page} with an empty list of parcels`)
        if (how === 'merge') for (const parcel of parcels) this.#mergeable(parcel, page)
        const contents = parcels.map((parcel) => this.#parcels.get(parcel))
        return { page, version, change: { kind: 'parcels', parcels: contents, how: how ?? 'apply' } }
      }),
    )
  }

  #mergeable(
    id: Parameters<ParcelTable['get']>[0],
    page: PageIndex,
  ): { bytes: Uint8Array; merge: MergeFunction } {
    const { merge } = this.#settings
    demand(merge !== undefined, `${this.name} merges page ${page}, and the region has no merge function`)
    const parcel = this.#parcels.get(id)
    demand(parcel.kind === 'page', `${this.name} merges a patch into page ${page}: it takes a whole page`)
    return { bytes: parcel.bytes, merge }
  }

  #ended(ticket: number | undefined, failure: ProtocolSection['failure']): void {
    if (ticket === undefined) return
    const section = this.#tickets.get(ticket)
    demand(
      section !== undefined,
      `${this.name} ends ticket ${ticket}, which it was never given, or which died with the site`,
    )
    demand(
      section.state === 'ending',
      `${this.name} ends the ticket of ${section.name}, which is ${stateWords(section)}, again`,
    )
    const outcome = failure === undefined ? 'done' : failure.code === 'outcome-unknown' ? 'unknown' : 'failed'
    this.#end(section, outcome, failure)
  }

  #setFrame(page: PageIndex, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.frames.delete(page)
    else {
      demand(
        bytes.length === this.#settings.options.pageSize,
        `page ${page} at ${this.name} has ${bytes.length} bytes`,
      )
      this.frames.set(page, bytes)
      if (this.#settings.options.attributes.consistency.isolation === 'live') {
        for (const section of this.sections) if (section.state === 'open') section.refresh(page, bytes)
      }
    }
  }
}

function stateWords({ state, failure }: ProtocolSection): string {
  return failure === undefined ? state : `${state} (${failure.message})`
}

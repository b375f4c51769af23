import type { SiteId } from '../../address/identity.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type {
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
  ConsistencyManager,
  ParcelId,
} from '../../consistency/contract.js'
import { assert, unreachable } from '../../stdx/assert.js'
import { demand } from './contract-violation.js'
import { HomeLoads } from './home-loads.js'
import type { HomeStorage } from './home-storage.js'
import type { Parcel } from './parcel-table.js'
import type { ProtocolSection } from './protocol-section.js'
import { SiteMemory } from './site-memory.js'
import { SiteSections } from './site-sections.js'
import type { SectionSite } from './site-sections.js'
import type { SiteSettings, SiteWorld } from './site-world.js'

interface Task<M> {
  readonly parcels: readonly Parcel[]
  readonly call: (parcels: ParcelId[]) => readonly CmEffect<M>[]
  readonly after: (() => void) | undefined
}

/**
 * Drives one manager as a replica does, in plain synchronous code, and throws a `ContractViolation` where the manager does
 * what the contract forbids.
 */
export class ProtocolSite<M> implements CmSite {
  readonly name: string
  readonly id: SiteId
  readonly parent: SiteId | undefined
  manager: ConsistencyManager<M>
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
  readonly #memory: SiteMemory
  readonly #sections: SiteSections
  readonly #loads: HomeLoads
  #tasks: Task<M>[] = []
  #isPerforming = false
  #clockFloor = -Infinity

  constructor(settings: SiteSettings<M>, world: SiteWorld<M>) {
    this.#settings = settings
    this.#world = world
    this.name = settings.name
    this.id = settings.id
    this.parent = settings.parent
    this.#loads = new HomeLoads(settings.name)
    this.#memory = new SiteMemory({
      name: settings.name,
      pageSize: settings.options.pageSize,
      merge: settings.merge,
      onChange: (page, bytes) => {
        this.#refresh(page, bytes)
      },
    })
    this.#sections = new SiteSections(this.#sectionSite(), world)
    this.manager = settings.protocol.create(this, { ...settings.options, grace: 'none' })
  }

  #sectionSite(): SectionSite {
    const isQuiesced = (): boolean => this.isQuiesced
    return {
      name: this.name,
      isHome: this.isHome,
      get isQuiesced(): boolean {
        return isQuiesced()
      },
      frames: this.frames,
      writes: this.#settings.protocol.writes ?? 'patches',
      mayUse: (mode, terms) => this.mayUse(mode, terms),
      tryAcquire: ({ range, mode, request }) =>
        this.manager.tryAcquire(range.first, range.count, mode, request.terms),
      release: ({ range, mode, request }) => {
        const call = (): readonly CmEffect<M>[] =>
          this.manager.release(range.first, range.count, mode, request.terms)
        this.#run({ parcels: [], call, after: undefined })
      },
      step: (event, parcels) => {
        this.step(event, parcels)
      },
      load: (section) => {
        this.#loads.askFor(section)
      },
    }
  }

  /** Sections see what frames become, in a region where they are to. */
  #refresh(page: PageIndex, bytes: Uint8Array): void {
    if (this.#settings.options.attributes.consistency.isolation !== 'live') return
    for (const section of this.sections) if (section.state === 'open') section.refresh(page, bytes)
  }

  get isHome(): boolean {
    return this.parent === undefined
  }

  /** Pages in memory. */
  get frames(): ReadonlyMap<PageIndex, Uint8Array> {
    return this.#memory.frames
  }

  /** Sections that are not over. */
  get sections(): ReadonlySet<ProtocolSection> {
    return this.#sections.all
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

  isCurrent(page: PageIndex, version: number): boolean {
    return this.#storage('asks what a version names').isCurrent(page, version)
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

  fenceLimit(): number {
    return 0
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
    return this.isHome || (!this.isStopped && this.#world.isConnected(this.name))
  }

  mayUse(mode: LockMode, terms: LockTerms): boolean {
    return this.isValid || !this.manager.needsLease(mode, terms)
  }

  /** Parcels that the manager keeps. */
  get keptParcels(): number {
    return this.#memory.parcels.keptCount
  }

  /** Loads that have not ended. */
  get waitingLoads(): number {
    return this.#loads.waiting
  }

  /** Asks for the section's lock. Answers whether it was a hit. */
  begin(section: ProtocolSection): boolean {
    assert(!this.isQuiesced, `no locks are asked for at ${this.name} after quiesce`)
    return this.#sections.begin(section)
  }

  /** The caller gives up waiting. */
  cancel(section: ProtocolSection): void {
    this.#sections.cancel(section)
  }

  /** Ends an open section: what it wrote becomes the region's. */
  unlock(section: ProtocolSection): void {
    this.#sections.unlock(section)
  }

  /** Ends an open section; what it wrote is dropped. */
  abandon(section: ProtocolSection): void {
    this.#sections.abandon(section)
  }

  /** The home takes the storage of an open section's pages away, and ends the section. */
  free(section: ProtocolSection): void {
    const storage = this.#storage('frees pages')
    assert(section.state === 'open' && section.request.terms.seize, `${section.name} is for freeing`)
    for (const page of section.pages()) {
      storage.free(page)
      this.#memory.set(page, undefined)
    }
    this.step({ kind: 'freed', range: section.range, code: 'not-allocated', message: 'the pages were freed' })
    this.#sections.endUnwritten(section)
  }

  /** Sections that were granted while the lease did not hold can begin, where it does again. */
  wake(): void {
    for (const section of [...this.sections]) this.#sections.complete(section)
  }

  /** Answers whether the page's bytes were dropped. */
  evict(page: PageIndex): boolean {
    if (this.#sections.isPinned(page)) return false
    let isAllowed = false
    this.#run({
      parcels: [],
      call: () => {
        const answer = this.manager.evict(page)
        isAllowed = answer.kind === 'allowed'
        return answer.effects
      },
      after: () => {
        if (isAllowed) this.#memory.set(page, undefined)
      },
    })
    return isAllowed
  }

  // ---- what happens to it -----------------------------------------------------------------------------------------

  /** Tells the manager, or will, as soon as it has performed what it does. */
  step(event: CmEvent<M> | ((parcels: ParcelId[]) => CmEvent<M>), parcels: readonly Parcel[] = []): void {
    this.#run({
      parcels,
      call: (ids) => this.manager.step(typeof event === 'function' ? event(ids) : event),
      after: undefined,
    })
  }

  /** The process dies, and starts again with nothing but, at the home, its storage. */
  crash(grace: CmOptions['grace']): void {
    this.#sections.die()
    this.#memory.clear()
    this.#loads.clear()
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
      if (changed.has(page) && this.frames.has(page)) this.#memory.set(page, bytes.slice())
    }
    if (hasFailed) this.step({ kind: 'not-durable', commit, code: 'no-space', message: 'the disk is full' })
    else this.step({ kind: 'durable', commit })
  }

  /** The oldest load at the home ends. `failing`: the disk cannot read the pages. */
  endLoad(outcome: 'loaded' | 'failing'): void {
    const { storage } = this.#settings
    const ended = storage && this.#loads.end(outcome, storage, this.#memory)
    if (ended === undefined) return
    const { load, failure } = ended
    if (load.kind === 'manager') {
      this.step({ kind: 'loaded', load: load.load, failure })
    } else {
      if (failure !== undefined) load.section.isGivenUp = true
      this.#sections.complete(load.section)
    }
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  /** The manager is called, and its effects are performed, before anything else is told to it. */
  #run(task: Task<M>): void {
    this.#tasks.push(task)
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let next = this.#tasks.shift(); next !== undefined; next = this.#tasks.shift()) {
        const ids = this.#memory.parcels.admit(next.parcels)
        for (const effect of next.call(ids)) this.#perform(effect)
        this.#memory.parcels.endEvent()
        next.after?.()
      }
    } finally {
      this.#tasks = []
      this.#memory.parcels.endEvent()
      this.#isPerforming = false
    }
  }

  #perform(effect: CmEffect<M>): void {
    this.#world.onEffect(this.name, effect)
    switch (effect.kind) {
      case 'send': {
        const { parcels, pages } = this.#memory.attached(effect.attach ?? [])
        return this.#world.send(this.name, effect.to, effect.message, parcels, pages)
      }
      case 'grant':
        return this.#sections.granted(effect.lock)
      case 'refuse':
        return this.#sections.refused(effect.lock, { code: effect.code, message: effect.message })
      case 'install':
        return demand(
          false,
          `${this.name} installs page ${effect.page}: that is for crew alone, others apply`,
        )
      case 'restore':
        return demand(false, `${this.name} restores what it committed: that is for crew alone`)
      case 'apply':
        return this.#memory.apply(effect.page, effect.parcel)
      case 'merge':
        return this.#memory.merge(effect.page, effect.parcel)
      case 'keep':
        return this.#memory.parcels.keep(effect.parcel)
      case 'forget':
        return this.#memory.parcels.forget(effect.parcel)
      case 'drop':
        return this.#memory.set(effect.page, undefined)
      case 'break':
        return this.#sections.broken(effect.page)
      case 'wanted':
        return
      case 'load':
        this.#storage('loads pages')
        return this.#loads.ask(effect.load, effect.range)
      case 'persist':
        return this.#storage('persists').persist(effect.commit, this.#memory.writesOf(effect.pages))
      case 'started':
        return
      case 'ended':
        if (effect.ticket !== undefined) this.#sections.ended(effect.ticket, effect.failure)
        return
      case 'alarm':
        demand(!Number.isNaN(effect.at), `${this.name} sets an alarm at no time`)
        this.alarmAt = effect.at
        return
      default:
        return unreachable(effect)
    }
  }
}

import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex } from '../../address/page.js'
import type { CmEvent, LockId, ParcelId } from '../../consistency/contract.js'
import { demand } from './contract-violation.js'
import type { Parcel } from './parcel-table.js'
import type { ProtocolSection, SectionOutcome } from './protocol-section.js'
import type { SectionWorld } from './site-world.js'

/** What sections need of the site that they are at. */
export interface SectionSite {
  readonly name: string
  readonly isHome: boolean
  /** Between `quiesce` and `resume`. */
  readonly isQuiesced: boolean
  readonly frames: ReadonlyMap<PageIndex, Uint8Array>
  /** What a writer gives: the protocol's word. */
  readonly writes: 'patches' | 'pages'
  /** Whether rights may be used at this moment. */
  mayUse(mode: LockMode, terms: LockTerms): boolean
  /** Asks the manager, for a hit. */
  tryAcquire(section: ProtocolSection): boolean
  /** Tells the manager that a lock without anything written is over. */
  release(section: ProtocolSection): void
  /** Tells the manager. */
  step(event: CmEvent<never> | ((parcels: ParcelId[]) => CmEvent<never>), parcels?: readonly Parcel[]): void
  /** Pages of the section, which is granted, are to come from the disk. */
  load(section: ProtocolSection): void
}

/** The sections at one site: from asking for the lock until it is known what became of them. */
export class SiteSections {
  /** Those that are not over. */
  readonly all = new Set<ProtocolSection>()
  readonly #site: SectionSite
  readonly #world: SectionWorld
  #lock = 0
  #ticket = 0
  #tickets = new Map<number, ProtocolSection>()
  #locks = new Map<LockId, ProtocolSection>()

  constructor(site: SectionSite, world: SectionWorld) {
    this.#site = site
    this.#world = world
  }

  /** Asks for the section's lock. Answers whether it was a hit. */
  begin(section: ProtocolSection): boolean {
    this.all.add(section)
    const { range, mode } = section
    const { terms } = section.request
    const isInMemory = !terms.seize && [...section.pages()].every((page) => this.#site.frames.has(page))
    if (isInMemory && this.#site.mayUse(mode, terms) && this.#site.tryAcquire(section)) {
      this.#open(section)
      return true
    }
    const lock = ++this.#lock as LockId
    section.lock = lock
    this.#locks.set(lock, section)
    this.#site.step({ kind: 'lock', lock, range, mode, terms })
    return false
  }

  /** The caller gives up waiting. */
  cancel(section: ProtocolSection): void {
    if (section.state === 'granted') {
      section.isGivenUp = true
    } else if (section.state === 'waiting' && section.lock !== undefined) {
      const { lock } = section
      this.#end(section, 'failed', { code: 'aborted', message: 'the caller gave up' })
      this.#site.step({ kind: 'cancel', lock })
    }
  }

  /** Ends an open section: what it wrote becomes the region's. */
  unlock(section: ProtocolSection): void {
    if (section.state !== 'open') return
    if (!this.#site.mayUse(section.mode, section.request.terms)) return this.abandon(section)
    const changes = section.changes(this.#site.writes)
    if (changes.size === 0) return this.endUnwritten(section)
    const ticket = ++this.#ticket
    this.#tickets.set(ticket, section)
    this.#close(section)
    section.state = 'ending'
    const { range, mode } = section
    const { terms } = section.request
    this.#site.step(
      (parcels) => ({ kind: 'unlock', range, mode, terms, written: [...changes.keys()], parcels, ticket }),
      [...changes.values()],
    )
  }

  /** Ends an open section that wrote nothing. */
  endUnwritten(section: ProtocolSection): void {
    this.#close(section)
    this.#end(section, 'done')
    this.#site.release(section)
  }

  /** Ends an open section; what it wrote is dropped. */
  abandon(section: ProtocolSection): void {
    if (section.state !== 'open') return
    this.#close(section)
    this.#end(section, 'failed', { code: 'context-broken', message: 'the right was lost' })
    this.#site.release(section)
  }

  /** Whether somebody uses the page's frame. */
  isPinned(page: PageIndex): boolean {
    for (const section of this.all) {
      const isUsing = section.state === 'open' || section.state === 'granted'
      if (isUsing && section.covers(page)) return true
    }
    return false
  }

  /** A section that is granted begins, where all that it needs is there. */
  complete(section: ProtocolSection): void {
    if (section.state !== 'granted') return
    if (section.isGivenUp) {
      this.#end(section, 'failed', {
        code: 'context-broken',
        message: 'the right was lost before it was used',
      })
      return this.#site.release(section)
    }
    const { terms } = section.request
    if (!this.#site.mayUse(section.mode, terms)) return
    if (!terms.seize) {
      for (const page of section.pages()) {
        if (this.#site.frames.has(page)) continue
        const { name, isHome } = this.#site
        demand(isHome, `${name} grants ${section.name} without having the bytes of page ${page}`)
        return this.#site.load(section)
      }
    }
    this.#open(section)
  }

  #open(section: ProtocolSection): void {
    const frames = new Map<PageIndex, Uint8Array>()
    if (!section.request.terms.seize) {
      for (const page of section.pages()) {
        const frame = this.#site.frames.get(page)
        demand(
          frame !== undefined,
          `${this.#site.name} grants ${section.name} without the bytes of page ${page}`,
        )
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

  #end(section: ProtocolSection, outcome: SectionOutcome, failure?: ProtocolSection['failure']): void {
    if (!this.all.delete(section)) return
    section.state = outcome
    section.failure = failure
    this.#world.onOutcome(section)
  }

  /** The process dies. */
  die(): void {
    for (const section of [...this.all]) {
      const outcome = section.state === 'ending' ? 'unknown' : 'failed'
      if (section.state === 'open') this.#close(section)
      this.#end(section, outcome, { code: 'closed', message: 'the process died' })
    }
    this.#tickets = new Map()
    this.#locks = new Map()
  }

  // ---- what the manager says of them ------------------------------------------------------------------------------

  granted(lock: LockId): void {
    const section = this.#answered(lock, 'grants')
    demand(!this.#site.isQuiesced, `${this.#site.name} grants ${section.name} after quiesce`)
    section.state = 'granted'
    this.complete(section)
  }

  refused(lock: LockId, failure: NonNullable<ProtocolSection['failure']>): void {
    this.#end(this.#answered(lock, 'refuses'), 'failed', failure)
  }

  #answered(lock: LockId, how: string): ProtocolSection {
    const { name } = this.#site
    const section = this.#locks.get(lock)
    demand(
      section !== undefined,
      `${name} ${how} lock ${lock}, which nobody asked for, or which died with the site`,
    )
    demand(
      section.state === 'waiting',
      `${name} ${how} ${section.name} (lock ${lock}), which is ${stateWords(section)}`,
    )
    return section
  }

  /** The right to the page is lost. */
  broken(page: PageIndex): void {
    for (const section of [...this.all]) {
      if (!section.covers(page)) continue
      if (section.state === 'open') this.abandon(section)
      else if (section.state === 'granted') {
        section.isGivenUp = true
        this.complete(section)
      }
    }
  }

  /** It is known what became of what a section wrote. */
  ended(ticket: number, failure: ProtocolSection['failure']): void {
    const { name } = this.#site
    const section = this.#tickets.get(ticket)
    demand(
      section !== undefined,
      `${name} ends ticket ${ticket}, which it was never given, or which died with the site`,
    )
    demand(
      section.state === 'ending',
      `${name} ends the ticket of ${section.name}, which is ${stateWords(section)}, again`,
    )
    const outcome = failure === undefined ? 'done' : failure.code === 'outcome-unknown' ? 'unknown' : 'failed'
    this.#end(section, outcome, failure)
  }
}

function stateWords({ state, failure }: ProtocolSection): string {
  return failure === undefined ? state : `${state} (${failure.message})`
}

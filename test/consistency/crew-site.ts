import assert from 'node:assert/strict'
import { isNode } from '../../src/address/identity.js'
import type { SiteId } from '../../src/address/identity.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import { plainTerms } from '../../src/address/lock-terms.js'
import type { PageIndex, PageRange, Version } from '../../src/address/page.js'
import type {
  CmEffect,
  CmEvent,
  CmMessage,
  CmOptions,
  CmSite,
  CommitId,
  CommitInDoubt,
  ConsistencyManager,
  LockId,
  ProtocolDefinition,
} from '../../src/consistency/contract.js'
import { unreachable } from '../../src/stdx/assert.js'
import type { PageStamp } from '../../src/wire/crew-message.js'
import type { CrewDisk, Value } from './crew-disk.js'
import { covers, pagesIn } from './crew-section.js'
import type { Outcome, Section } from './crew-section.js'

/** What a site needs of the network that it is part of. */
export interface SiteSurroundings {
  readonly isBacked: boolean
  send(from: CrewSite, to: SiteId, message: CmMessage, values: readonly Value[]): void
  siblingSession(child: SiteId): number | undefined
  canReach(from: SiteId, sibling: SiteId): boolean
  /** Undefined while the site has no session with its parent. */
  parentSession(site: SiteId): number | undefined
  /** An effect is about to be performed. */
  onEffect(site: CrewSite, effect: CmEffect): void
  /** A section knows what became of it. */
  onOutcome(site: CrewSite, section: Section, outcome: Outcome): void
  /** Whether a granted lock is kept from its section for now, as a driver does that reads the disk or awaits its lease. */
  delaysGrant(site: CrewSite): boolean
}

export interface SiteOptions {
  readonly id: SiteId
  readonly name: string
  readonly parent: SiteId | undefined
  /** At the home. */
  readonly disk: CrewDisk | undefined
  readonly protocol: ProtocolDefinition
}

/** A copy of a page that something keeps which the protocol does not see, as a kernel's cache does. */
export interface HeldCopy {
  value: Value
  /** `ending`: others wait for the end of it. `lost`: the right is gone, and the copy may be old. */
  state: 'held' | 'ending' | 'lost'
}

interface Witness {
  readonly section: Section
  readonly until: number
}

/** Drives one manager as a replica does, with values for frames: DESIGN 5, without promises. */
export class CrewSite implements CmSite {
  readonly id: SiteId
  readonly name: string
  readonly parent: SiteId | undefined
  readonly disk: CrewDisk | undefined
  manager: ConsistencyManager
  readonly frames = new Map<PageIndex, Value>()
  /** Sections that have not ended. */
  readonly sections = new Set<Section>()
  readonly holds = new Map<PageIndex, HeldCopy>()
  /** Its lease has run out: rights must not be used, though the manager does not know. */
  isStopped = false
  /** The protocol does not ask for the time. */
  readonly now = 0
  readonly wallTime = 0
  readonly #protocol: ProtocolDefinition
  readonly #surroundings: SiteSurroundings
  readonly #pending: { readonly effects: readonly CmEffect[]; readonly values: readonly Value[] }[] = []
  #isPerforming = false
  #lock = 0
  #ticket = 0
  #tickets = new Map<number, Section>()
  #witnesses: Witness[] = []
  #openCommits = 0
  #lastStarted = 0
  /** In the order of starting. */
  #unended = new Set<CommitId>()
  /** What was sent of commits that are open. */
  #kept = new Map<CommitId, ReadonlyMap<PageIndex, Value>>()

  constructor(options: SiteOptions, surroundings: SiteSurroundings) {
    this.id = options.id
    this.name = options.name
    this.parent = options.parent
    this.disk = options.disk
    this.#protocol = options.protocol
    this.#surroundings = surroundings
    this.manager = this.#newManager('none')
  }

  #newManager(grace: CmOptions['grace'], doubts: readonly CommitInDoubt[] = []): ConsistencyManager {
    return this.#protocol.create(this, {
      grace,
      pageSize: 4096,
      attributes: defaultAttributes,
      conflicts: undefined,
      merges: false,
      doubts,
      ...(this.disk !== undefined && { fences: this.disk.beginFences() }),
    })
  }

  // ---- what the manager asks --------------------------------------------------------------------------------------

  versionOf(page: PageIndex): Version {
    assert(this.disk !== undefined, 'only the home is asked for durable versions')
    return this.disk.versionOf(page)
  }

  isCurrent(page: PageIndex, version: number): boolean {
    return this.disk?.isCurrent(page, version) ?? false
  }

  storedVersion(page: PageIndex): number | undefined {
    return this.#surroundings.isBacked ? this.disk?.storedVersion(page) : undefined
  }

  skipVersions(to: number): void {
    this.disk?.skipVersions(to)
  }

  get keepsDoubts(): boolean {
    return this.#surroundings.isBacked && isNode(this.id)
  }

  isAllocated(range: PageRange): boolean {
    return this.disk?.isAllocated(range) ?? true
  }

  siblingSession(child: SiteId): number | undefined {
    return this.#surroundings.siblingSession(child)
  }

  get parentSession(): number {
    return this.#surroundings.parentSession(this.id) ?? -1
  }

  fenceLimit(used: number): number {
    return this.disk?.fenceLimit(used) ?? 0
  }

  canReach(sibling: SiteId): boolean {
    return this.#surroundings.canReach(this.id, sibling)
  }

  // ---- holds ------------------------------------------------------------------------------------------------------

  /** Whether there is one now that there was not. */
  hold(page: PageIndex): boolean {
    if (!this.isValid || this.holds.has(page) || !this.frames.has(page)) return false
    const answer = this.manager.hold?.(page) ?? 'refused'
    if (answer === 'refused') return false
    this.holds.set(page, { value: this.#frame(page), state: answer === 'held' ? 'held' : 'ending' })
    return true
  }

  letGo(page: PageIndex): void {
    if (this.holds.delete(page)) this.#perform(this.manager.letGo?.(page) ?? [], [])
  }

  /** What is to end, ends. */
  letGoWanted(): void {
    for (const [page, { state }] of [...this.holds]) if (state !== 'held') this.letGo(page)
  }

  #endHold(page: PageIndex, state: 'ending' | 'lost'): void {
    const held = this.holds.get(page)
    if (held !== undefined && held.state !== 'lost') held.state = state
  }

  // ---- sections ---------------------------------------------------------------------------------------------------

  /** Whether rights may be used at this moment. */
  get isValid(): boolean {
    if (this.parent === undefined) return true
    return !this.isStopped && this.#surroundings.parentSession(this.id) !== undefined
  }

  /** Asks for the section's lock. Answers whether it was a hit. */
  begin(section: Section): boolean {
    this.sections.add(section)
    const { first, count } = section.range
    const pages = pagesIn(section.range)
    const isAtHand = this.isValid && pages.every((page) => this.frames.has(page))
    if (isAtHand && !section.isSeizure && this.manager.tryAcquire(first, count, section.mode, plainTerms)) {
      this.#open(section)
      return true
    }
    section.lock = ++this.#lock as LockId
    this.step({
      kind: 'lock',
      lock: section.lock,
      range: section.range,
      mode: section.mode,
      terms: plainTerms,
    })
    return false
  }

  /** The fence of an open section that may write; undefined where it cannot be had now. */
  readFence(section: Section): number | undefined {
    assert(section.state === 'open' && section.mode === 'write' && this.isValid)
    if (section.fence !== undefined) return section.fence
    const answer = this.manager.fence?.()
    assert(answer !== undefined, 'crew has fences')
    this.#perform(answer.effects, [])
    if (typeof answer.count === 'number') section.fence = answer.count
    return section.fence
  }

  cancel(section: Section): void {
    if (section.state === 'granted') {
      section.isGivenUp = true
    } else if (section.state === 'waiting' && section.lock !== undefined) {
      const { lock } = section
      this.#end(section, 'failed')
      this.step({ kind: 'cancel', lock })
    }
  }

  /** A granted lock reaches its section, where the lease allows. */
  complete(section: Section): void {
    if (section.state !== 'granted') return
    if (section.isGivenUp) {
      this.#end(section, 'failed')
      this.#release(section)
    } else if (this.isValid) {
      this.#open(section)
    }
  }

  /** Ends an open section: what it wrote becomes the region's. */
  end(section: Section): void {
    if (section.state !== 'open') return
    if (!this.isValid) return this.abandon(section)
    if (section.writes.size === 0) {
      const sawUnsettled =
        this.#openCommits > 0 && pagesIn(section.range).some((page) => this.manager.isUnsettled(page))
      if (sawUnsettled) {
        section.state = 'ending'
        this.#witnesses.push({ section, until: this.#lastStarted })
      } else {
        this.#end(section, 'done')
      }
      return this.#release(section)
    }
    const ticket = ++this.#ticket
    section.state = 'ending'
    this.#tickets.set(ticket, section)
    for (const [page, value] of section.writes) {
      this.frames.set(page, value)
      const held = this.holds.get(page)
      if (held !== undefined) held.value = value
    }
    this.step({
      kind: 'unlock',
      range: section.range,
      mode: section.mode,
      terms: plainTerms,
      written: [...section.writes.keys()],
      parcels: [],
      ticket,
    })
  }

  /** Ends an open section, what it wrote is dropped. */
  abandon(section: Section): void {
    if (section.state !== 'open') return
    this.#end(section, 'failed')
    this.#release(section)
  }

  /** The home takes the storage of an open section's pages away. */
  freeUnder(section: Section, zeros: (page: PageIndex) => Value): void {
    assert(this.disk !== undefined && section.state === 'open' && section.isSeizure)
    for (const page of pagesIn(section.range)) {
      this.disk.free(page, zeros(page))
      this.frames.delete(page)
    }
    this.#end(section, 'done')
    this.step({ kind: 'freed', range: section.range, code: 'not-allocated', message: 'freed' })
    this.#release(section)
  }

  evict(page: PageIndex): boolean {
    if (this.#isPinned(page)) return false
    const answer = this.manager.evict(page)
    if (answer.kind === 'allowed') this.frames.delete(page)
    this.#perform(answer.effects, [])
    return answer.kind === 'allowed'
  }

  #isPinned(page: PageIndex): boolean {
    for (const { state, range } of this.sections) {
      if ((state === 'open' || state === 'granted') && covers(range, page)) return true
    }
    return false
  }

  #open(section: Section): void {
    section.state = 'open'
    const seen = new Map<PageIndex, Value>()
    if (!section.isSeizure) for (const page of pagesIn(section.range)) seen.set(page, this.#frame(page))
    section.seen = seen
  }

  #release(section: Section): void {
    const { first, count } = section.range
    this.#perform(this.manager.release(first, count, section.mode, plainTerms), [])
  }

  #end(section: Section, outcome: Outcome): void {
    if (!this.sections.delete(section)) return
    section.state = outcome
    this.#surroundings.onOutcome(this, section, outcome)
  }

  /** The page's bytes; at the home from the disk where they are not in memory. */
  #frame(page: PageIndex): Value {
    const value = this.frames.get(page)
    if (value !== undefined) return value
    assert(this.disk !== undefined, `${this.name} has a right to page ${page} but not its bytes`)
    const durable = this.disk.versionOf(page)
    assert(
      !this.manager.isUnsettled(page) && this.manager.inspect(page).version <= durable,
      `the newest bytes of page ${page} are nowhere at home`,
    )
    const loaded = this.disk.valueOf(page)
    this.frames.set(page, loaded)
    return loaded
  }

  // ---- events and effects -----------------------------------------------------------------------------------------

  step(event: CmEvent, values: readonly Value[] = []): void {
    this.#perform(this.manager.step(event), values)
  }

  /** The process dies, and starts again with nothing but the disk. */
  crash(grace: CmOptions['grace']): void {
    for (const section of [...this.sections]) {
      this.#end(section, section.writes.size > 0 && section.state === 'ending' ? 'unknown' : 'failed')
    }
    this.frames.clear()
    this.holds.clear()
    this.#tickets = new Map()
    this.#witnesses = []
    this.#openCommits = 0
    this.#unended = new Set()
    this.#kept = new Map()
    this.isStopped = false
    this.manager = this.#newManager(grace)
  }

  /** Goes on in another era, with a manager that gets nothing from the one before but what that has left open. */
  switchManager(): void {
    for (const section of [...this.sections]) {
      if (section.state === 'open') this.#end(section, 'failed')
      else if (section.state === 'waiting' || section.state === 'granted') this.#end(section, 'failed')
    }
    this.frames.clear()
    this.holds.clear()
    this.manager = this.#newManager('none', this.manager.commitsInDoubt?.() ?? [])
  }

  /** The oldest group in the disk's queue ends. */
  endCommit(): void {
    const group = this.disk?.endFirst()
    if (group === undefined) return
    const { commit, hasFailed } = group
    if (hasFailed) this.step({ kind: 'not-durable', commit, code: 'no-space', message: 'the disk is full' })
    else this.step({ kind: 'durable', commit })
  }

  #perform(effects: readonly CmEffect[], values: readonly Value[]): void {
    if (effects.length === 0) return
    this.#pending.push({ effects, values })
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let batch = this.#pending.shift(); batch !== undefined; batch = this.#pending.shift()) {
        for (const effect of batch.effects) this.#performOne(effect, batch.values)
      }
    } finally {
      this.#isPerforming = false
    }
  }

  #performOne(effect: CmEffect, values: readonly Value[]): void {
    this.#surroundings.onEffect(this, effect)
    switch (effect.kind) {
      case 'send': {
        const carried = stampsOf(effect.message).filter((stamp) => stamp.hasBytes)
        const bytes = carried.map(({ page }) => this.#frame(page))
        if (effect.message.kind === 'commit') {
          const kept = carried.map(({ page }, index) => [page, bytes[index] ?? null] as const)
          this.#kept.set(effect.message.commit as CommitId, new Map(kept))
        }
        return this.#surroundings.send(this, effect.to, effect.message, bytes)
      }
      case 'grant': {
        const section = this.#waiting(effect.lock)
        assert(section !== undefined, 'a granted lock is waited for')
        section.state = 'granted'
        if (!this.#surroundings.delaysGrant(this)) this.complete(section)
        return
      }
      case 'refuse': {
        const section = this.#waiting(effect.lock)
        if (section !== undefined) this.#end(section, 'failed')
        return
      }
      case 'install': {
        const value = values[effect.payload]
        assert(value !== undefined, 'a page that is installed came with its bytes')
        this.frames.set(effect.page, value)
        return
      }
      case 'restore':
        for (const page of effect.pages) {
          const value = this.#kept.get(effect.commit)?.get(page)
          assert(value !== undefined, 'what may be committed again is kept')
          this.frames.set(page, value)
        }
        return
      case 'drop':
        this.frames.delete(effect.page)
        return
      case 'break':
        return this.#break(effect.page)
      case 'wanted':
        if (effect.mode === 'write') this.#endHold(effect.page, 'ending')
        return
      case 'persist': {
        assert(this.disk !== undefined, 'only the home has a disk')
        const writes = effect.pages.map(({ page, version }) => {
          const value = this.frames.get(page)
          assert(value !== undefined, 'a written page is in memory')
          return { page, version, value }
        })
        return this.disk.persist(effect.commit, writes)
      }
      case 'started':
        this.#lastStarted = effect.commit
        this.#unended.add(effect.commit)
        this.#openCommits += 1
        return
      case 'ended':
        return this.#onEnded(effect.commit, effect.ticket, effect.failure?.code)
      case 'apply':
      case 'merge':
      case 'keep':
      case 'forget':
      case 'load':
      case 'alarm':
        return assert.fail('crew has no use for it')
      default:
        return unreachable(effect)
    }
  }

  #waiting(lock: LockId): Section | undefined {
    for (const section of this.sections) {
      if (section.lock === lock && section.state === 'waiting') return section
    }
    return undefined
  }

  #break(page: PageIndex): void {
    this.#endHold(page, 'lost')
    for (const section of [...this.sections]) {
      if (!covers(section.range, page)) continue
      if (section.state === 'open') this.abandon(section)
      else if (section.state === 'granted') section.isGivenUp = true
    }
  }

  #onEnded(commit: CommitId, ticket: number | undefined, failure: string | undefined): void {
    this.#openCommits -= 1
    assert(this.#openCommits >= 0, 'no more commits end than started')
    const section = ticket === undefined ? undefined : this.#tickets.get(ticket)
    if (ticket !== undefined) this.#tickets.delete(ticket)
    if (section !== undefined) {
      this.#end(
        section,
        failure === undefined ? 'done' : failure === 'outcome-unknown' ? 'unknown' : 'failed',
      )
    }
    this.#unended.delete(commit)
    this.#kept.delete(commit)
    const [oldest = Infinity] = this.#unended
    const over = this.#witnesses.filter(({ until }) =>
      failure === undefined ? until < oldest : until >= commit,
    )
    this.#witnesses = this.#witnesses.filter((witness) => !over.includes(witness))
    for (const witness of over) this.#end(witness.section, failure === undefined ? 'done' : 'failed')
  }
}

/** The pages that a message may carry bytes of. */
export function stampsOf(message: CmMessage): readonly PageStamp[] {
  if (message.kind === 'grant' || message.kind === 'commit') return message.pages
  return message.kind === 'transfer' ? [message.page] : []
}

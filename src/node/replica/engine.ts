import type { RegionDescriptor } from '../../address/descriptor.js'
import type { SiteId } from '../../address/identity.js'
import { plainTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type {
  AnyProtocol,
  CmEffect,
  CmEvent,
  CmMessage,
  CmSite,
  CommitId,
  CommitInDoubt,
  ConsistencyManager,
  KeptPage,
  LockId,
  MergeFunction,
  ParcelId,
} from '../../consistency/contract.js'
import type { Timer } from '../../io/clock.js'
import { assert, present, unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { PlainCmEnvelope } from '../../wire/message.js'
import type { Session } from '../session/session.js'
import { changed, merged } from './change.js'
import type { CommitBook } from './commit-book.js'
import { CrewLink } from './crew-link.js'
import { Durability } from './durability.js'
import type { FrameTable } from './frame-table.js'
import { KeptCommits } from './kept-commits.js'
import type { ManagerLink } from './manager-link.js'
import { Outgoing } from './outgoing.js'
import { ParcelTable } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'
import { Persister } from './persister.js'
import type { ReplicaRole } from './role.js'
import { SectionBook } from './section-book.js'
import type { SiteEnvironment } from './site-environment.js'
import { StarLink } from './star-link.js'

export interface EngineOptions {
  readonly env: SiteEnvironment
  readonly descriptor: RegionDescriptor
  readonly role: ReplicaRole
  readonly protocol: AnyProtocol
  /** See `CmOptions.kept`. */
  readonly kept?: readonly KeptPage[] | undefined
  /** What the engine before this one has left open. */
  readonly carried?: Carried | undefined
  readonly frames: FrameTable
  readonly uplink: () => Session | undefined
  readonly granted: (lock: LockId) => void
  readonly refused: (lock: LockId, error: KhazanaError) => void
  readonly broken: (page: PageIndex) => void
  /** Somebody waits to lock the page in this mode, and lock contexts here are in the way. */
  readonly wanted: (page: PageIndex, mode: 'read' | 'write') => void
  /** After every step: something may have come to rest. */
  readonly stepped: () => void
}

/** Commits that nobody has answered, and who waits for them. */
export interface Carried {
  readonly doubts: readonly CommitInDoubt[]
  readonly commits: Durability
  readonly kept: KeptCommits
}

/** Effects that wait while others are performed: performing never nests. */
interface Batch {
  readonly effects: readonly CmEffect<unknown>[]
  /** Of the message that was handled, in `crew`. */
  readonly payloads: readonly Uint8Array[]
  readonly after: () => void
}

const nothing = (): void => undefined
const laterWins: MergeFunction = (_mine, theirs) => theirs
const noParcels: readonly ParcelId[] = []
const noPayloads: readonly Uint8Array[] = []
const noAttachments = [] as const

/**
 * One consistency manager at work: it is fed events, and its effects are performed, in order. The engine knows nothing of
 * the protocol's rules, and dies with its protocol, or with its place in the region's tree: another one, another engine. But a site
 * of a star that stays a copy keeps it where the home has moved: to its manager, it is as if the home had been started again.
 */
export class Engine {
  readonly manager: ConsistencyManager<unknown>
  readonly commits: CommitBook
  /** Undefined in `crew`, whose sections hand in whole frames. */
  readonly writes: 'patches' | 'pages' | undefined
  readonly #options: EngineOptions
  readonly #link: ManagerLink
  readonly #crewLink: CrewLink | undefined
  readonly #starLink: StarLink | undefined
  readonly #parcels = new ParcelTable()
  /** Of a node that is not the home, in `crew`. */
  readonly #kept: KeptCommits
  readonly #keepsCommits: boolean
  readonly #persister: Persister | undefined
  readonly #merges: MergeFunction
  readonly #pending: Batch[] = []
  #performing: Batch | undefined
  /** Of a copy in a star: whom its manager takes for the home is who was that when the engine was made. */
  #parent: SiteId | undefined
  #isClosed = false
  #alarm: Timer | undefined

  constructor(options: EngineOptions) {
    const { env, descriptor, role, protocol, frames } = options
    const { attributes, pageSize, address: region, generation, era } = descriptor
    this.#options = options
    this.#parent = role.kind === 'copy' ? role.parent : undefined
    const isCrew = protocol.codec === undefined
    this.writes = isCrew ? undefined : (protocol.writes ?? 'patches')
    const { carried } = options
    this.commits = carried?.commits ?? (isCrew ? new Durability() : new SectionBook())
    this.#kept = carried?.kept ?? new KeptCommits()
    // Others give numbers again once they are started again.
    const isBacked = attributes.minReplicas > 1
    this.#keepsCommits = isCrew && isBacked && role.kind === 'copy' && env.isNode
    const where = { region, generation, pageSize, frames, session: env.session }
    if (protocol.codec === undefined) {
      const outgoing = new Outgoing({
        ...where,
        era,
        unreadable: (to, message, page, error) => {
          this.#onUnreadable(to, message, page, error)
        },
      })
      this.#crewLink = new CrewLink(outgoing)
      this.#link = this.#crewLink
    } else {
      const star = { ...where, codec: protocol.codec, parcels: this.#parcels, post: env.post }
      this.#starLink = new StarLink(star, era)
      this.#link = this.#starLink
    }
    if (role.kind === 'home') {
      this.#persister = new Persister({
        backing: role.backing,
        frames,
        parcels: this.#parcels,
        buffers: isCrew ? 'used-again' : 'left-alone',
        merge: (mine, theirs, page) => this.#merged(mine, theirs, page),
        done: (commit, failure) => {
          this.#onPersisted(commit, failure)
        },
      })
    }
    this.#merges = env.plugins.mergeFunctionOf(attributes) ?? laterWins
    this.manager = protocol.create(this.#site(), {
      grace: role.kind === 'home' && role.inGrace() ? 'until-ended' : 'none',
      pageSize,
      ...(isCrew && role.kind === 'home' && { fences: role.backing.beginFences(era) }),
      attributes,
      conflicts: env.plugins.conflictTestOf(attributes),
      merges: attributes.merge !== '',
      ...(options.kept !== undefined && { kept: options.kept }),
      ...(carried !== undefined && { doubts: carried.doubts }),
    }) as ConsistencyManager<unknown>
  }

  #site(): CmSite {
    const { env, role, uplink } = this.#options
    const keepsCommits = this.#keepsCommits
    const backing = role.kind === 'home' ? role.backing : undefined
    return {
      parent: role.kind === 'copy' ? role.parent : undefined,
      get now(): number {
        return env.clock.now()
      },
      get wallTime(): number {
        return env.clock.wallTime()
      },
      versionOf: (page) => backing?.versionOf(page) ?? (0 as Version),
      isCurrent: (page, version) => backing?.isCurrent(page, version) ?? false,
      storedVersion: (page) => backing?.numberOf(page),
      skipVersions: (above) => {
        backing?.skipVersions(above)
      },
      get keepsDoubts(): boolean {
        return keepsCommits || backing?.hasOwnNumbers === true
      },
      isInDoubt: (page) => backing?.isInDoubt(page) ?? false,
      isAllocated: (range) => backing?.isAllocated(range) ?? true,
      siblingSession: (child) => env.session(child)?.id,
      get parentSession(): number {
        return uplink()?.id ?? -1
      },
      fenceLimit: (used) => backing?.fenceLimit(used) ?? 0,
      canReach: (sibling) => env.canReach(sibling),
    }
  }

  /** Whether effects are being performed: nothing has come to rest before that has ended. */
  get isPerforming(): boolean {
    return this.#performing !== undefined
  }

  /** After a `quiesce`: whether nothing is under way here that must be over before the region changes, or moves. */
  get isQuiet(): boolean {
    const { role } = this.#options
    return this.manager.isQuiet() && (role.kind === 'copy' || !role.backing.isUnderTransaction)
  }

  /** Tells the manager, and performs what it answers. */
  step(event: CmEvent<unknown>): void {
    if (this.#isClosed) return
    const effects = this.manager.step(event)
    if (effects.length > 0) this.#perform({ effects, payloads: noPayloads, after: nothing })
    // Also where there is nothing to do: the manager may have come to rest by it.
    else if (!this.isPerforming) this.#options.stepped()
  }

  /** The event of a section's end: its written pages, with what was written in them. */
  unlock(
    event: Omit<Extract<CmEvent, { kind: 'unlock' }>, 'kind' | 'parcels'>,
    written: readonly Parcel[],
  ): void {
    const { range, mode, terms, written: pages, ticket, together } = event
    // Without a spread, and a closure where there is nothing to sweep: a write hit comes by here.
    if (written.length === 0) {
      const unlock = {
        kind: 'unlock',
        range,
        mode,
        terms,
        written: pages,
        ticket,
        parcels: noParcels,
        together,
      } as const
      this.#perform({ effects: this.manager.step(unlock), payloads: noPayloads, after: nothing })
      return
    }
    const parcels = written.map((parcel) => this.#parcels.add(parcel))
    this.#stepWith(parcels, { kind: 'unlock', range, mode, terms, written: pages, ticket, parcels })
  }

  perform(effects: readonly CmEffect<unknown>[]): void {
    if (effects.length > 0) this.#perform({ effects, payloads: noPayloads, after: nothing })
  }

  /** A message of `crew`. `payloads` belong to this replica. */
  onMessage(from: SiteId, message: CmMessage, payloads: readonly Uint8Array[]): void {
    const whole = this.#crewLink?.assemble(from, message, payloads)
    if (whole === undefined || this.#isClosed) return
    const effects = this.manager.step({ kind: 'message', from, message: whole.message, parcels: [] })
    this.#perform({ effects, payloads: whole.payloads, after: nothing })
  }

  /** A message of any other protocol. Throws `protocol-error`. */
  onPlainMessage(from: SiteId, envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): void {
    const link = this.#starLink
    if (link === undefined || this.#isClosed) return
    const message = link.decode(envelope)
    const { role } = this.#options
    const author = role.kind === 'copy' && from === this.#parent ? role.parent : from
    const parcels = link.unpack(envelope, payloads).map((parcel) => this.#parcels.add(parcel))
    this.#stepWith(parcels, { kind: 'message', from: author, message, parcels })
  }

  /** The way to the home begins anew for the manager; `link` counts how often, in one session. */
  parentReady(link: number): void {
    if (this.#starLink !== undefined) this.#starLink.link = link
    this.step({ kind: 'parent-ready' })
  }

  /**
   * Ends it, as `close`, but for the commits that nobody has answered: another engine in its place finds out what became of them. Undefined where
   * that cannot go on with any.
   */
  closeForNext(error: KhazanaError): Carried | undefined {
    const { commits, manager } = this
    const isWhole = commits instanceof Durability && commits.openCommits > 0 && commits.openTogether === 0
    const doubts = isWhole ? manager.commitsInDoubt?.() : undefined
    if (!isWhole || doubts?.length !== commits.openCommits) {
      this.close(error)
      return undefined
    }
    this.#end()
    return { doubts, commits, kept: this.#kept }
  }

  /** Of a copy in a star: the home is another, in another era. It has been told of the loss of the one before. */
  rehome(era: number, parent: SiteId): void {
    if (this.#starLink !== undefined) this.#starLink.era = era
    this.#parent = parent
  }

  forget(peer: SiteId): void {
    this.#link.forget(peer)
  }

  close(error: KhazanaError): void {
    this.#end()
    this.commits.close(error)
  }

  #end(): void {
    this.#isClosed = true
    this.#alarm?.cancel()
    this.#parcels.clear()
  }

  #stepWith(parcels: readonly ParcelId[], event: CmEvent<unknown>): void {
    const after = (): void => {
      this.#parcels.sweep(parcels)
    }
    let effects: readonly CmEffect<unknown>[]
    try {
      effects = this.manager.step(event)
    } catch (reason) {
      // What makes no sense to the manager is not kept for it.
      after()
      throw reason
    }
    this.#perform({ effects, payloads: noPayloads, after })
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  #perform(batch: Batch): void {
    this.#pending.push(batch)
    if (this.isPerforming) return
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        this.#performing = next
        this.#performAll(next)
      }
    } finally {
      this.#performing = undefined
      // Where an effect was impossible, what was to follow it is not done, but what is held for it is given back.
      for (const { after } of this.#pending.splice(0)) after()
    }
    if (!this.#isClosed) this.#options.stepped()
  }

  #performAll({ effects, payloads, after }: Batch): void {
    try {
      for (const effect of effects) {
        // The protocol may be changed by what an effect brought about.
        if (this.#isOver()) return
        this.#performOne(effect, payloads)
      }
    } finally {
      after()
    }
  }

  #isOver(): boolean {
    return this.#isClosed
  }

  #performOne(effect: CmEffect<unknown>, payloads: readonly Uint8Array[]): void {
    const { frames } = this.#options
    switch (effect.kind) {
      case 'send':
        if (this.#keepsCommits) this.#keepCommit(effect.message as CmMessage)
        return this.#link.send(this.#siteOf(effect.to), effect.message, effect.attach ?? noAttachments)
      case 'grant':
        return this.#options.granted(effect.lock)
      case 'refuse':
        return this.#options.refused(effect.lock, new KhazanaError(effect.code, effect.message))
      case 'install': {
        const bytes = present(payloads[effect.payload], 'a page that is installed came with its bytes')
        assert(bytes.length === this.#options.descriptor.pageSize, 'a page has the size of a page')
        frames.set(effect.page, bytes)
        return
      }
      case 'restore':
        return this.#kept.restore(effect.commit, effect.pages, frames)
      case 'apply':
        return this.#apply(effect.page, effect.parcel)
      case 'merge':
        return this.#merge(effect.page, effect.parcel)
      case 'keep':
        return this.#parcels.keep(effect.parcel)
      case 'forget':
        return this.#parcels.forget(effect.parcel)
      case 'drop':
        return frames.drop(effect.page)
      case 'break':
        return this.#options.broken(effect.page)
      case 'wanted':
        return this.#options.wanted(effect.page, effect.mode)
      case 'load':
        return void this.#load(effect.load, effect.range)
      case 'persist':
        return present(this.#persister, 'only the home has a log').persist(
          effect.commit,
          effect.pages,
          effect.together,
        )
      case 'started':
        return this.commits.started(effect.commit, effect.isTogether === true ? 'together' : 'alone')
      case 'ended':
        this.#kept.forget(effect.commit)
        return this.commits.ended(effect.commit, effect.ticket, effect.failure)
      case 'alarm':
        return this.#setAlarm(effect.at)
      default:
        return unreachable(effect)
    }
  }

  #keepCommit(message: CmMessage): void {
    if (message.kind !== 'commit' || message.together !== undefined) return
    const pages = message.pages.map(({ page }) => page)
    this.#kept.keep(message.commit as CommitId, pages, this.#options.frames)
  }

  #siteOf(to: SiteId): SiteId {
    const { role } = this.#options
    return role.kind === 'copy' && to === role.parent ? (this.#parent ?? to) : to
  }

  #apply(page: PageIndex, id: ParcelId): void {
    const { frames } = this.#options
    const parcel = this.#parcels.get(id)
    const frame = frames.get(page)
    if (parcel.kind === 'page') frames.setShared(page, parcel.bytes)
    else if (frame !== undefined) frames.setShared(page, changed(frame.bytes, parcel))
    this.#persister?.frameChanged(page)
  }

  #merge(page: PageIndex, id: ParcelId): void {
    const { frames } = this.#options
    const frame = present(frames.get(page), 'a page that is merged is in memory')
    frames.setShared(page, this.#merged(frame.bytes, this.#parcels.get(id), page))
    this.#persister?.frameChanged(page)
  }

  /** An application's function that fails must not keep its pages from ever becoming the same. */
  #merged(mine: Uint8Array, theirs: Parcel, page: PageIndex): Uint8Array {
    try {
      return merged(this.#merges, mine, theirs, page)
    } catch (reason) {
      this.#options.env.logger.log('error', 'a page could not be merged: the later write stands', {
        page,
        reason: KhazanaError.from(reason).message,
      })
      return changed(mine, theirs)
    }
  }

  /** Never rejects. */
  async #load(load: number, range: PageRange): Promise<void> {
    const { frames } = this.#options
    const { pinned, failure } = await frames.loadAll(range)
    const after = (): void => {
      for (const frame of pinned) frame.pins -= 1
    }
    if (this.#isClosed) after()
    else {
      const event = { kind: 'loaded', load, failure } as const
      this.#perform({ effects: this.manager.step(event), payloads: noPayloads, after })
    }
  }

  /** Whether an effect that is still to be performed takes the page's frame: it must not go before. */
  needs(page: PageIndex): boolean {
    if (this.#starLink === undefined || this.#performing === undefined) return false
    for (const { effects } of [this.#performing, ...this.#pending]) {
      for (const effect of effects) if (takesFrame(effect, page)) return true
    }
    return false
  }

  #onPersisted(commit: CommitId, failure: KhazanaError | undefined): void {
    if (failure === undefined) this.step({ kind: 'durable', commit })
    else this.step({ kind: 'not-durable', commit, code: failure.code, message: failure.message })
  }

  #setAlarm(at: number): void {
    const { clock } = this.#options.env
    this.#alarm?.cancel()
    this.#alarm = undefined
    if (at === Infinity) return
    this.#alarm = clock.after(Math.max(0, at - clock.now()), () => {
      this.#alarm = undefined
      this.step({ kind: 'alarm' })
    })
  }

  /** A page that a child was granted cannot be read: it gets the reason instead, and no right. */
  #onUnreadable(to: SiteId, message: CmMessage, page: PageIndex, error: KhazanaError): void {
    const { logger } = this.#options.env
    logger.log('error', 'a page cannot be served', { page, to, code: error.code, reason: error.message })
    if (message.kind !== 'grant') return
    // The child had no right to a page whose bytes it needs, and does not hear of the one it was to get.
    const range: PageRange = { first: page, count: 1 }
    const taken: CmMessage = { kind: 'yield', range, keep: 'none', handed: false, used: 0 }
    this.step({ kind: 'message', from: to, message: taken, parcels: [] })
    const { serial } = message
    this.#link.send(to, { kind: 'refuse', serial, range, code: error.code, message: error.message }, [])
  }

  /** The next number of this era for a lock with an exclusive right. Throws `unsupported`, `busy`. */
  fence(): number {
    const answer = this.manager.fence?.()
    if (answer === undefined) {
      throw new KhazanaError(
        'unsupported',
        "locks of this region exclude nobody, and have no fence: use the preset 'strict' without a conflict test",
      )
    }
    this.perform(answer.effects)
    const { count } = answer
    if (count === 'used-up') {
      throw new KhazanaError(
        'unsupported',
        'the fences of this era of the region are used up: move the region, which begins another one',
      )
    }
    if (count !== 'not-yet') return count
    throw new KhazanaError(
      'busy',
      'the next fences are on their way from the home: read it again a little later',
    )
  }

  /** Ends a hold on the page. */
  letGo(page: PageIndex): void {
    if (!this.#isClosed) this.perform(this.manager.letGo?.(page) ?? [])
  }

  /** Ends a lock under which nothing was written. */
  release(pages: PageRange, mode: Parameters<ConsistencyManager['release']>[2], terms = plainTerms): void {
    if (!this.#isClosed) this.perform(this.manager.release(pages.first, pages.count, mode, terms))
  }
}

function takesFrame(effect: CmEffect<unknown>, page: PageIndex): boolean {
  if (effect.kind === 'merge') return effect.page === page
  if (effect.kind === 'persist') {
    return effect.pages.some((each) => each.page === page && each.parcels === undefined)
  }
  if (effect.kind !== 'send' || effect.attach === undefined) return false
  return effect.attach.some((each) => each.kind === 'frame' && each.page === page)
}

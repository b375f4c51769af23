import type { LockMode } from '../../address/lock-mode.js'
import { formatAddress } from '../../address/address.js'
import { fenceOf } from '../../address/fence.js'
import { plainTerms } from '../../address/lock-terms.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { checkRange, pagesOf } from '../../address/range.js'
import type { ByteRange } from '../../address/range.js'
import type { AnyProtocol, CmMessage, KeptPage, PageView } from '../../consistency/contract.js'
import { clockDriftMax } from '../../stdx/clock-drift.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { PlainCmEnvelope } from '../../wire/message.js'
import { makePatch } from '../../wire/patch.js'
import type { TransactionTag } from '../../wire/transaction-message.js'
import { Deadline, within, withResolvers } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { RegionFrame } from '../page-memory.js'
import type { Session } from '../session/session.js'
import { CopyUse } from './copy-use.js'
import { Engine } from './engine.js'
import type { Carried } from './engine.js'
import { FrameTable } from './frame-table.js'
import type { HomeBacking } from './home-backing.js'
import { HomeRetry } from './home-retry.js'
import { LockContext } from './lock-context.js'
import type { ContextOwner, KeptBytes, LockedPages } from './lock-context.js'
import { LockDesk } from './lock-desk.js'
import type { PinnedPages } from './lock-desk.js'
import type { Parcel } from './parcel-table.js'
import { Rest } from './rest.js'
import { RightHold } from './right-hold.js'
import type { HoldEnd } from './right-hold.js'
import type { Suspension } from './rest.js'
import type { ReplicaRole } from './role.js'
import type { SiteEnvironment } from './site-environment.js'

/** What can be locked at a site without a message, and without waiting; `write` is `read`, too. */
export type AtHand = 'none' | 'read' | 'write'

/**
 * One region at one site (DESIGN 5). It owns the page frames, the lock contexts and the waiting locks, and has an engine that
 * runs the region's consistency manager. It knows nothing of the protocol's rules, and outlives the protocol: when that is changed,
 * it gets another engine.
 */
export class Replica implements ContextOwner {
  readonly pageSize: number
  readonly #env: SiteEnvironment
  readonly #frames: FrameTable
  readonly #contexts = new Set<LockContext>()
  readonly #holds = new Set<RightHold>()
  readonly #desk: LockDesk
  #descriptor: RegionDescriptor
  #role: ReplicaRole
  #engine: Engine
  #uplink: Session | undefined
  #closed: KhazanaError | undefined
  readonly #retry: HomeRetry
  readonly #rest: Rest
  readonly #use: CopyUse
  #locksTaken = 0
  #lastUse: { readonly locksTaken: number; readonly at: number } | undefined

  constructor(env: SiteEnvironment, descriptor: RegionDescriptor, role: ReplicaRole, protocol: AnyProtocol) {
    this.#env = env
    this.#descriptor = descriptor
    this.pageSize = descriptor.pageSize
    this.#role = role
    this.#frames = new FrameTable(
      {
        pageSize: descriptor.pageSize,
        memory: env.frames,
        key: descriptor.generation * 0x1_0000_0000,
        give: (buffer) => {
          env.buffers.give(buffer)
        },
        isUnsettled: (page) => this.#engine.manager.isUnsettled(page),
        mayEvict: (page) => this.#mayEvict(page),
      },
      backingOf(role),
    )
    this.#engine = this.#makeEngine(protocol)
    this.#desk = this.#makeDesk()
    this.#retry = new HomeRetry(env.clock, (session, link) => {
      this.parentReady(session, link)
    })
    this.#rest = new Rest({
      clock: env.clock,
      desk: () => this.#desk,
      engine: () => this.#engine,
      closed: () => this.#closed,
      hasOpenLocks: () => this.#contexts.size > 0,
      askAgain: () => {
        this.#retry.askNow()
        this.#reachParent()
      },
    })
    this.#use = new CopyUse({
      descriptor: () => this.#descriptor,
      frames: this.#frames,
      desk: () => this.#desk,
      engine: () => this.#engine,
      hasOpenLocks: () => this.#contexts.size > 0,
      isToRest: () => this.#rest.isWanted,
      mayEvict: (page) => this.#mayEvict(page),
    })
  }

  #makeEngine(protocol: AnyProtocol, kept?: readonly KeptPage[], carried?: Carried): Engine {
    return new Engine({
      env: this.#env,
      descriptor: this.#descriptor,
      role: this.role,
      protocol,
      kept,
      carried,
      frames: this.#frames,
      uplink: () => this.#uplink,
      granted: (lock) => {
        this.#desk.granted(lock)
      },
      refused: (lock, error) => {
        this.#desk.refused(lock, error)
      },
      broken: (page) => {
        this.#break(page)
      },
      wanted: (page, mode) => {
        if (mode === 'write') for (const hold of this.#holds) if (hold.has(page)) hold.tell('wanted')
        for (const context of this.#contexts)
          if (page >= context.first && page < context.first + context.count) context.want(mode)
        this.#desk.want(page, mode)
      },
      stepped: () => {
        this.#rest.stepped()
      },
    })
  }

  #makeDesk(): LockDesk {
    return new LockDesk({
      clock: this.#env.clock,
      lockMemory: this.#env.lockMemory,
      pageSize: this.pageSize,
      frames: this.#frames,
      step: (event) => {
        this.#engine.step(event)
      },
      release: (pages, mode, terms) => {
        this.#engine.release(pages, mode, terms)
        this.#rest.stepped()
      },
      whenUsable: async (mode, terms) => {
        if (!this.isValid(mode, terms)) await this.#uplink?.whenValid()
      },
      whenCaughtUp: (mode) => this.#whenCaughtUp(mode),
      makeContext: (mode, range, terms, first, { frames, seen }) => {
        const kept = this.#keptBytes(frames, terms, seen)
        return this.#newContext(mode, range, terms, { first, frames, kept })
      },
    })
  }

  /** As last heard of. */
  get descriptor(): RegionDescriptor {
    return this.#descriptor
  }

  /** Where this site stands in the region's tree: its home may move. */
  get role(): ReplicaRole {
    return this.#role
  }

  /**
   * Whether it has rights in any page: they are taken back before the region ends. Who has none is not told of its end, until it
   * asks for some.
   */
  get hasRights(): boolean {
    const { manager } = this.#engine
    for (const page of manager.pages()) if (manager.inspect(page).right !== 'none') return this.isValid()
    return false
  }

  // ---- locks ----------------------------------------------------------------------------------------------------

  /**
   * The lock if this site holds all it needs at this moment, without any waiting; else undefined. `terms` where the caller
   * asks for more than pages and a mode.
   */
  tryLock(mode: LockMode, range: ByteRange, terms?: LockTerms): LockContext | undefined {
    if (this.#closed !== undefined) throw this.#closed
    checkRange(range, this.descriptor.size)
    return this.#tryLock(mode, range, pagesOf(range, this.pageSize), this.#termsOf(range, terms))
  }

  /** `crew` needs no terms; any other protocol tells locks apart by them. */
  #termsOf({ offset, length }: ByteRange, terms: LockTerms | undefined): LockTerms {
    if (terms !== undefined || this.#engine.writes === undefined) return terms ?? plainTerms
    return { ...plainTerms, offset, length }
  }

  #tryLock(mode: LockMode, range: ByteRange, pages: PageRange, terms: LockTerms): LockContext | undefined {
    if (!this.isValid(mode, terms) || this.#desk.isParked) return undefined
    if (mode !== 'read' && this.#isBacklogged) return undefined
    const { first, count } = pages
    const frames: RegionFrame[] = []
    for (let page = first; page < first + count; page++) {
      const frame = this.#frames.get(page)
      if (frame === undefined) return undefined
      frames.push(frame)
    }
    if (!this.#env.lockMemory.take(count * this.pageSize)) return undefined
    if (!this.#engine.manager.tryAcquire(first, count, mode, terms)) {
      this.#env.lockMemory.give(count * this.pageSize)
      return undefined
    }
    for (const frame of frames) {
      frame.pins += 1
      frame.uses += 1
    }
    return this.#newContext(mode, range, terms, {
      first,
      frames,
      kept: this.#keptBytes(frames, terms, undefined),
    })
  }

  /** The right to read these pages, kept without a lock, where it is here at this moment; else undefined. Throws where the replica is closed, `out-of-range`. */
  tryHold(range: ByteRange, ended: (why: HoldEnd) => void): RightHold | undefined {
    if (this.#closed !== undefined) throw this.#closed
    checkRange(range, this.descriptor.size)
    if (!this.isValid('read') || this.#desk.isParked) return undefined
    const { first, count } = pagesOf(range, this.pageSize)
    const { manager } = this.#engine
    let isWanted = false
    for (let page = first; page < first + count; page++) {
      const answer = manager.hold?.(page) ?? 'refused'
      if (answer === 'wanted') isWanted = true
      if (answer !== 'refused') continue
      for (let taken = first; taken < page; taken++) this.#engine.letGo(taken)
      return undefined
    }
    const hold = new RightHold({ first, count }, ended, () => {
      this.#holds.delete(hold)
      if (this.#closed !== undefined || manager !== this.#engine.manager) return
      for (let page = first; page < first + count; page++) this.#engine.letGo(page)
      this.#rest.stepped()
    })
    this.#holds.add(hold)
    if (isWanted) hold.tell('wanted')
    return hold
  }

  /** The strongest lock on the page that `tryLock` would grant at this moment. Counts as no use of it. */
  atHand(page: PageIndex): AtHand {
    if (this.#closed !== undefined || this.#desk.isParked || this.#frames.get(page) === undefined)
      return 'none'
    const terms = this.#termsOf({ offset: page * this.pageSize, length: this.pageSize }, undefined)
    if (!this.#isBacklogged && this.#tries(page, 'write', terms)) return 'write'
    return this.#tries(page, 'read', terms) ? 'read' : 'none'
  }

  /** Only the manager knows: so it is asked for the lock, which ends at once. */
  #tries(page: PageIndex, mode: LockMode, terms: LockTerms): boolean {
    if (!this.isValid(mode, terms) || !this.#engine.manager.tryAcquire(page, 1, mode, terms)) return false
    this.#engine.release({ first: page, count: 1 }, mode, terms)
    return true
  }

  /**
   * The lock, as soon as it can be had. Throws `timeout`, `aborted`, `not-allocated`, `no-such-region`, `no-memory`,
   * `damaged`, `unreachable`, what the home refuses it with, and leaves nothing behind then.
   */
  async lock(
    mode: LockMode,
    range: ByteRange,
    terms: LockTerms | undefined,
    options: WaitOptions,
  ): Promise<LockContext> {
    const hit = this.tryLock(mode, range, terms)
    if (hit !== undefined) {
      if (options.signal?.aborted !== true) return hit
      hit.discard()
    }
    this.#retry.askNow()
    this.#reachParent()
    // Its own also in `crew`: another protocol may have come by the time that it is asked.
    const own = terms ?? { ...plainTerms, offset: range.offset, length: range.length }
    return this.#desk.lock(mode, range, own, options)
  }

  /**
   * Takes the pages from everybody, without bringing them to memory, to take their storage away. Resolves with what ends
   * it. Throws as `lock` does.
   */
  async seize(pages: PageRange, options: WaitOptions): Promise<() => void> {
    if (this.#closed !== undefined) throw this.#closed
    const bytes = { offset: pages.first * this.pageSize, length: pages.count * this.pageSize }
    const terms: LockTerms = { ...plainTerms, ...bytes, seize: true }
    await this.#desk.seize(pages, terms, options)
    return () => {
      this.#engine.release(pages, 'write', terms)
    }
  }

  /** Resolves when all that was unlocked here is durable; rejects if any of it fails. */
  whenDurable(): Promise<void> {
    return this.#engine.commits.whenDurable()
  }

  /** Whether writers run so far ahead of the disk that they must wait. */
  get #isBacklogged(): boolean {
    const isDiskBehind = this.role.kind === 'home' && this.role.backing.isBacklogged
    return isDiskBehind || this.#engine.commits.openCommits >= openCommitsMax
  }

  /** Undefined where a lock of this mode need not wait for the disk. */
  #whenCaughtUp(mode: LockMode): Promise<void> | undefined {
    if (mode === 'read' || !this.#isBacklogged) return undefined
    const { commits } = this.#engine
    // What has failed is told to whom it concerns; it waits no more, which is all that matters here.
    if (commits.openCommits >= openCommitsMax) return commits.whenDurable().catch(() => undefined)
    return this.role.kind === 'home' ? this.role.backing.whenCaughtUp() : undefined
  }

  #newContext(mode: LockMode, range: ByteRange, terms: LockTerms, pages: LockedPages): LockContext {
    this.#locksTaken += 1
    const context = new LockContext(this, mode, range, terms, pages)
    this.#contexts.add(context)
    return context
  }

  #keptBytes(
    frames: readonly RegionFrame[],
    terms: LockTerms,
    seen: PinnedPages['seen'] | undefined,
  ): KeptBytes | undefined {
    const { writes } = this.#engine
    if (writes === undefined) return undefined
    const isolation = terms.isolation ?? this.descriptor.attributes.consistency.isolation
    const isLive = isolation === 'live'
    return {
      snapshot: isLive ? undefined : seen === undefined ? frames.map((frame) => frame.bytes) : [...seen],
      bases: writes === 'patches' ? [] : undefined,
    }
  }

  // ---- what lock contexts ask -------------------------------------------------------------------------------------

  isValid(mode: LockMode = 'write', terms: LockTerms = plainTerms): boolean {
    if (this.#closed !== undefined) return false
    if (this.role.kind === 'home') {
      const { lease } = this.role
      return lease === undefined || this.#env.clock.now() < lease.validUntil
    }
    if (this.#uplink !== undefined && this.#env.clock.now() < this.#uplink.validUntil) return true
    return !this.#engine.manager.needsLease(mode, terms)
  }

  ageMs(page: PageIndex): number {
    const { freshAt } = this.#engine.manager.inspect(page)
    // This machine's clock may be slow.
    return freshAt === undefined ? 0 : Math.max(0, this.#env.clock.now() - freshAt) / (1 - clockDriftMax)
  }

  nextFence(): bigint {
    return fenceOf(this.#descriptor.era, this.#engine.fence())
  }

  takeBuffer(): Uint8Array {
    return this.#env.buffers.take(this.pageSize)
  }

  giveBuffer(buffer: Uint8Array): void {
    this.#env.buffers.give(buffer)
  }

  makeContiguous(frames: readonly RegionFrame[]): Uint8Array {
    return this.#frames.makeContiguous(frames)
  }

  release(context: LockContext, together?: TransactionTag): Promise<void> {
    const { writes } = this.#engine
    if (context.shadows === undefined) return this.#releaseUnwritten(context)
    if (writes === undefined) return this.#releaseFrames(context, together)
    return this.#releaseParcels(context, writes)
  }

  #releaseUnwritten(context: LockContext): Promise<void> {
    const { mode, terms } = context
    const { commits } = this.#engine
    const sawUnsettled = this.#hasSeenUnsettled(context)
    this.#letGo(context)
    this.#engine.release(context, mode, terms)
    this.#rest.stepped()
    return sawUnsettled ? commits.whenSeenDurable() : done
  }

  #hasSeenUnsettled({ first, count }: LockContext): boolean {
    return this.#engine.commits.openCommits > 0 && this.#isUnsettled(first, count)
  }

  whenSeenDurable(context: LockContext): Promise<void> {
    return this.#hasSeenUnsettled(context) ? this.#engine.commits.whenSeenDurable() : done
  }

  waitFor(ending: Promise<void>, wait: WaitOptions): Promise<void> {
    // Nobody waits for it any more, where the signal has fired before.
    ending.catch(() => undefined)
    const what = 'seeing the end of unlock, which goes on in the background'
    return within(this.#env.clock, what, wait, ending)
  }

  /** In `crew`: what was written takes the place of the frames, at once. */
  #releaseFrames(context: LockContext, together: TransactionTag | undefined): Promise<void> {
    const { first, count, mode, terms, shadows = [] } = context
    const written: PageIndex[] = []
    shadows.forEach((bytes, slot) => {
      const frame = context.frames[slot]
      if (bytes === undefined || frame === undefined) return
      this.#frames.replace(frame, bytes)
      frame.isEscaped = context.hasViews
      written.push((first + slot) as PageIndex)
    })
    const { ticket, promise } = this.#engine.commits.newSection()
    this.#letGo(context)
    this.#engine.unlock({ range: { first, count }, mode, terms, written, ticket, together }, [])
    return promise
  }

  /** Elsewhere: what was written is for the manager to place. A page that was written to and not changed was not written. */
  #releaseParcels(context: LockContext, writes: 'patches' | 'pages'): Promise<void> {
    const { first, count, mode, terms, shadows = [], bases } = context
    const written: PageIndex[] = []
    const parcels: Parcel[] = []
    shadows.forEach((bytes, slot) => {
      if (bytes === undefined) return
      const base = bases[slot]
      const patch = writes === 'patches' && base !== undefined ? makePatch(base, bytes) : undefined
      if (writes === 'patches' && !context.hasViews) this.giveBuffer(bytes)
      if (writes === 'patches' && patch === undefined) return
      written.push((first + slot) as PageIndex)
      parcels.push(patch === undefined ? { kind: 'page', bytes } : { kind: 'patch', bytes: patch })
    })
    if (written.length === 0) return this.#releaseUnwritten(context)
    const { ticket, promise } = this.#engine.commits.newSection()
    this.#letGo(context)
    this.#engine.unlock({ range: { first, count }, mode, terms, written, ticket }, parcels)
    return promise
  }

  abandon(context: LockContext): void {
    if (!context.hasViews) {
      for (const shadow of context.shadows ?? []) if (shadow !== undefined) this.giveBuffer(shadow)
    }
    this.#letGo(context)
    this.#engine.release(context, context.mode, context.terms)
    this.#rest.stepped()
  }

  #letGo(context: LockContext): void {
    this.#contexts.delete(context)
    for (const frame of context.frames) frame.pins -= 1
    this.#env.lockMemory.give(context.count * this.pageSize)
  }

  #isUnsettled(first: PageIndex, count: number): boolean {
    const { manager } = this.#engine
    for (let page = first; page < first + count; page++) if (manager.isUnsettled(page)) return true
    return false
  }

  // ---- peers ------------------------------------------------------------------------------------------------------

  /** A manager of `crew` at a peer. `payloads` belong to this replica. */
  onMessage(from: SiteId, message: CmMessage, payloads: readonly Uint8Array[]): void {
    if (this.#closed !== undefined) return
    this.#engine.onMessage(from, message, payloads)
    this.#reachParent()
    const isGone = message.kind === 'refuse' && message.code === 'no-such-region'
    if (isGone && this.role.kind === 'copy' && from === this.role.parent) this.#env.gone(this.descriptor)
  }

  /** A manager of any other protocol at a peer. Throws `protocol-error`. `payloads` belong to this replica. */
  onPlainMessage(from: SiteId, envelope: PlainCmEnvelope, payloads: readonly Uint8Array[]): void {
    if (this.#closed === undefined) this.#engine.onPlainMessage(from, envelope, payloads)
  }

  /** The home can be reached, and knows nothing of this site. `link` counts how often in one session. */
  parentReady(session: Session, link = 0): void {
    this.#retry.begun()
    this.#uplink = session
    this.#engine.parentReady(link)
  }

  /** The home, or a node on the way to it, cannot serve the region: those who wait hear why. */
  refused(session: Session, link: number, error: KhazanaError): void {
    this.parentLost()
    this.#desk.refuseAll(error)
    this.#retry.refused(session, link)
  }

  /** `isBack`: `parentReady` follows at once. */
  parentLost(isBack = false): void {
    this.#retry.forget()
    if (this.#uplink === undefined) return
    this.#engine.forget(this.#uplink.peer.site)
    this.#uplink = undefined
    this.#engine.step({ kind: 'parent-lost', isBack })
  }

  childLost(child: SiteId): void {
    this.#engine.forget(child)
    // In a star, only the home has children.
    if (this.role.kind === 'home' || !this.isStar) this.#engine.step({ kind: 'child-lost', child })
  }

  siblingLost(sibling: SiteId): void {
    this.#engine.forget(sibling)
    if (!this.isStar) this.#engine.step({ kind: 'sibling-lost' })
  }

  /** Whether its protocol is one in which all sites talk to the home, through nodes that relay. */
  get isStar(): boolean {
    return this.#engine.writes !== undefined
  }

  /** Home: it is known what becomes of a transaction of before, and the pages are as storage has them; none: others need not wait for it. */
  doubtEnded(pages: readonly PageIndex[]): void {
    for (const page of pages) this.#frames.drop(page)
    if (pages.length > 0 && !this.isStar) this.#engine.step({ kind: 'doubt-ended', pages })
    else this.#rest.stepped()
  }

  graceEnded(): void {
    this.#engine.step({ kind: 'grace-ended' })
  }

  /** Home: the range, which the caller has seized, has lost its storage. */
  freed(range: PageRange, code: ErrorCode, message: string): void {
    for (let page = range.first; page < range.first + range.count; page++) this.#frames.drop(page)
    this.#engine.step({ kind: 'freed', range, code, message })
  }

  /** Ends everything here: contexts break, waiting locks fail with the error, memory is given back. */
  close(error: KhazanaError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#desk.close(error)
    for (const hold of this.#holds) hold.tell('lost')
    for (const context of [...this.#contexts]) {
      context.break()
      this.#letGo(context)
    }
    this.#retry.stop()
    this.#engine.close(error)
    this.#frames.clear()
    this.#rest.stepped()
  }

  // ---- the session with the parent --------------------------------------------------------------------------------

  /**
   * Somebody here, or below, may need the parent. Also where there is a session: who has said that it is not the home any more, when nobody
   * needed that, is not looked for until now.
   */
  #reachParent(): void {
    if (this.role.kind === 'copy' && this.#uplink === undefined) this.#env.want(this.role.parent)
  }

  /** A copy whose parent cannot be talked to: whether a session with that must come back by itself. */
  get needsParent(): boolean {
    return this.#closed === undefined && this.#use.needsParent
  }

  /** The same where there is no way to the parent at the moment. */
  get isStranded(): boolean {
    return this.role.kind === 'copy' && this.#uplink === undefined && this.needsParent
  }

  /** A copy: gives up all that is not in use, and answers whether that is all. */
  giveUp(): boolean {
    return this.#closed !== undefined || this.#use.giveUp()
  }

  /** Locks that were granted at this site itself. */
  get locksTaken(): number {
    return this.#locksTaken
  }

  /** On the site's clock: when a lock was last seen to have been taken, by this being asked. */
  get lastUse(): number {
    if (this.#lastUse?.locksTaken !== this.#locksTaken) {
      this.#lastUse = { locksTaken: this.#locksTaken, at: this.#env.clock.now() }
    }
    return this.#lastUse.at
  }

  // ---- a change of protocol, or of the home ---------------------------------------------------------------------------------------

  /** Grants no more locks until `resume` with the same `who`, or `switchTo`. */
  suspend(who: object, suspension: Suspension): void {
    this.#rest.suspend(who, suspension)
    for (const context of this.#contexts) context.want('write')
    for (const hold of this.#holds) hold.tell('wanted')
  }

  /** While suspended: whether no lock is open and nothing is on its way. */
  get isQuiet(): boolean {
    return this.#rest.isQuiet
  }

  /** All goes on as it was. */
  resume(who: object): void {
    this.#rest.resume(who)
  }

  /**
   * Resolves when all that was unlocked at this site is durable at the home, with no lock granted meanwhile. Throws
   * `timeout`, `aborted`, `closed`, and `outcome-unknown` where the region got another protocol while this site was cut off.
   */
  sync(options: WaitOptions): Promise<void> {
    return this.#rest.sync(options)
  }

  /** Breaks all locks, and resolves when what was unlocked here is durable. Throws as `sync`, and `unreachable`. */
  async finish(options: WaitOptions): Promise<void> {
    for (const context of [...this.#contexts]) {
      context.break()
      this.abandon(context)
    }
    if (this.role.kind === 'home' || !this.isStar) {
      await this.#whenDurableOrLost(options)
      if (!this.isStar) return
    }
    if (this.role.kind === 'copy' && this.#uplink === undefined) {
      if (this.#engine.manager.isQuiet()) return
      throw new KhazanaError('unreachable', 'the home cannot be reached: what only this site knows is lost')
    }
    await this.sync(options)
  }

  /** What is in doubt while there is no home to ask may stay so for as long as there is none. */
  async #whenDurableOrLost(options: WaitOptions): Promise<void> {
    const isOpen = this.#engine.commits.openCommits > 0
    const outcome = withResolvers<void>()
    const deadline = Deadline.start(this.#env.clock, 'closing', options, outcome.reject)
    try {
      if (isOpen) this.#reachParent()
      await Promise.race([this.whenDurable(), outcome.promise])
    } finally {
      deadline.stop()
    }
  }

  /**
   * Goes on under another descriptor of the same reservation, and perhaps in another place of its tree, with a manager that knows
   * nothing. Whatever the one before had under way is over; locks that are still open break.
   */
  switchTo(
    descriptor: RegionDescriptor,
    role: ReplicaRole,
    protocol: AnyProtocol,
    error: KhazanaError,
  ): void {
    this.#switchTo(descriptor, role, protocol, error, undefined)
  }

  /**
   * The home of this copy is another, or has begun anew; or this site is the home no more, and does not know who is. It goes on as a copy, with what it
   * has in memory where its protocol can make use of that. Else as `switchTo`.
   */
  goOnAsCopy(
    descriptor: RegionDescriptor,
    role: Extract<ReplicaRole, { kind: 'copy' }>,
    protocol: AnyProtocol,
    error: KhazanaError,
  ): void {
    const kept = protocol.keepsPages === true ? this.#keptPages() : undefined
    this.#switchTo(descriptor, role, protocol, error, kept)
  }

  /** Of one moment: a home changes the frames of what was written together in one turn, when all members of its group have it. */
  #keptPages(): KeptPage[] {
    const { role } = this
    const now = this.#env.clock.now()
    // Another may have been the home since the lease ended.
    const freshAt = role.kind === 'home' ? Math.min(now, role.lease?.validUntil ?? now) : now
    const { manager, isPerforming } = this.#engine
    return this.#frames.pages().map((page) => {
      const { version, unsettled } = manager.inspect(page)
      // What the manager takes for done with the page may not have been performed.
      const isNamed = unsettled || !isPerforming
      return { page, version: isNamed ? version : unnamed, isUnsettled: unsettled, freshAt }
    })
  }

  #switchTo(
    descriptor: RegionDescriptor,
    role: ReplicaRole,
    protocol: AnyProtocol,
    error: KhazanaError,
    kept: readonly KeptPage[] | undefined,
  ): void {
    if (this.#closed !== undefined) return
    const loss = this.#rest.isAllTold ? undefined : lostWith(error)
    if (loss !== undefined) {
      this.#env.logger.log('warn', loss.message, {
        region: formatAddress(descriptor.address),
        era: descriptor.era,
      })
    }
    const suspensions = this.#rest.end()
    this.#desk.park()
    const carries = mayCarry(this.#descriptor, descriptor) && this.role.kind === 'copy' && !this.isStar
    // What is on its way to the home of before is in doubt. A client's is at its node.
    if (carries && this.#env.isNode) this.parentLost(true)
    for (const context of [...this.#contexts]) {
      context.break()
      this.#letGo(context)
    }
    for (const hold of this.#holds) hold.tell('lost')
    this.#desk.breakAll()
    const carried = carries && protocol.codec === undefined ? this.#engine.closeForNext(error) : undefined
    if (carried === undefined) this.#engine.close(error)
    // What a home that stays one has in memory is what its disk has.
    if (kept !== undefined) this.#frames.keepOnly(kept.map(({ page }) => page))
    else if (placeOf(this.role) !== placeOf(role) || role.kind === 'copy') this.#frames.reset(backingOf(role))
    this.#role = role
    this.#descriptor = descriptor
    this.#engine = this.#makeEngine(protocol, kept, carried)
    // The new era came by it, whatever was known of the way to the home in the old one.
    const session = this.role.kind === 'copy' ? this.#env.parentSession(this.role.parent) : undefined
    this.#uplink = undefined
    if (session !== undefined) this.parentReady(session)
    else if (carried !== undefined) this.#engine.step({ kind: 'resume' })
    for (const { switched } of suspensions) switched(loss)
    this.#desk.unpark()
    // Those who wait are served by another home, to which there may be no session yet.
    if (this.needsParent) this.#reachParent()
  }

  /**
   * Goes on, as a copy in a star, under another descriptor of the same reservation and the same protocol: its home has moved. Nothing
   * that this site alone knows is lost by it.
   */
  rehome(descriptor: RegionDescriptor, role: Extract<ReplicaRole, { kind: 'copy' }>): void {
    if (this.#closed !== undefined) return
    const session = this.#env.parentSession(role.parent)
    this.parentLost(session !== undefined)
    this.#descriptor = descriptor
    this.#role = role
    this.#engine.rehome(descriptor.era, role.parent)
    if (session !== undefined) this.parentReady(session)
    else if (this.needsParent) this.#reachParent()
  }

  // ---- for others to look at --------------------------------------------------------------------------------------

  inspect(page: PageIndex): PageView {
    return this.#engine.manager.inspect(page)
  }

  pages(): Iterable<PageIndex> {
    return this.#engine.manager.pages()
  }

  /** The bytes in memory, for checkers; not to be changed. */
  frameBytes(page: PageIndex): Uint8Array | undefined {
    return this.#frames.get(page)?.bytes
  }

  #break(page: PageIndex): void {
    for (const context of [...this.#contexts]) {
      if (page < context.first || page >= context.first + context.count) continue
      context.break()
      this.abandon(context)
    }
    for (const hold of this.#holds) if (hold.has(page)) hold.tell('lost')
    this.#desk.broken(page)
  }

  #mayEvict(page: PageIndex): boolean {
    if (this.#engine.needs(page)) return false
    const answer = this.#engine.manager.evict(page)
    this.#engine.perform(answer.effects)
    return answer.kind === 'allowed'
  }
}

/** Kept by a group, in which no era gives a number again that one before it gave. */
function isBacked({ attributes }: RegionDescriptor): boolean {
  return attributes.minReplicas > 1
}

function mayCarry(before: RegionDescriptor, after: RegionDescriptor): boolean {
  return before.generation === after.generation && isBacked(before) && isBacked(after)
}

function placeOf(role: ReplicaRole): number | undefined {
  return role.kind === 'home' ? role.space : undefined
}

function backingOf(role: ReplicaRole): HomeBacking | undefined {
  return role.kind === 'home' ? role.backing : undefined
}

function lostWith(cause: KhazanaError): KhazanaError {
  const message =
    'the protocol or the home of the region was changed before all that was unlocked here had come to the home'
  return new KhazanaError('outcome-unknown', message, { cause })
}

/** It is not known under which version the bytes were told. */
const unnamed = -1

/** Sections of one region that have ended here and are not durable yet. */
const openCommitsMax = 4096

const done = Promise.resolve()

import type { LockMode } from '../../address/lock-mode.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import { plainTerms } from '../../address/lock-terms.js'
import type { LockTerms } from '../../address/lock-terms.js'
import { checkRange, pagesOf } from '../../address/range.js'
import type { ByteRange } from '../../address/range.js'
import type {
  CmEffect,
  CmMessage,
  CmSite,
  CommitId,
  CommittedPage,
  ConsistencyManager,
  PageView,
  ProtocolDefinition,
} from '../../consistency/contract.js'
import { assert, present, unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { RegionFrame } from '../page-memory.js'
import type { PageStamp } from '../../wire/crew-message.js'
import type { WaitOptions } from '../deadline.js'
import type { Session } from '../session/session.js'
import { Durability } from './durability.js'
import { FrameTable } from './frame-table.js'
import type { HomeBacking } from './home-backing.js'
import { LockContext } from './lock-context.js'
import { LockDesk } from './lock-desk.js'
import type { ContextOwner } from './lock-context.js'
import { Outgoing } from './outgoing.js'
import type { SiteEnvironment } from './site-environment.js'

/** Where a replica stands in the tree of sites. */
export type ReplicaRole =
  | { readonly kind: 'home'; readonly backing: HomeBacking; readonly grace: 'none' | 'until-ended' }
  | { readonly kind: 'copy'; readonly parent: SiteId }

/**
 * One region at one site: the driver of its consistency manager (DESIGN 5). It owns the page frames, the lock contexts
 * and the waiting locks, feeds the manager and performs its effects. It knows nothing of the protocol's rules.
 */
export class Replica implements ContextOwner {
  readonly descriptor: RegionDescriptor
  readonly pageSize: number
  readonly role: ReplicaRole
  readonly #env: SiteEnvironment
  readonly #manager: ConsistencyManager
  readonly #frames: FrameTable
  readonly #outgoing: Outgoing
  readonly #durability = new Durability()
  readonly #contexts = new Set<LockContext>()
  readonly #desk: LockDesk
  /** Parts of large sections of children, until the last is there. */
  readonly #parts = new Map<SiteId, { readonly pages: PageStamp[]; readonly payloads: Uint8Array[] }>()
  /** Effects not performed yet, while others are: performing never nests. */
  readonly #pending: { readonly effects: readonly CmEffect[]; readonly payloads: readonly Uint8Array[] }[] =
    []
  #isPerforming = false
  #uplink: Session | undefined
  #closed: KhazanaError | undefined

  constructor(
    env: SiteEnvironment,
    descriptor: RegionDescriptor,
    role: ReplicaRole,
    protocol: ProtocolDefinition,
  ) {
    this.#env = env
    this.descriptor = descriptor
    this.pageSize = descriptor.pageSize
    this.role = role
    const backing = role.kind === 'home' ? role.backing : undefined
    this.#manager = protocol.create(this.#siteOf(role), {
      grace: role.kind === 'home' ? role.grace : 'none',
      pageSize: descriptor.pageSize,
      attributes: descriptor.attributes,
      conflicts: undefined,
      merges: false,
    })
    this.#frames = new FrameTable({
      pageSize: descriptor.pageSize,
      memory: env.frames,
      key: descriptor.generation * 0x1_0000_0000,
      backing,
      give: (buffer) => {
        env.buffers.give(buffer)
      },
      isUnsettled: (page) => this.#manager.isUnsettled(page),
      mayEvict: (page) => this.#mayEvict(page),
    })
    this.#outgoing = new Outgoing({
      region: descriptor.address,
      generation: descriptor.generation,
      era: descriptor.era,
      pageSize: descriptor.pageSize,
      frames: this.#frames,
      session: (peer) => env.session(peer),
      unreadable: (to, message, page, error) => {
        this.#onUnreadable(to, message, page, error)
      },
    })
    this.#desk = this.#makeDesk()
  }

  #makeDesk(): LockDesk {
    return new LockDesk({
      clock: this.#env.clock,
      lockMemory: this.#env.lockMemory,
      pageSize: this.pageSize,
      frames: this.#frames,
      step: (event) => {
        this.#perform(this.#manager.step(event), [])
      },
      release: (pages, mode) => {
        this.#perform(this.#manager.release(pages.first, pages.count, mode, plainTerms), [])
      },
      whenUsable: async () => {
        if (!this.isValid()) await this.#uplink?.whenValid()
      },
      whenCaughtUp: (mode) => this.#whenCaughtUp(mode),
      makeContext: (mode, range, first, frames) => this.#newContext(mode, range, first, frames),
    })
  }

  #siteOf(role: ReplicaRole): CmSite {
    const env = this.#env
    const backing = role.kind === 'home' ? role.backing : undefined
    const uplink = (): Session | undefined => this.#uplink
    return {
      parent: role.kind === 'copy' ? role.parent : undefined,
      get now(): number {
        return env.clock.now()
      },
      get wallTime(): number {
        return env.clock.wallTime()
      },
      versionOf: (page) => backing?.versionOf(page) ?? (0 as Version),
      isAllocated: (range) => backing?.isAllocated(range) ?? true,
      siblingSession: (child) => env.session(child)?.id,
      get parentSession(): number {
        return uplink()?.id ?? -1
      },
      canReach: (sibling) => env.session(sibling)?.connected ?? false,
    }
  }

  // ---- locks ----------------------------------------------------------------------------------------------------

  /** The lock if this site holds all it needs at this moment, without any waiting; else undefined. */
  tryLock(mode: LockMode, range: ByteRange, _terms: LockTerms | undefined): LockContext | undefined {
    if (this.#closed !== undefined) throw this.#closed
    checkRange(range, this.descriptor.size)
    return this.#tryLock(mode, range, pagesOf(range, this.pageSize))
  }

  #tryLock(mode: LockMode, range: ByteRange, pages: PageRange): LockContext | undefined {
    if (!this.isValid()) return undefined
    if (mode === 'write' && this.#isBacklogged) return undefined
    const { first, count } = pages
    const frames: RegionFrame[] = []
    for (let page = first; page < first + count; page++) {
      const frame = this.#frames.get(page)
      if (frame === undefined) return undefined
      frames.push(frame)
    }
    if (!this.#env.lockMemory.take(count * this.pageSize)) return undefined
    if (!this.#manager.tryAcquire(first, count, mode, plainTerms)) {
      this.#env.lockMemory.give(count * this.pageSize)
      return undefined
    }
    for (const frame of frames) {
      frame.pins += 1
      frame.uses += 1
    }
    return this.#newContext(mode, range, first, frames)
  }

  /**
   * The lock, as soon as it can be had. Throws `timeout`, `aborted`, `not-allocated`, `no-such-region`, `no-memory`,
   * `damaged`, `unreachable`, and leaves nothing behind then.
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
    return this.#desk.lock(mode, range, options)
  }

  /**
   * Takes the write lock on pages without bringing them to memory, to take their storage away. Resolves with what ends
   * it. Throws as `lock` does.
   */
  async seize(pages: PageRange, options: WaitOptions): Promise<() => void> {
    if (this.#closed !== undefined) throw this.#closed
    await this.#desk.seize(pages, options)
    return () => {
      this.#perform(this.#manager.release(pages.first, pages.count, 'write', plainTerms), [])
    }
  }

  /** Resolves when all that was unlocked here is durable; rejects if any of it fails. */
  whenDurable(): Promise<void> {
    return this.#durability.whenDurable()
  }

  /** Whether writers run so far ahead of the disk that they must wait. */
  get #isBacklogged(): boolean {
    const isDiskBehind = this.role.kind === 'home' && this.role.backing.isBacklogged
    return isDiskBehind || this.#durability.openCommits >= openCommitsMax
  }

  /** Undefined where a lock of this mode need not wait for the disk. */
  #whenCaughtUp(mode: LockMode): Promise<void> | undefined {
    if (mode === 'read' || !this.#isBacklogged) return undefined
    if (this.#durability.openCommits >= openCommitsMax) return this.#durability.whenDurable()
    return this.role.kind === 'home' ? this.role.backing.whenCaughtUp() : undefined
  }

  #newContext(
    mode: LockMode,
    range: ByteRange,
    first: PageIndex,
    frames: readonly RegionFrame[],
  ): LockContext {
    const context = new LockContext(this, mode, range, { first, frames })
    this.#contexts.add(context)
    return context
  }

  // ---- what lock contexts ask -------------------------------------------------------------------------------------

  isValid(): boolean {
    if (this.#closed !== undefined) return false
    if (this.role.kind === 'home') return true
    return this.#uplink !== undefined && this.#env.clock.now() < this.#uplink.validUntil
  }

  takeBuffer(): Uint8Array {
    return this.#env.buffers.take(this.pageSize)
  }

  giveBuffer(buffer: Uint8Array): void {
    this.#env.buffers.give(buffer)
  }

  makeContiguous(first: PageIndex, count: number): Uint8Array {
    return this.#frames.makeContiguous(first, count)
  }

  release(context: LockContext): Promise<void> {
    const { first, count, mode, shadows } = context
    if (shadows === undefined) {
      const sawUnsettled = this.#durability.openCommits > 0 && this.#isUnsettled(first, count)
      this.#letGo(context)
      this.#perform(this.#manager.release(first, count, mode, plainTerms), [])
      return sawUnsettled ? this.#durability.whenDurable() : done
    }
    const written: PageIndex[] = []
    shadows.forEach((bytes, slot) => {
      const frame = context.frames[slot]
      if (bytes === undefined || frame === undefined) return
      this.#frames.replace(frame, bytes)
      frame.isEscaped = context.hasViews
      written.push((first + slot) as PageIndex)
    })
    const { ticket, promise } = this.#durability.newSection()
    this.#letGo(context)
    this.#perform(
      this.#manager.step({
        kind: 'unlock',
        range: { first, count },
        mode,
        terms: plainTerms,
        written,
        parcels: [],
        ticket,
      }),
      [],
    )
    return promise
  }

  abandon(context: LockContext): void {
    if (!context.hasViews) {
      for (const shadow of context.shadows ?? []) if (shadow !== undefined) this.giveBuffer(shadow)
    }
    this.#letGo(context)
    this.#perform(this.#manager.release(context.first, context.count, context.mode, plainTerms), [])
  }

  #letGo(context: LockContext): void {
    this.#contexts.delete(context)
    for (const frame of context.frames) frame.pins -= 1
    this.#env.lockMemory.give(context.count * this.pageSize)
  }

  #isUnsettled(first: PageIndex, count: number): boolean {
    for (let page = first; page < first + count; page++) if (this.#manager.isUnsettled(page)) return true
    return false
  }

  // ---- peers ------------------------------------------------------------------------------------------------------

  /** A manager of the same region, at a peer. `payloads` belong to this replica. */
  onMessage(from: SiteId, message: CmMessage, payloads: readonly Uint8Array[]): void {
    if (this.#closed !== undefined) return
    if (message.kind !== 'commit') {
      this.#perform(this.#manager.step({ kind: 'message', from, message, parcels: [] }), payloads)
      const isGone = message.kind === 'refuse' && message.code === 'no-such-region'
      if (isGone && this.role.kind === 'copy' && from === this.role.parent) this.#env.gone(this.descriptor)
      return
    }
    const parts = this.#parts.get(from)
    if (message.final && parts === undefined) {
      this.#perform(this.#manager.step({ kind: 'message', from, message, parcels: [] }), payloads)
      return
    }
    const whole = parts ?? { pages: [], payloads: [] }
    whole.pages.push(...message.pages)
    whole.payloads.push(...payloads)
    this.#parts.set(from, whole)
    if (!message.final) return
    this.#parts.delete(from)
    this.#perform(
      this.#manager.step({ kind: 'message', from, message: { ...message, pages: whole.pages }, parcels: [] }),
      whole.payloads,
    )
  }

  parentReady(session: Session): void {
    this.#uplink = session
    this.#perform(this.#manager.step({ kind: 'parent-ready' }), [])
  }

  parentLost(): void {
    if (this.#uplink === undefined) return
    this.#outgoing.forget(this.#uplink.peer.site)
    this.#uplink = undefined
    this.#perform(this.#manager.step({ kind: 'parent-lost' }), [])
  }

  childLost(child: SiteId): void {
    this.#outgoing.forget(child)
    this.#parts.delete(child)
    this.#perform(this.#manager.step({ kind: 'child-lost', child }), [])
  }

  siblingLost(sibling: SiteId): void {
    this.#outgoing.forget(sibling)
    this.#perform(this.#manager.step({ kind: 'sibling-lost' }), [])
  }

  graceEnded(): void {
    this.#perform(this.#manager.step({ kind: 'grace-ended' }), [])
  }

  /** Home: the range, which the caller has a write lock on, has lost its storage. */
  freed(range: PageRange, code: ErrorCode, message: string): void {
    for (let page = range.first; page < range.first + range.count; page++) this.#frames.drop(page)
    this.#perform(this.#manager.step({ kind: 'freed', range, code, message }), [])
  }

  /** Ends everything here: contexts break, waiting locks fail with the error, memory is given back. */
  close(error: KhazanaError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#desk.close(error)
    for (const context of [...this.#contexts]) {
      context.break()
      this.#letGo(context)
    }
    this.#durability.close(error)
    this.#frames.clear()
  }

  inspect(page: PageIndex): PageView {
    return this.#manager.inspect(page)
  }

  pages(): Iterable<PageIndex> {
    return this.#manager.pages()
  }

  /** The bytes in memory, for checkers; not to be changed. */
  frameBytes(page: PageIndex): Uint8Array | undefined {
    return this.#frames.get(page)?.bytes
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  #perform(effects: readonly CmEffect[], payloads: readonly Uint8Array[]): void {
    if (effects.length === 0 || this.#closed !== undefined) return
    this.#pending.push({ effects, payloads })
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let batch = this.#pending.shift(); batch !== undefined; batch = this.#pending.shift()) {
        for (const effect of batch.effects) this.#performOne(effect, batch.payloads)
      }
    } finally {
      this.#isPerforming = false
    }
  }

  #performOne(effect: CmEffect, payloads: readonly Uint8Array[]): void {
    switch (effect.kind) {
      case 'send':
        return this.#outgoing.send(effect.to, effect.message)
      case 'grant':
        return this.#desk.granted(effect.lock)
      case 'refuse':
        return this.#desk.refused(effect.lock, new KhazanaError(effect.code, effect.message))
      case 'install': {
        const bytes = present(payloads[effect.payload], 'a page that is installed came with its bytes')
        assert(bytes.length === this.pageSize, 'a page has the size of a page')
        this.#frames.set(effect.page, bytes)
        return
      }
      case 'drop':
        return this.#frames.drop(effect.page)
      case 'break':
        return this.#break(effect.page)
      case 'persist':
        return this.#persist(effect.commit, effect.pages)
      case 'started':
        return this.#durability.started(effect.commit)
      case 'ended':
        return this.#durability.ended(effect.commit, effect.ticket, effect.failure)
      case 'apply':
      case 'merge':
      case 'keep':
      case 'forget':
      case 'load':
      case 'alarm':
        return
      default:
        return unreachable(effect)
    }
  }

  #persist(commit: CommitId, pages: readonly CommittedPage[]): void {
    assert(this.role.kind === 'home', 'only the home has a log')
    const writes = pages.map(({ page, version }) => {
      const frame = present(this.#frames.get(page), 'a written page is in memory')
      return { page, version, bytes: frame.bytes }
    })
    this.role.backing.persist(writes, (failure) => {
      if (this.#closed !== undefined) return
      const event =
        failure === undefined
          ? ({ kind: 'durable', commit } as const)
          : ({ kind: 'not-durable', commit, code: failure.code, message: failure.message } as const)
      this.#perform(this.#manager.step(event), [])
    })
  }

  #break(page: PageIndex): void {
    for (const context of [...this.#contexts]) {
      if (page < context.first || page >= context.first + context.count) continue
      context.break()
      this.abandon(context)
    }
    this.#desk.broken(page)
  }

  #mayEvict(page: PageIndex): boolean {
    const answer = this.#manager.evict(page)
    this.#perform(answer.effects, [])
    return answer.kind === 'allowed'
  }

  /** A page that a child was granted cannot be read: it gets the reason instead, and no right. */
  #onUnreadable(to: SiteId, message: CmMessage, page: PageIndex, error: KhazanaError): void {
    this.#env.logger.log('error', 'a page cannot be served', {
      page,
      to,
      code: error.code,
      reason: error.message,
    })
    if (message.kind !== 'grant') return
    // The child had no right to a page whose bytes it needs, and does not hear of the one it was to get.
    const range: PageRange = { first: page, count: 1 }
    const taken: CmMessage = { kind: 'yield', range, keep: 'none', handed: false }
    this.#perform(this.#manager.step({ kind: 'message', from: to, message: taken, parcels: [] }), [])
    const { serial } = message
    this.#outgoing.send(to, { kind: 'refuse', serial, range, code: error.code, message: error.message })
  }
}

/** Sections of one region that have ended here and are not durable yet. */
const openCommitsMax = 4096

const done = Promise.resolve()

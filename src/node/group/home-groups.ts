import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import { isNode, nodeIdMax } from '../../address/identity.js'
import type { NodeId } from '../../address/identity.js'
import { neverWritten } from '../../address/page.js'
import type { Coordinator } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import { timeoutOf, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import type { GroupBug } from '../../membership/home-group/group-bug.js'
import type { LivingNode } from '../../membership/home-group/group-change.js'
import { groupMembersMax } from '../../membership/home-group/group-limits.js'
import { firstRecord, primaryOf } from '../../membership/home-group/group-record.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { GroupEnvelope } from '../../wire/message.js'
import { LeaseKeeper } from '../cluster/lease-keeper.js'
import type { Home } from '../home/home.js'
import type { HomeGroup } from '../home/home-group.js'
import { ByteRate } from '../byte-rate.js'
import { pause } from '../pause.js'
import type { Session } from '../session/session.js'
import { CopyDoubt } from './copy-doubt.js'
import { isNote } from '../transaction/note.js'
import { GroupCopies, storedGroups } from './group-copies.js'
import { GroupPart } from './group-part.js'
import { GroupRegistry } from './group-registry.js'
import { HandoverRegister } from './handover-register.js'
import { LeaseBound } from './lease-bound.js'
import { LivingNodes } from './living-nodes.js'
import type { MendBug } from './mend-bug.js'

/** Groups of one number of replicas that a node may have made: further ones come where others lead the earlier. */
const groupsMax = 64
/** Nodes that are asked at a time whether they live. */
const invitedMax = 4
/** How long one of them has to say so. */
const invitationMs = 2000
/** Between two attempts to mend what is damaged and not asked for: milliseconds. */
const mendEveryMs = 2000
/** For how long a node may not have heard of another that has just joined. */
const newsMs = 1000
/** Between two looks at whether a group has all its members. */
const lookMs = 50
/** Between two looks at whether all goes on without this node. */
const retireLookMs = 200

const forEver = { validUntil: Infinity, look: () => undefined }

export interface HomeGroupsOptions {
  readonly self: NodeId
  readonly incarnation: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly coordinator: Coordinator
  /** Of a session, and of the lease at the coordinator: milliseconds. */
  readonly leaseMs: number
  readonly store: Store
  readonly home: () => Home
  readonly takeSpace: () => SpaceId
  readonly numbers: () => readonly MetadataPut[]
  /** All nodes of the cluster, as far as is known here. */
  readonly members: () => Iterable<NodeId>
  readonly session: (node: NodeId) => Session | undefined
  readonly sessions: () => Iterable<Session>
  /** A session with the node is wanted from now on. */
  readonly want: (node: NodeId) => void
  /** All that this node has granted is void: its sessions end. */
  readonly revoke: (reason: KhazanaError) => void
  /** Regions are homed here that were homed elsewhere, or here in another reign. */
  readonly took: (descriptors: readonly RegionDescriptor[]) => void
  readonly storageFailed: (error: KhazanaError) => void
  readonly bug?: GroupBug | undefined
  /** Bytes of pages in a second that nodes are sent at most which are to be members of groups that this node leads. */
  readonly restoreBytesPerSecond: number
  readonly mendBug: MendBug | undefined
}

/** The groups of a node, by the part that it has in them. */
export interface GroupCounts {
  readonly led: number
  /** Those that it leads and that lack members, and keep something: one that was made in vain waits for more nodes. */
  readonly short: number
  /** Those of which it keeps a copy for others: whether it counts as a member they may know before it does. */
  readonly backed: number
}

/** The home groups that this node leads, backs, or is to back (DESIGN 7). */
export class HomeGroups {
  readonly #options: HomeGroupsOptions
  #isStarted = false
  readonly #parts = new Map<string, GroupPart>()
  readonly #lease: LeaseKeeper
  readonly #bound: LeaseBound
  readonly #living: LivingNodes
  readonly #registry: GroupRegistry
  /** Whether regions have gone from one log to another. */
  readonly handovers: HandoverRegister
  readonly #closing = sharedAbortController()
  readonly #making = new Map<number, Promise<GroupPart>>()
  /** Whether the parts know that the lease is held, and could do what rests on it. */
  #isTold = false
  #isRetiring = false
  #hasPart = false
  #mendedPages = 0
  readonly #rate: ByteRate
  readonly #doubt: CopyDoubt
  #nextInvited = 0
  /** When nodes were asked last whether they live. */
  readonly #invited = new Map<NodeId, number>()

  constructor(options: HomeGroupsOptions) {
    this.#options = options
    const { clock, random, coordinator, leaseMs } = options
    const { signal } = this.#closing
    this.#rate = new ByteRate(clock, options.restoreBytesPerSecond)
    this.#registry = new GroupRegistry({ clock, random, coordinator, signal })
    this.handovers = new HandoverRegister({ clock, random, logger: options.logger, coordinator, signal })
    const { self, logger, store } = options
    this.#doubt = new CopyDoubt({
      ...{ self, clock, random, logger, store, signal, registry: this.#registry },
      open: (name) => {
        if (!this.#parts.has(name)) void this.#add(name).enter()
        this.#takePart()
      },
      settled: () => {
        if (this.#hasPart) this.#lease.start()
      },
    })
    this.#lease = new LeaseKeeper({
      ...options,
      held: () => {
        this.#tellIfComplete()
      },
      renewed: () => {
        this.#tellIfComplete()
      },
      lapsed: () => {
        this.#onLapsed()
      },
    })
    this.#bound = new LeaseBound(clock, this.#lease, leaseMs)
    this.#living = new LivingNodes({
      clock,
      random,
      coordinator,
      signal,
      changed: () => {
        for (const part of this.#parts.values()) part.lifeChanged()
      },
    })
    for (const name of storedGroups(options.store)) this.#add(name)
  }

  /** Regions that are here, at home or not: nobody else is given their addresses. */
  *descriptors(): Generator<RegionDescriptor> {
    for (const { copies } of this.#parts.values())
      for (const { descriptor } of copies.all()) if (!isNote(descriptor)) yield descriptor
  }

  /** All of which this node has a part, by their names. */
  all(): readonly GroupPart[] {
    return [...this.#parts.values()]
  }

  get counts(): GroupCounts {
    const counts = { led: 0, short: 0, backed: 0 }
    for (const { isLed, record, copies } of this.#parts.values()) {
      if (isLed) counts.led += 1
      const isShort = record !== undefined && record.members.length < record.replicas
      if (isLed && isShort && !copies.isEmpty) counts.short += 1
      if (!isLed) counts.backed += 1
    }
    return counts
  }

  /** Damaged pages that were got back from other nodes since the start. */
  get mendedPages(): number {
    return this.#mendedPages
  }

  /** Looks at once for pages that are damaged here, in place of at the next time. */
  mend(): void {
    for (const part of this.#parts.values()) void part.mender.mendAll()
  }

  /** For how many milliseconds from now a peer may rely on what this node grants. */
  leaseLimit(): number {
    if (this.#options.bug === 'skip-the-lease') return Infinity
    return this.#bound.limit()
  }

  /**
   * A region of which this node has a copy, and is not its home at the moment, and who is as far as is known: this node itself, or nobody, where that
   * is not decided.
   */
  backed(
    address: Address,
  ): { readonly descriptor: RegionDescriptor; readonly primary: NodeId | undefined } | undefined {
    let newest: { descriptor: RegionDescriptor; primary: NodeId | undefined } | undefined
    for (const part of this.#parts.values()) {
      const descriptor = part.find(address)
      // What went from one group to another may be left in the first for a while.
      if (descriptor === undefined || (newest !== undefined && newest.descriptor.era >= descriptor.era))
        continue
      newest = { descriptor, primary: part.record === undefined ? undefined : primaryOf(part.record) }
    }
    return newest
  }

  /** A region that a group of which this node has a copy may have got, where nobody here knows whether it has: nobody may be told that there is no such region. */
  coming(address: Address): RegionDescriptor | undefined {
    for (const part of this.#parts.values()) {
      const descriptor = part.findComing(address)
      if (descriptor !== undefined) return descriptor
    }
    return undefined
  }

  /** Whether a session with the node must be there, for a group that this node leads, or is just looking for members of. */
  needs(node: NodeId): boolean {
    if (this.#options.clock.now() - (this.#invited.get(node) ?? -Infinity) < invitationMs) return true
    for (const part of this.#parts.values()) if (part.needs(node)) return true
    return false
  }

  /** Goes on with groups of before. */
  start(): void {
    this.#isStarted = true
    for (const part of this.#parts.values()) void part.enter()
    if (this.#parts.size > 0) this.#takePart()
    this.#doubt.start()
  }

  stop(error: KhazanaError): void {
    this.#closing.abort(error)
    this.#lease.stop(error)
    for (const part of this.#parts.values()) part.close(error)
  }

  /** From now on this node's life is known to the coordinator, and those of others here. */
  #takePart(): void {
    if (!this.#doubt.isOpen) this.#lease.start()
    this.#living.start()
    if (!this.#hasPart) void this.#mendForEver()
    this.#hasPart = true
  }

  /** Never rejects. */
  async #mendForEver(): Promise<void> {
    const { signal } = this.#closing
    for (;;) {
      await pause(this.#options.clock, mendEveryMs, signal)
      if (signal.aborted) return
      this.mend()
    }
  }

  #add(name: string): GroupPart {
    const { self, clock, random, logger, store, home, takeSpace, numbers, session, sessions, want } =
      this.#options
    const { took, storageFailed, bug, mendBug } = this.#options
    const part: GroupPart = new GroupPart({
      ...{ name, self, clock, random, logger, store, session, want, storageFailed, mendBug },
      rate: this.#rate,
      mended: () => {
        this.#mendedPages += 1
      },
      copies: new GroupCopies({ group: name, self, store, takeSpace, numbers }),
      registry: this.#registry,
      signal: this.#closing.signal,
      lease: bug === 'skip-the-lease' ? forEver : this.#lease,
      bug,
      key: () => (this.#isTold ? this.#lease.key : undefined),
      keyOf: (node) => this.#living.keyOf(node),
      isLifeKnown: () => this.#living.isKnown,
      findCandidate: (group, except) => this.#candidate(group, except),
      *sessions() {
        for (const { peer } of sessions()) if (isNode(peer.site)) yield peer.site
      },
      serves: (group, records) => {
        home().openGroup(group, records)
        const served = [...part.copies.all()].filter(({ handover }) => handover === undefined)
        took(served.map(({ descriptor }) => descriptor).filter((each) => !isNote(each)))
      },
      stopped: (group, reason) => {
        home().closeGroup(group, reason)
      },
      upToDate: () => {
        this.#doubt.upToDate(name)
      },
      discarded: () => {
        if (this.#parts.get(name) === part) this.#parts.delete(name)
      },
    })
    this.#parts.set(name, part)
    return part
  }

  /**
   * A node that lives, and can be talked to: the next after this one in a ring, so that each is asked as often as the others. Where there is none, some
   * others are asked to say that they live.
   */
  #candidate(group: string, except: readonly NodeId[]): LivingNode | undefined {
    const { self, clock, session, want, members } = this.#options
    const others = [...members()].filter((node) => node !== self && !except.includes(node))
    const next = (node: NodeId): number => (node > self ? node : node + nodeIdMax)
    others.sort((a, b) => next(a) - next(b))
    for (const node of others) {
      const key = this.#living.keyOf(node)
      if (key !== undefined && session(node) !== undefined) return { node, key }
    }
    for (let count = 0; count < Math.min(invitedMax, others.length); count++) {
      const node = others[this.#nextInvited++ % others.length]
      if (node === undefined) continue
      this.#invited.set(node, clock.now())
      if (session(node) === undefined) want(node)
      else session(node)?.send({ kind: 'group', group, body: { kind: 'invite' } })
    }
    return undefined
  }

  // ---- the lease ---------------------------------------------------------------------------------------------------

  #tellIfComplete(): void {
    const { key } = this.#lease
    if (this.#isTold || key === undefined || !this.#bound.isComplete) return
    this.#isTold = true
    for (const part of this.#parts.values()) part.leaseHeld(key)
  }

  /** First nothing is served, then nobody has anything of this node any more. */
  #onLapsed(): void {
    if (!this.#isTold || this.#options.bug === 'skip-the-lease') return
    this.#isTold = false
    const reason = new KhazanaError('unreachable', 'this node has lost its lease at the coordinator')
    for (const part of this.#parts.values()) part.leaseLapsed(reason)
    this.#options.revoke(reason)
  }

  // ---- leaving the cluster -----------------------------------------------------------------------------------------

  /** Whether this node has a part in any group. */
  get isTakingPart(): boolean {
    return this.#parts.size > 0
  }

  /**
   * Lets backups take over what this node leads, once its lease has ended, and primaries replace it; resolves when it is a member of no group. Throws `busy` where nobody else has
   * what is here, `unreachable`, `timeout`, `closed`; `reenter` then goes on.
   */
  async retire(wait: WaitOptions): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#closing
    const until = clock.now() + timeoutOf(wait)
    const needed = [...this.#parts.values()].find(({ isNeeded }) => isNeeded)
    if (needed !== undefined && !this.#isRetiring) {
      throw new KhazanaError(
        'busy',
        `nobody else has the regions of home group ${needed.name} yet: another node must join it first`,
      )
    }
    this.#isRetiring = true
    this.#lease.rest()
    const reason = new KhazanaError('unreachable', 'this node is leaving the cluster')
    const isPast = async (isOver: () => boolean | Promise<boolean>): Promise<void> => {
      while (!(await isOver())) {
        if (clock.now() >= until)
          throw new KhazanaError('timeout', 'home groups have not gone on without this node yet')
        await pause(clock, retireLookMs, signal)
        if (signal.aborted) throw KhazanaError.from(signal.reason)
      }
    }
    await isPast(() => {
      this.#lease.look()
      return !this.#lease.isHeld
    })
    for (const part of this.#parts.values()) part.withdraw(reason)
    for (const part of this.#parts.values()) {
      await isPast(
        async () => !(await part.isMember({ timeoutMs: Math.max(1, until - clock.now()), signal })),
      )
    }
  }

  /** After `retire`, in vain or not: this node takes part again. */
  reenter(): void {
    if (!this.#isRetiring) return
    this.#isRetiring = false
    this.start()
  }

  // ---- messages and sessions ---------------------------------------------------------------------------------------

  /** Throws `protocol-error`. */
  onMessage(from: Session, { group, body }: GroupEnvelope, pages: readonly Uint8Array[]): void {
    const node = from.peer.site
    if (!isNode(node)) throw new KhazanaError('protocol-error', 'only nodes are members of home groups')
    this.#lease.look()
    if (from.loss !== undefined) return
    let part = this.#parts.get(group)
    if (this.#isRetiring) return
    if (body.kind === 'invite') this.#takePart()
    // Of a group that has no regions nothing is left here after a start, and yet this node may be the one to say that a copy is not needed.
    if (part === undefined && (body.kind === 'begin' || body.kind === 'offer')) {
      part = this.#add(group)
      // Before the start the sessions may be there already; it enters all that there are.
      if (this.#isStarted) void part.enter()
      this.#takePart()
    }
    if (part !== undefined) part.onMessage(node, body, pages)
    else if (body.kind === 'page-wanted') {
      const { question } = body
      from.send({
        kind: 'group',
        group,
        body: { kind: 'page-given', question, answer: 'other', version: neverWritten },
      })
    }
  }

  sessionBegan(node: NodeId): void {
    for (const part of this.#parts.values()) part.sessionBegan(node)
  }

  sessionLost(node: NodeId): void {
    for (const part of this.#parts.values()) part.sessionLost(node)
  }

  // ---- groups of this node -----------------------------------------------------------------------------------------

  /** The group of that many members that this node leads, with all of them. Throws `unsupported`, `unreachable`, `timeout`. */
  async lead(replicas: number, wait: WaitOptions): Promise<HomeGroup> {
    const { clock } = this.#options
    if (replicas > groupMembersMax) {
      throw new KhazanaError('unsupported', `minReplicas ${replicas} is too many: at most ${groupMembersMax}`)
    }
    await this.#awaitNodes(replicas, clock.now() + Math.min(newsMs, timeoutOf(wait) / 2))
    this.#takePart()
    let making = this.#making.get(replicas)
    if (making === undefined) {
      making = this.#make(replicas).finally(() => this.#making.delete(replicas))
      making.catch(() => undefined)
      this.#making.set(replicas, making)
    }
    const until = clock.now() + timeoutOf(wait)
    const part = await within(clock, 'finding a home group', wait, making)
    for (;;) {
      const group = part.served
      const count = group?.members.length ?? 0
      if (group !== undefined && count >= replicas) return group
      if (clock.now() + lookMs >= until) {
        throw tooFew(replicas, `its home group has ${count} so far`)
      }
      await pause(clock, lookMs, this.#closing.signal)
      if (this.#closing.signal.aborted) throw KhazanaError.from(this.#closing.signal.reason)
    }
  }

  /** This node may not have heard of all nodes yet. Throws `unreachable`. */
  async #awaitNodes(count: number, until: number): Promise<void> {
    const { clock, members } = this.#options
    for (;;) {
      const known = [...members()].length
      if (known >= count) return
      if (clock.now() >= until) throw tooFew(count, `the cluster has ${known}`)
      await pause(clock, lookMs, this.#closing.signal)
      if (this.#closing.signal.aborted) throw KhazanaError.from(this.#closing.signal.reason)
    }
  }

  /** The first that this node leads, or that nobody has made. */
  async #make(replicas: number): Promise<GroupPart> {
    const { self } = this.#options
    for (let number = 1; number <= groupsMax; number++) {
      const name = `${self}.${replicas}.${number}`
      const known = this.#parts.get(name)
      if (known?.isLed === true) return known
      const seen =
        known === undefined ? await this.#registry.create(name, firstRecord(self, replicas), {}) : undefined
      if (seen !== undefined) {
        const part = this.#add(name)
        part.found(seen)
        return part
      }
      const record = known?.record ?? (await this.#registry.read(name, {}))?.record
      if (record === undefined || primaryOf(record) !== self) continue
      // It is this node's, and on its way.
      if (known !== undefined) return known
      const part = this.#add(name)
      void part.enter()
      return part
    }
    throw new KhazanaError('busy', `node ${self} has made ${groupsMax} home groups that others lead`)
  }
}

function tooFew(replicas: number, how: string): KhazanaError {
  return new KhazanaError(
    'unreachable',
    `a region with minReplicas ${replicas} needs that many nodes: ${how}`,
  )
}

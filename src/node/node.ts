import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import { Plugins } from '../consistency/plugins.js'
import type { Clock } from '../io/clock.js'
import type { DirectoryLock } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import { openStore } from '../store/open-store.js'
import type { Store } from '../store/store.js'
import type { Call, NodeStatus, Request, Result, SequencedMessage } from '../wire/message.js'
import { CallExecutor } from './call-executor.js'
import { HomeCalls } from './calls/home-calls.js'
import { expectResult } from './calls/result.js'
import type { CoordinatorDesk } from './coordinator/coordinator-desk.js'
import { ClusterPart } from './cluster/cluster-part.js'
import type { Membership } from './cluster/membership.js'
import { whenAnyoneListens } from './contact.js'
import { defaultTimeoutMs, peerMs, timeoutMsMax, within } from '../io/deadline.js'
import type { Random } from '../io/random.js'
import type { WaitOptions } from '../io/deadline.js'
import { Grace } from './grace.js'
import type { HomeGroups } from './group/home-groups.js'
import { Home } from './home/home.js'
import { UseMoves } from './home/use-moves.js'
import { makeLocalMemory } from './local-memory.js'
import type { LocalMemory } from './local-memory.js'
import type { Location } from './location/location.js'
import { NodeDoors } from './node-doors.js'
import {
  diskBytesDefault,
  leaseMsDefault,
  memoryBytesDefault,
  scrubEveryMsDefault,
  sessionIdleMsDefault,
} from './node-options.js'
import type { NodeOptions } from './node-options.js'
import { NodeResources } from './node-resources.js'
import { NodeRecord } from './node-record.js'
import { NodeSessions } from './node-sessions.js'
import type { NodeIdentity } from './node-record.js'
import {
  checkJoin,
  checkNotLeft,
  checkOptions,
  foundOrJoin,
  leftForGood,
  leftUnheard,
} from './node-start-up.js'
import { Lessees } from './lessees.js'
import type { Peers } from './peers.js'
import { LentSpace } from './pools/lent-space.js'
import { OwnPools } from './pools/own-pools.js'
import { SpaceReturns } from './pools/space-returns.js'
import { Releases } from './releases/releases.js'
import { unreserved } from './unreserved.js'
import { ReplicaSet } from './replica-set.js'
import { Scrubber } from './scrubber.js'
import type { Replica } from './replica/replica.js'
import type { Session } from './session/session.js'
import type { SiteAccess } from './site-access.js'
import { NodeWatches } from './watch/node-watches.js'
import type { Watched } from './watch/own-watches.js'
import type { Watch, WatchOptions } from './watch/watch.js'

/** How long a node that has left waits before it closes. */
const lastWordsMs = 50

/**
 * A node: a peer that keeps regions, caches those of others, and serves clients (paper 2). It composes the layers; what
 * it does itself is to start and stop them in order and to hand messages to whom they are for.
 */
export class Node implements SiteAccess {
  readonly kind = 'node'
  readonly identity: NodeIdentity
  readonly incarnation: number
  readonly replicas: ReplicaSet
  readonly home: Home
  readonly pools: OwnPools
  readonly watches: NodeWatches
  readonly #options: NodeOptions
  readonly #plugins: Plugins
  readonly #store: Store
  readonly #memory: LocalMemory
  readonly #sessions: NodeSessions
  readonly #peers: Peers
  readonly #returns: SpaceReturns
  readonly #releases: Releases
  readonly #part: ClusterPart
  readonly #resources: NodeResources
  readonly #scrubber: Scrubber
  readonly #useMoves: UseMoves | undefined
  readonly #executor: CallExecutor
  readonly #grace = new Grace()
  readonly #lock: DirectoryLock
  readonly #doors: NodeDoors
  readonly #startedAt: number
  readonly #lessees: Lessees
  #closing: Promise<void> | undefined
  #closed: KhazanaError | undefined

  /**
   * Starts a node on a directory: serves when the promise resolves. What can go wrong here alone does so before the node is a
   * member of a cluster, where it would be listed for good; nothing is made on the disk before somebody listens where it is to join.
   * Throws `directory-in-use`, `bad-format`, `damaged`, `wrong-cluster`, `address-in-use`, `insecure`, `unreachable` where the cluster
   * to join cannot be reached, `aborted`, and `invalid-argument`.
   */
  static async start(options: NodeOptions): Promise<Node> {
    checkOptions(options)
    const plugins = Plugins.of(options, 'node')
    const { world, join } = options
    const log = `${options.directory}/log`
    if (join !== undefined && !(await world.hasDirectory(log)))
      await whenAnyoneListens(world, join, options.signal)
    const directory = await world.openDirectory(options.directory)
    const lock = await directory.lock()
    try {
      const store = await openStore({
        directory: await world.openDirectory(log),
        checksum: world.checksum,
        logger: world.logger,
        random: world.random,
        limits: { ...options.storeLimits, diskBytesMax: options.diskBytesMax ?? diskBytesDefault },
        acceptDamage: options.acceptDamage ?? false,
      })
      const record = new NodeRecord(store)
      const doors = new NodeDoors(options, record)
      try {
        checkJoin(options, record.identity)
        const hasLeft = checkNotLeft(options, record)
        await doors.build()
        const identity = record.identity ?? (await foundOrJoin(options, record))
        const incarnation = record.incarnation + 1
        await record.writeIncarnation(incarnation)
        const node = new Node(options, { store, record, identity, incarnation, lock, doors, plugins })
        await node.#serve()
        if (hasLeft) await node.#sayFarewell()
        return node
      } catch (error) {
        await doors.close()
        await store.close()
        throw error
      }
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  private constructor(
    options: NodeOptions,
    parts: {
      readonly store: Store
      readonly record: NodeRecord
      readonly identity: NodeIdentity
      readonly incarnation: number
      readonly lock: DirectoryLock
      readonly doors: NodeDoors
      readonly plugins: Plugins
    },
  ) {
    const { world } = options
    const { store, record, identity, plugins } = parts
    this.#options = options
    this.#plugins = plugins
    this.#store = store
    this.#lock = parts.lock
    this.#lessees = new Lessees(record)
    this.#doors = parts.doors
    this.#startedAt = world.clock.now()
    this.identity = identity
    this.incarnation = parts.incarnation
    this.#memory = makeLocalMemory(options.memoryBytesMax ?? memoryBytesDefault)
    this.#sessions = new NodeSessions({
      world,
      identity,
      incarnation: parts.incarnation,
      listen: () => this.#doors.listen,
      leaseMs: options.leaseMs ?? leaseMsDefault,
      idleMs: options.sessionIdleMs ?? sessionIdleMsDefault,
      allocate: (bytes) => this.#memory.buffers.take(bytes),
      lessees: this.#lessees,
      replicas: () => this.replicas,
      members: () => this.members,
      isWatched: (peer) => this.watches.isAt(peer),
      groups: () => this.#part.groups,
      closed: () => this.#closed,
      up: (session) => {
        this.replicas.sessionUp(session)
        this.#part.reached(session)
      },
      message: (session, message, pages) => {
        this.#onMessage(session, message, pages)
      },
      lost: (session, loss) => {
        this.members.lost(session.peer)
        this.#part.lost(session)
        this.replicas.sessionLost(session, loss)
        this.watches.sessionLost(session)
      },
    })
    const { peers, dialers, siblings } = this.#sessions
    this.#peers = peers
    const useMoves = options.autoMigrate === true ? this.#makeUseMoves() : undefined
    this.#useMoves = useMoves
    this.replicas = new ReplicaSet({
      self: identity.node,
      environment: { clock: world.clock, logger: world.logger, plugins, ...this.#memory },
      protocol: (attributes) => plugins.protocolOf(attributes),
      describe: (region) => this.location.descriptorOf(region),
      learned: (descriptor) => {
        this.location.learned(descriptor)
      },
      ...(useMoves !== undefined && {
        served: (descriptor: RegionDescriptor, site: SiteId) => {
          useMoves.served(descriptor, site)
        },
      }),
      isAwaited: (message) => this.home.isAwaited(message),
      mayArrive: (region) => this.home.moves.mayArrive(region),
      // What is left of it in a group that it has gone from says nothing.
      isBacked: (region, generation) =>
        this.home.find(region) === undefined &&
        (this.#part.groups.backed(region)?.descriptor.generation === generation ||
          this.#part.groups.coming(region)?.generation === generation ||
          this.home.space.isLentFor(region, generation)),
      hasSpace: (region) => this.pools.find(region) !== undefined,
      unserved: (node) => {
        this.#part.relocator.missed(node)
      },
      find: (region) => this.#findReplica(region),
      learn: (address) => {
        this.location.forget(address)
        return this.#learnRegion(address)
      },
      gone: (region) => {
        this.location.forget(region)
      },
      covers: (session) => this.#sessions.covers(session),
      want: (peer) => {
        this.#part.relocator.missed(peer as NodeId)
        if (peer !== identity.node) dialers.want(peer as NodeId)
      },
      handed: (sibling, how) => {
        if (how === 'straight') peers.use(sibling)
        else siblings.missed(sibling)
      },
    })
    this.pools = new OwnPools({
      store,
      grantPool: (size) => this.#part.manager.grantPool(size),
      prepare: (pool) => this.#part.maps.begin(pool),
      changed: () => {
        this.#part.manager.report()
      },
    })
    this.#returns = new SpaceReturns({
      store,
      clock: world.clock,
      logger: world.logger,
      giveBack: (address, generation) => this.location.giveBack(address, generation),
    })
    this.#releases = new Releases({
      store,
      clock: world.clock,
      logger: world.logger,
      attempt: (release, wait) => this.#executor.release(release, wait),
      bug: options.releaseBug,
    })
    this.home = new Home({
      node: identity.node,
      store,
      replicas: this.replicas,
      pools: this.pools,
      inGrace: () => this.#grace.isOn,
      plugins,
      changed: {
        reserved: (descriptor) => {
          this.#part.maps.reserved(descriptor)
        },
        unreserved: (descriptor) => {
          this.#part.maps.unreserved(descriptor)
        },
      },
      storageFailed: (error) => {
        this.#onStorageFailed(error)
      },
      groups: { lead: (replicas, wait) => this.#part.groups.lead(replicas, wait) },
      transactions: {
        clock: world.clock,
        random: world.random,
        logger: world.logger,
        call: (call, wait) => this.#executor.execute(call, { kind: 'client' }, wait),
        bug: options.transactionBug,
      },
      moves: {
        incarnation: parts.incarnation,
        clock: world.clock,
        random: world.random,
        logger: world.logger,
        call: (node, call, wait, pages) => this.#peers.call(node, call, wait, pages),
        hasLeft: (node) => this.members.find(node)?.state === 'left',
        graceEnded: () => this.#grace.whenOver(),
        moved: (descriptor) => {
          this.#part.maps.moved(descriptor)
          this.#part.manager.hint(descriptor)
        },
        bug: options.moveBug,
      },
      handovers: {
        incarnation: parts.incarnation,
        clock: world.clock,
        random: world.random,
        logger: world.logger,
        register: {
          decide: (attempt, wanted, isWanted) =>
            this.#part.groups.handovers.decide(attempt, wanted, isWanted),
          forget: (attempt) => this.#part.groups.handovers.forget(attempt),
        },
        graceEnded: () => this.#grace.whenOver(),
        bug: options.handoverBug,
      },
      took: (descriptor) => {
        this.#part.took([descriptor])
      },
      returns: this.#returns,
      lent: new LentSpace(store),
    })
    const part = new ClusterPart({
      ...{
        store,
        incarnation: parts.incarnation,
        options,
        record,
        identity,
        pools: this.pools,
        returns: this.#returns,
        releases: this.#releases,
        home: this.home,
      },
      ...{ replicas: this.replicas, peers: this.#peers },
      storageFailed: (error) => {
        this.#onStorageFailed(error)
      },
      dialers: () => dialers,
      replica: (descriptor) => this.replica(descriptor),
    })
    this.#part = part
    this.#resources = new NodeResources({
      clock: world.clock,
      logger: world.logger,
      memory: this.#memory,
      store,
      home: this.home,
      changed: () => {
        this.#part.manager.report()
      },
    })
    this.#scrubber = new Scrubber({
      clock: world.clock,
      logger: world.logger,
      store,
      everyMs: options.scrubEveryMs ?? scrubEveryMsDefault,
      found: () => {
        this.groups.mend()
      },
    })
    const followed = {
      ...{ self: identity.node, clock: world.clock, home: this.home, peers: this.#peers },
      ...{ location: this.location, members: this.members },
    }
    this.#executor = new CallExecutor({
      ...followed,
      homeCalls: new HomeCalls(followed),
      pools: this.pools,
      maps: this.#part.maps,
      coordinate: (question, wait) => this.#part.desk.serve(question, wait),
      leave: (wait) => this.leave(wait),
      hasLeft: () => this.members.hasLeft,
      resources: (limits) => this.#resources.limit(limits),
      duties: this.#part.duties,
      releases: this.#releases,
      status: () => this.status(),
      spaceBug: options.spaceBug,
    })
    this.watches = new NodeWatches({
      self: identity.node,
      clock: world.clock,
      random: world.random,
      home: this.home,
      peers: this.#peers,
      locate: async (address, wait) => {
        const { descriptor } = await this.location.find(address, wait)
        return descriptor.home
      },
      learned: (descriptor) => {
        this.location.learned(descriptor)
      },
    })
  }

  #makeUseMoves(): UseMoves {
    const { clock, logger } = this.#options.world
    return new UseMoves({
      clock,
      logger,
      locksTaken: (region) => this.replicas.get(region)?.locksTaken,
      migrate: (region, to, wait) => this.home.migrate(region, to, wait),
      isLeaving: () => this.#part.leave.progress !== undefined,
    })
  }

  /** Takes up service: the regions, the doors, the peers, in this order. */
  async #serve(): Promise<void> {
    const { world, leaseMs = leaseMsDefault } = this.#options
    this.#returns.load()
    this.#releases.load()
    this.home.load()
    for (const { address, size } of this.#part.groups.descriptors()) this.pools.occupy(address, size)
    this.#tellOfMissingPlugins()
    if (this.#lessees.mayExist) {
      this.#grace.start(world.clock, leaseMs, () => {
        for (const replica of this.replicas.all()) if (replica.role.kind === 'home') replica.graceEnded()
      })
    }
    try {
      await this.#doors.open((connection) => {
        this.#sessions.acceptor.accept(connection)
      })
      await this.#part.enter(this.#doors.listen, this.incarnation)
      this.#sessions.idle.start()
      this.home.start()
      this.#useMoves?.start()
      this.#scrubber.start()
      this.#returns.start()
      this.#releases.start()
      await this.#part.start()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Whether rights from before the last crash may still be in use. */
  get isInGrace(): boolean {
    return this.#grace.isOn
  }

  /** Who is in the cluster. */
  get members(): Membership {
    return this.#part.members
  }

  /** Where regions are. */
  get location(): Location {
    return this.#part.location
  }

  /** The home groups that this node has a part in. */
  get groups(): HomeGroups {
    return this.#part.groups
  }

  /** The way to the coordinator that the founder keeps. */
  get coordinatorDesk(): CoordinatorDesk {
    return this.#part.desk
  }

  /**
   * Says in the log where the coordinator does not answer, or is not that of the cluster, and when it does. Never rejects; resolves when all is as it should be, or
   * the node is closed.
   */
  checkCoordinator(): Promise<void> {
    return this.#part.checkCoordinator()
  }

  get name(): string {
    return this.identity.name
  }

  get node(): NodeId {
    return this.identity.node
  }

  /** `host:port`, empty where it accepts nothing over TCP. */
  get listen(): string {
    return this.#doors.listen
  }

  status(): NodeStatus {
    const { world } = this.#options
    const { traffic } = this.#sessions
    const groups = this.groups.counts
    return {
      node: this.identity.node,
      name: this.identity.name,
      listen: this.#doors.listen,
      incarnation: this.incarnation,
      uptimeMs: world.clock.now() - this.#startedAt,
      regions: this.home.regions.programs,
      clients: this.#peers.clientCount,
      nodeSessions: this.#peers.nodeCount,
      memoryBytes: this.#memory.frames.usedBytes,
      memoryBytesMax: this.#memory.frames.bytesMax,
      diskBytes: this.#store.diskBytes,
      diskBytesMax: this.#store.diskBytesMax,
      allocatedBytes: this.home.allocatedBytes,
      damagedPages: this.#store.damage.length,
      mendedPages: this.groups.mendedPages,
      groupsLed: groups.led,
      groupsShort: groups.short,
      groupsBacked: groups.backed,
      messagesSent: traffic.messagesSent,
      bytesSent: traffic.bytesSent,
      messagesFromClients: traffic.messagesFromClients,
      bytesFromClients: traffic.bytesFromClients,
      manager: this.members.manager,
      poolBytes: this.pools.bytes,
      poolFreeBytes: this.pools.freeBytes,
      leaving: this.#part.leave.progress,
      movedByUse: this.#useMoves?.moved ?? 0,
      releasesPending: this.#releases.count,
    }
  }

  call(call: Call, options: WaitOptions): Promise<Result> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const { clock } = this.#options.world
    return within(
      clock,
      call.op,
      options,
      this.#executor.execute(call, { kind: 'client' }, { ...options, timeoutMs: peerMs(options) }),
    )
  }

  get clock(): Clock {
    return this.#options.world.clock
  }

  get random(): Random {
    return this.#options.world.random
  }

  replica(descriptor: RegionDescriptor): Replica {
    if (this.#closed !== undefined) throw this.#closed
    const { address, generation, era } = descriptor
    const existing = this.replicas.get(address)
    if (existing !== undefined) {
      const known = existing.descriptor
      if (known.generation === generation && known.era >= era) return existing
    }
    const here = this.home.replica(address)
    if (here?.descriptor.generation === generation) return here
    // A handle may be older than what is known here by now: homes move.
    const known = this.location.descriptorOf(address)
    const newest = known?.generation === generation && known.era > era ? known : descriptor
    if (newest.home === this.identity.node) return this.#replicaToCome(newest, existing, known)
    return this.replicas.open(newest, { kind: 'copy', parent: newest.home })
  }

  /**
   * Whoever told of the descriptor knew sooner than this node that it is the home now. Until it knows too, it goes on with what it
   * has, as a copy, which becomes the home's when that is so. Throws `no-such-region`, `unreachable`.
   */
  #replicaToCome(
    descriptor: RegionDescriptor,
    existing: Replica | undefined,
    known: RegionDescriptor | undefined,
  ): Replica {
    const { address, generation } = descriptor
    if (descriptor.attributes.minReplicas > 1) return this.#replicaToFind(descriptor)
    if (this.home.settled(address) === undefined && this.#part.groups.coming(address) === undefined)
      throw unreserved()
    if (existing?.descriptor.generation === generation) return existing
    if (known?.generation === generation && known.home !== this.identity.node)
      return this.replicas.open(known, { kind: 'copy', parent: known.home })
    throw new KhazanaError('unreachable', 'the region is moving here: try again soon')
  }

  /** Of a region of a home group that this node does not lead any more, or not yet: where it does not know who does, locks wait until it is found. */
  #replicaToFind(descriptor: RegionDescriptor): Replica {
    const { address, generation } = descriptor
    const copy = this.#part.groups.backed(address)
    const isCopied = copy?.descriptor.generation === generation
    const parent = (isCopied ? copy.primary : undefined) ?? this.identity.node
    return this.replicas.open(
      { ...(isCopied ? copy.descriptor : descriptor), home: parent },
      { kind: 'copy', parent },
    )
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.world.clock.after(ms, resolve))
  }

  watch(watched: Watched, options: WatchOptions): Promise<Watch> {
    return this.watches.watch(watched, options)
  }

  /**
   * Hands over all that this node has, and leaves the cluster for good; then it closes. Throws `timeout` and `unreachable`, which
   * say what is left, and goes on as a member then.
   */
  async leave(options: WaitOptions): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed
    try {
      await this.#part.leave.run(options)
    } finally {
      if (this.members.hasLeft) this.#closeSoon()
    }
  }

  /** Whoever asked is told first. */
  #closeSoon(): void {
    this.#options.world.clock.after(lastWordsMs, () => {
      this.#options.left?.()
      void this.close()
    })
  }

  #onStorageFailed(error: KhazanaError): void {
    const { world, storageFailed } = this.#options
    world.logger.log('error', 'the disk has failed: stop this node', { reason: error.message })
    storageFailed?.(error)
  }

  /** This node has left in an earlier life, which could tell nobody. Throws `wrong-cluster` when that is done, or `unreachable`. */
  async #sayFarewell(): Promise<never> {
    const isHeard = await this.#part.leave.sayFarewell()
    await this.close()
    throw isHeard ? leftForGood(this.#options, this.identity) : leftUnheard(this.#options, this.identity)
  }

  /**
   * Stops serving: takes nothing new, tells all peers, waits until what was unlocked is durable, gives the directory
   * back. Open locks break, and what was written under them is dropped. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const error = new KhazanaError('closed', 'the node was closed')
    this.#closed = error
    this.home.close(error)
    this.watches.close(error)
    this.#part.quiesce(error)
    this.#returns.stop()
    this.#releases.stop(error)
    this.#resources.stop()
    this.#useMoves?.stop(error)
    this.#scrubber.stop()
    await this.#doors.close()
    await this.#drain()
    this.home.transactions.stop()
    // All in one turn: nobody here or elsewhere uses anything of this node's once its lease is not kept.
    this.#part.stop(error)
    const parted = this.#sessions.close(this.#grace.isOn)
    this.#grace.stop()
    this.replicas.closeAll(error)
    await parted
    await this.#store.close()
    await this.#lock.release()
  }

  /** What was unlocked before the end becomes durable. */
  async #drain(): Promise<void> {
    const { clock, logger } = this.#options.world
    const wait = { timeoutMs: defaultTimeoutMs }
    try {
      await within(clock, 'closing', wait, this.replicas.finish(wait))
    } catch (reason) {
      logger.log('warn', 'closed before all was durable', { reason: KhazanaError.from(reason).message })
    }
  }

  // ---- peers ------------------------------------------------------------------------------------------------------

  #onMessage(session: Session, message: SequencedMessage, pages: readonly Uint8Array[]): void {
    switch (message.kind) {
      case 'cm':
      case 'cm-plain':
      case 'region-notice':
        return this.replicas.deliver(session, message, pages)
      case 'request':
        void this.#peers.serve(session, message, () => this.#serveCall(session, message, pages))
        return
      case 'watch-notice':
        return this.watches.onNotice(session, message)
      case 'response':
      case 'failure':
        return this.#peers.onAnswer(session, message)
      case 'members':
        if (isNode(session.peer.site)) this.members.receive(session, message)
        return
      case 'group':
        return this.#part.groups.onMessage(session, message, pages)
      case 'part':
        return this.#sessions.idle.onPart(session)
      case 'stay':
        return this.#sessions.idle.onStay(session)
    }
  }

  async #serveCall(
    session: Session,
    { call, waitMs }: Request,
    pages: readonly Uint8Array[],
  ): Promise<Result> {
    const wait = { timeoutMs: Math.min(timeoutMsMax, Math.max(1, waitMs)) }
    const { site } = session.peer
    const caller = isNode(site)
      ? ({ kind: 'node', node: site, pages } as const)
      : ({ kind: 'client' } as const)
    if (caller.kind === 'client' && (call.op === 'conclude' || (call.op === 'vote' && call.vote !== 'not')))
      throw new KhazanaError('unsupported', 'only nodes say what they have of a transaction')
    if (call.op === 'watch' && caller.kind === 'node' && this.home.find(call.address) === undefined) {
      // It takes this node for the home, as it may have been.
      const known = await this.#executor.execute({ op: 'describe', address: call.address }, caller, wait)
      const { descriptor } = expectResult('describe', known)
      if (descriptor.home !== this.identity.node) return { op: 'moved', descriptor }
    }
    if (call.op === 'watch' || call.op === 'unwatch') return this.watches.serve(session, call)
    return this.#executor.execute(call, caller, wait)
  }

  // ---- regions ----------------------------------------------------------------------------------------------------

  /** Asks for what is not known here. */
  async #learnRegion(address: Address): Promise<RegionDescriptor> {
    return (await this.location.find(address, {})).descriptor
  }

  /** Throws `unsupported`. */
  #findReplica(region: Address): Replica | undefined {
    const here = this.home.replica(region)
    if (here !== undefined) return here
    const descriptor = this.location.descriptorOf(region)
    if (descriptor === undefined) return undefined
    return this.replicas.open(descriptor, { kind: 'copy', parent: descriptor.home })
  }

  /** Regions that were reserved when this node had more registered cannot be locked; everything else goes on. */
  #tellOfMissingPlugins(): void {
    const told = new Set<string>()
    for (const { attributes } of this.home.regions.descriptors()) {
      try {
        this.#plugins.check(attributes)
      } catch (reason) {
        told.add(KhazanaError.from(reason).message)
      }
    }
    const { logger } = this.#options.world
    for (const reason of told) logger.log('error', 'regions homed here cannot be used', { reason })
  }
}

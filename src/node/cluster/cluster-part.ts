import type { RegionDescriptor } from '../../address/descriptor.js'
import { founder, isNode } from '../../address/identity.js'
import type { NodeId } from '../../address/identity.js'
import type { Coordinator } from '../../coordinator/coordinator.js'
import { ServedAccess } from '../../coordinator/served-access.js'
import { StoreCoordinator } from '../../coordinator/store-coordinator.js'
import { mapPageBytes } from '../../location/address-map/map-layout.js'
import { PoolGrants } from '../../location/pool-grants.js'
import { PoolHints } from '../../location/pool-hints.js'
import { RegionDirectory } from '../../location/region-directory.js'
import type { WaitOptions } from '../../io/deadline.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { Store } from '../../store/store.js'
import { checkCoordinator } from '../coordinator/coordinator-check.js'
import { CoordinatorDesk } from '../coordinator/coordinator-desk.js'
import { groupKey } from '../group/group-registry.js'
import { HomeGroups } from '../group/home-groups.js'
import type { Home } from '../home/home.js'
import { MoveReview } from '../home/move-review.js'
import { Location } from '../location/location.js'
import { Relocator } from '../location/relocator.js'
import { MapKeeper } from '../map/map-keeper.js'
import { MapRegion } from '../map/map-region.js'
import { MapSearch } from '../map/map-search.js'
import { RootMap } from '../map/root-map.js'
import { rootMapAddress } from '../map/system-regions.js'
import type { NodeDialers } from '../node-dialers.js'
import { leaseMsDefault, restoreBytesPerSecondDefault } from '../node-options.js'
import type { NodeOptions } from '../node-options.js'
import type { NodeIdentity, NodeRecord } from '../node-record.js'
import type { Peers } from '../peers.js'
import type { OwnPools } from '../pools/own-pools.js'
import type { SpaceReturns } from '../pools/space-returns.js'
import type { Releases } from '../releases/releases.js'
import type { ReplicaSet } from '../replica-set.js'
import type { Replica } from '../replica/replica.js'
import type { Session } from '../session/session.js'
import { Leave } from './leave.js'
import { ManagerDuties } from './manager-duties.js'
import { ManagerLink } from './manager-link.js'
import { Membership } from './membership.js'

/** Descriptors of regions homed elsewhere that a node remembers. */
const directoryEntriesMax = 100_000
/**
 * For how many leases a node that might be the cluster manager may be away before another one is taken for it. It is away when its
 * session is lost, for which it has been silent for a lease.
 */
const managerPatienceLeases = 2
/** How long what concerns the root of the address map may take. */
const mapWait = { timeoutMs: 5000 }

export interface ClusterPartOptions {
  readonly options: NodeOptions
  readonly store: Store
  readonly incarnation: number
  readonly storageFailed: (error: KhazanaError) => void
  readonly record: NodeRecord
  readonly identity: NodeIdentity
  readonly pools: OwnPools
  readonly returns: SpaceReturns
  readonly releases: Releases
  readonly home: Home
  readonly replicas: ReplicaSet
  readonly peers: Peers
  /** Not asked for before the node is put together. */
  readonly dialers: () => NodeDialers
  /** Throws as a lock does. */
  readonly replica: (descriptor: RegionDescriptor) => Replica
}

/** A node's part in its cluster, put together: who is in it and manages it, where regions are, and the way out. */
export class ClusterPart {
  readonly members: Membership
  readonly duties: ManagerDuties
  readonly manager: ManagerLink
  readonly location: Location
  readonly relocator: Relocator
  readonly maps: MapKeeper
  readonly leave: Leave
  /** Who lives, and who leads. */
  readonly coordinator: Coordinator
  /** The coordinator that the founder keeps. */
  readonly desk: CoordinatorDesk
  readonly groups: HomeGroups
  readonly #review: MoveReview
  readonly #options: ClusterPartOptions
  readonly #rootMap: RootMap

  readonly #stopped = sharedAbortController()

  constructor(parts: ClusterPartOptions) {
    this.#options = parts
    const { options, record, identity, pools, returns, releases, home } = parts
    const { replicas, peers, dialers, replica } = parts
    const { world, leaseMs = leaseMsDefault } = options
    this.desk = new CoordinatorDesk({
      self: identity.node,
      host: founder,
      isInUse: options.coordinator === undefined,
      clock: world.clock,
      store: parts.store,
      peers,
    })
    this.coordinator = new StoreCoordinator({
      clock: world.clock,
      access:
        options.coordinator?.(identity.cluster) ??
        new ServedAccess((request, wait) => this.desk.ask(request, wait)),
    })
    this.groups = new HomeGroups({
      self: identity.node,
      incarnation: parts.incarnation,
      clock: world.clock,
      random: world.random,
      logger: world.logger,
      coordinator: this.coordinator,
      leaseMs,
      store: parts.store,
      home: () => home,
      takeSpace: () => home.numbers.takeSpace(),
      numbers: () => home.numbers.records(),
      members: () => this.members.members.filter(({ state }) => state === 'in').map(({ node }) => node),
      session: (node) => peers.get(node),
      sessions: () => replicas.sessions(),
      revoke: (reason) => {
        for (const session of [...replicas.sessions()]) session.revoke(reason)
      },
      want: (node) => {
        dialers().want(node)
      },
      took: (descriptors) => {
        this.took(descriptors)
      },
      storageFailed: parts.storageFailed,
      bug: options.groupBug,
      restoreBytesPerSecond: options.restoreBytesPerSecond ?? restoreBytesPerSecondDefault,
      mendBug: options.mendBug,
    })
    this.maps = new MapKeeper({
      clock: world.clock,
      logger: world.logger,
      home,
      pools,
      isFounder: identity.node === founder,
    })
    this.#rootMap = new RootMap({
      clock: world.clock,
      logger: world.logger,
      region: async () => {
        const root = await this.location.findMap(rootMapAddress, [], mapWait)
        return new MapRegion(() => replica(root))
      },
      allocate: (pages) => this.#allocateRoot(pages),
    })
    const search = new MapSearch({
      clock: world.clock,
      find: (map, homes, wait) => this.location.findMap(map, homes, wait),
      replica: (descriptor) => replica(descriptor),
      done: (replica) => {
        if (replica.role.kind === 'copy') replica.giveUp()
      },
    })
    this.members = new Membership({
      self: identity.node,
      clock: world.clock,
      logger: world.logger,
      record,
      patienceMs: leaseMs * managerPatienceLeases,
      sessions: () => peers.nodes(),
      keep: (nodes) => {
        dialers().keepOnly(nodes)
      },
      askForId: (manager, name, listen) => this.manager.askForId(manager, name, listen),
      changed: () => {
        dialers().tableChanged()
      },
      managerChanged: (manager) => {
        this.#onManagerChanged(manager)
      },
    })
    const grants = new PoolGrants(identity.node)
    for (const entry of record.grants) grants.add(entry)
    const hints = new PoolHints()
    this.duties = new ManagerDuties({
      record,
      members: this.members,
      grants,
      hints,
      learned: (descriptor) => {
        this.location.learned(descriptor)
      },
      reported: (node, report) => {
        this.#rootMap.reported(node, report)
      },
      bug: options.spaceBug,
    })
    this.manager = new ManagerLink({
      self: identity.node,
      clock: world.clock,
      manager: () => this.members.manager,
      duties: this.duties,
      call: (node, call, wait) => peers.call(node, call, wait),
      report: () => pools.report(home.roomBytes),
    })
    this.location = new Location({
      self: identity.node,
      clock: world.clock,
      home,
      pools,
      returns,
      grants,
      hints,
      backed: (address) => this.groups.backed(address),
      isComing: (address) => this.groups.coming(address) !== undefined,
      isLent: (address) => home.space.isLent(address),
      directory: new RegionDirectory(directoryEntriesMax),
      isCurrent: ({ address, generation }) => {
        const replica = replicas.get(address)
        return replica?.descriptor.generation === generation && replica.hasRights
      },
      isInUse: (descriptor) => replicas.isInUse(descriptor),
      members: this.members,
      peers,
      searchMap: (address, wait) => search.search(address, wait),
      tellManager: (descriptor) => {
        this.manager.hint(descriptor)
      },
    })
    this.relocator = new Relocator({
      clock: world.clock,
      logger: world.logger,
      replicas,
      known: (address) => this.location.descriptorOf(address),
      hasLeft: (node) => this.members.find(node)?.state === 'left',
      find: (address, home, wait) => this.location.seek(address, home, wait),
    })
    this.#review = new MoveReview({
      clock: world.clock,
      logger: world.logger,
      gone: () => home.moves.gone().filter(({ address }) => pools.find(address) === undefined),
      find: (address, wait) => this.location.findAnew(address, wait),
      letGo: (descriptor) => home.space.letGo(descriptor),
    })
    this.leave = new Leave({
      self: identity.node,
      clock: world.clock,
      logger: world.logger,
      home,
      pools,
      returns,
      releases,
      members: this.members,
      record,
      call: (peer, call, wait) => peers.call(peer, call, wait),
      groups: this.groups,
      objection: (wait) => this.#objection(wait),
      known: (address) => this.location.descriptorOf(address),
      unfollow: (pool) => {
        this.maps.unfollow(pool)
      },
    })
  }

  /** This node is in the cluster, and can be reached: the others are told, and its manager is looked for. */
  enter(listen: string, incarnation: number): Promise<void> {
    const { node, name } = this.#options.identity
    return this.members.start({ node, name, listen, revision: incarnation, state: 'in' })
  }

  /** Goes on with what was under way, and makes what is missing of the address map. Throws `storage-failed`, `no-space`. */
  async start(): Promise<void> {
    void this.leave.resume()
    this.groups.start()
    this.#review.start()
    if (!this.members.hasLeft) await this.maps.start()
  }

  /** Never rejects; ends with this. */
  checkCoordinator(): Promise<void> {
    const { options, identity } = this.#options
    const { clock, logger } = options.world
    const isOther = options.coordinator !== undefined && identity.node !== founder
    const desk = isOther ? this.desk : undefined
    return checkCoordinator({
      clock,
      logger,
      coordinator: this.coordinator,
      desk,
      signal: this.#stopped.signal,
    })
  }

  /** Begins nothing new. What is served goes on: in home groups, too, whose lease is kept, so that nobody takes them over. */
  quiesce(error: KhazanaError): void {
    this.members.stop()
    this.manager.stop()
    this.maps.stop()
    this.#rootMap.stop()
    this.#review.stop()
    this.leave.stop(error)
  }

  /** After this nothing may be served any more: others take over when the lease has ended. */
  stop(error: KhazanaError): void {
    this.#stopped.abort(error)
    this.groups.stop(error)
    this.coordinator.close()
    this.desk.close()
    this.relocator.stop()
  }

  /** The coordinator that home groups rest on cannot be handed over. Throws `unreachable`. */
  async #objection(wait: WaitOptions): Promise<KhazanaError | undefined> {
    if (!this.desk.isHost) return undefined
    const { found } = await this.coordinator.list(groupKey(''), wait)
    if (found.length === 0) return undefined
    return new KhazanaError(
      'unsupported',
      'this node keeps the coordinator, on which home groups rest: it cannot leave. A cluster with an etcd has no such node',
    )
  }

  /** A session has begun. */
  reached(session: Session): void {
    const { site } = session.peer
    this.members.reached(session)
    if (isNode(site)) {
      this.location.heard(site)
      this.groups.sessionBegan(site)
    }
    if (site === this.members.manager) this.#onManagerReached()
  }

  /** The session is lost, as all others have been told. */
  lost({ peer: { site } }: Session): void {
    if (isNode(site)) this.groups.sessionLost(site)
  }

  /** The cluster manager hears where regions are that this node has taken over. */
  took(descriptors: readonly RegionDescriptor[]): void {
    for (const descriptor of descriptors) {
      this.location.learned(descriptor)
      this.manager.hint(descriptor)
    }
  }

  #onManagerChanged(manager: NodeId): void {
    this.#options.options.world.logger.log('info', 'the cluster has another manager', { manager })
    if (manager === this.#options.identity.node || this.#options.peers.get(manager) !== undefined)
      this.#onManagerReached()
  }

  #onManagerReached(): void {
    this.manager.report()
    if (!this.members.hasIds && !this.members.isManager) void this.#fetchSpareIds()
  }

  /** Never rejects. */
  async #fetchSpareIds(): Promise<void> {
    try {
      await this.members.takeIds([await this.manager.askForIds(this.members.manager)])
    } catch (reason) {
      // They are for the day on which no other node can give any: the next manager is asked again.
      const { code, message } = KhazanaError.from(reason)
      if (code === 'internal') throw reason
      this.#options.options.world.logger.log('info', 'no numbers for new nodes were had', {
        code,
        reason: message,
      })
    }
  }

  async #allocateRoot(pages: number): Promise<void> {
    const range = { offset: 0, length: pages * mapPageBytes }
    const { home } = await this.location.findMap(rootMapAddress, [], mapWait)
    if (home === this.#options.identity.node) return this.#options.home.allocate(rootMapAddress, range)
    await this.#options.peers.call(
      home,
      { op: 'allocate', address: rootMapAddress, generation: 0, ...range },
      mapWait,
    )
  }
}

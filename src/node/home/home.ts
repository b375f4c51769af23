import type { Address } from '../../address/address.js'
import { checkAttributes } from '../../address/attributes.js'
import type { RegionAttributes, RegionDescriptor, TakenRange } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { neverWritten } from '../../address/page.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { RangeSet } from '../../address/range-set.js'
import { checkRange, pagesOf } from '../../address/range.js'
import type { ByteRange } from '../../address/range.js'
import { regionSize } from '../../address/region-size.js'
import type { Plugins } from '../../consistency/plugins.js'
import { KhazanaError } from '../../stdx/errors.js'
import { spaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { AttributeChanges, PageStat, RegionStat } from '../../wire/message.js'
import type { TransactionCall, TransactionResult } from '../../wire/transaction-message.js'
import type { WaitOptions } from '../../io/deadline.js'
import { checkNoSystemLabel } from '../map/system-regions.js'
import type { OwnPools } from '../pools/own-pools.js'
import type { LentSpace } from '../pools/lent-space.js'
import type { SpaceReturns } from '../pools/space-returns.js'
import type { RegionMessage } from '../region-message.js'
import type { ReplicaSet } from '../replica-set.js'
import { unreserved } from '../unreserved.js'
import type { Replica } from '../replica/replica.js'
import { isNote } from '../transaction/note.js'
import type { TransactionWorld } from '../transaction/transaction-environment.js'
import { Transactions } from '../transaction/transactions.js'
import type { ReplicaRole } from '../replica/role.js'
import type { HomeWatchSink, Subscription, WatchTarget } from '../watch/watch-sink.js'
import { Handovers } from './handovers.js'
import type { HandoverEnvironment } from './handovers.js'
import type { HomeGroup } from './home-group.js'
import { HomedRegion } from './homed-region.js'
import type { ArrivalRecord } from './arrival-record.js'
import { HomeMoves } from './home-moves.js'
import type { MoveEnvironment } from './home-moves.js'
import { LocalLog } from './region-log.js'
import { HomeSpace } from './home-space.js'
import { HomeNumbers } from './home-numbers.js'
import type { PlaceTaken } from './home-numbers.js'
import { RegionChanges } from './region-changes.js'
import type { RegionLog } from './region-log.js'
import { decodeRegion, regionKeyPrefix } from './region-record.js'
import type { RegionRecord } from './region-record.js'
import { RegionStorage, alignedPages } from './region-storage.js'
import { RegionTable, storageBytes } from './region-table.js'

export interface HomeOptions {
  readonly node: NodeId
  readonly store: Store
  readonly replicas: ReplicaSet
  /** Where regions that are reserved here get their addresses. */
  readonly pools: OwnPools
  /** Whether rights from before a restart may be outstanding. */
  readonly inGrace: () => boolean
  /** A write to the disk failed for good. */
  readonly storageFailed: (error: KhazanaError) => void
  /** What regions may name. */
  readonly plugins: Pick<Plugins, 'check'>
  /** Durable already, and told in the turn in which it takes effect. */
  readonly changed: {
    reserved(descriptor: RegionDescriptor): void
    /** Also of a region of this node's address space that was homed elsewhere. */
    unreserved(range: TakenRange): void
  }
  /** How releases of several contexts together are agreed upon. */
  readonly transactions: TransactionWorld
  /** Where homes move, and who is told. */
  readonly moves: MoveEnvironment
  readonly groups: {
    /** The home group of that many members that this node leads, or makes. Throws `unreachable`, `timeout`. */
    lead(replicas: number, wait: WaitOptions): Promise<HomeGroup>
  }
  /** How regions get other numbers of replicas. */
  readonly handovers: HandoverEnvironment
  /** Address space of this node's that regions of home groups have. */
  readonly lent: LentSpace
  /** Tells the node that has the address space of a region that has ended here. */
  readonly returns: SpaceReturns
  /** A region is homed here that may have been homed elsewhere. */
  readonly took: (descriptor: RegionDescriptor) => void
}

/**
 * The regions homed at this node: reserving, storage, attributes, and the root replica of each. Every change is durable
 * before it is answered.
 */
export class Home {
  readonly #options: HomeOptions
  readonly regions = new RegionTable()
  readonly numbers: HomeNumbers
  readonly space: HomeSpace
  readonly moves: HomeMoves
  readonly transactions: Transactions
  readonly #handovers: Handovers
  /** Those that this node leads, in their present reigns, by their names. */
  readonly #groups = new Map<string, HomeGroup>()
  readonly #log: RegionLog
  readonly #storage: RegionStorage
  readonly #changes: RegionChanges
  #closed: KhazanaError | undefined
  /** Why nothing is to be homed here any more. */
  #refusal: KhazanaError | undefined
  /** Reserves that may have an address, and are not durable yet. */
  readonly #reserving = new Set<Promise<RegionDescriptor>>()

  constructor(options: HomeOptions) {
    this.#options = options
    const { node, store, replicas } = options
    this.#log = new LocalLog(store)
    this.numbers = new HomeNumbers(store)
    const takeSpace = (): PlaceTaken => this.numbers.takePlace()
    const checkRoom = (bytes: number): void => {
      this.#checkRoom(bytes)
    }
    this.transactions = new Transactions({
      ...options.transactions,
      node,
      store,
      find: (address) => this.regions.get(address),
      takeSpace: () => this.numbers.takeSpace(),
      numbers: () => this.numbers.records(),
      doubtEnded: ({ descriptor }, pages) => {
        replicas.get(descriptor.address)?.doubtEnded(pages)
      },
      storageFailed: options.storageFailed,
    })
    this.moves = new HomeMoves(
      {
        node,
        store,
        replicas,
        find: (address) => this.find(address),
        openReplica: (address) => this.#replicaIfServed(address),
        check: (region) => {
          this.#checkArrival(region)
        },
        takeSpace,
        remove: ({ descriptor: { address } }) => {
          this.regions.close(address)
        },
        insert: (record) => {
          this.#insert(record)
        },
        released: (bytes) => {
          this.regions.promise(-bytes)
        },
      },
      options.moves,
    )
    this.#handovers = new Handovers(
      {
        node,
        store,
        replicas,
        log: this.#log,
        isOpen: (group) => group === undefined || this.#groups.get(group.name) === group,
        takeSpace,
        find: (address) => this.find(address),
        isServed: (region) => this.regions.isServed(region),
        openReplica: (address) => {
          this.#replicaIfServed(address)
        },
        ownRecords: ({ descriptor }, group) => this.space.recordsOf(descriptor, group),
        kept: (descriptor, group) => {
          this.space.keptIn(descriptor, group)
        },
        seat: (region) => {
          const { descriptor } = region
          this.regions.add(region)
          if (replicas.get(descriptor.address) !== undefined) replicas.open(descriptor, this.#roleOf(region))
        },
        unseat: (region, error) => {
          this.#unseat(region, error)
        },
        arrived: (record, { group }) => {
          this.space.keptIn(record.descriptor, group)
          const region = this.#regionOf(record, group)
          this.regions.add(region)
          replicas.seat(record.descriptor, this.#roleOf(region))
          options.took(record.descriptor)
        },
        settled: (address) => {
          replicas.stayedAway(address)
        },
      },
      options.handovers,
    )
    this.space = new HomeSpace({
      ...{ store, pools: options.pools, lent: options.lent, returns: options.returns },
      unreserved: (range) => {
        options.changed.unreserved(range)
      },
      forgetMoved: (address, generation) => this.moves.letGo(address, generation),
      hasLeftover: (address) => this.#handovers.doubts.hasLeftover(address),
    })
    this.#storage = new RegionStorage({
      ...{ table: this.regions, checkRoom },
      replica: ({ descriptor }) => this.replica(descriptor.address),
    })
    this.#changes = new RegionChanges({
      ...{ replicas, checkRoom, handovers: this.#handovers, clock: options.handovers.clock },
      checkSupported: (attributes) => {
        this.#checkSupported(attributes)
      },
      checkCurrent: (region) => {
        this.#checkCurrent(region)
      },
      lead: (count, wait) => options.groups.lead(count, wait),
      openReplica: ({ descriptor }) => {
        this.#replicaIfServed(descriptor.address)
      },
    })
  }

  /** Goes on with what a restart has interrupted. */
  start(): void {
    this.moves.start()
    this.#handovers.doubts.start()
    this.transactions.begin()
  }

  /** What had not begun does not begin any more: what went before it may not be over. */
  close(error: KhazanaError): void {
    this.#closed = error
    this.moves.close(error)
    this.#handovers.close(error)
  }

  /** Reads what is homed here from the store. Throws `bad-format`. */
  load(): void {
    const { store, node, pools, lent } = this.#options
    this.numbers.load()
    pools.load()
    for (const { descriptor, kept } of this.moves.load()) {
      pools.occupy(descriptor.address, descriptor.size)
      this.regions.promise(kept?.bytes ?? 0)
    }
    lent.load()
    for (const { address, size } of lent.all()) pools.occupy(address, size)
    const notes: RegionRecord[] = []
    for (const [key, value] of store.list(regionKeyPrefix)) {
      const record = decodeRegion(key, value, node)
      if (isNote(record.descriptor)) {
        notes.push(record)
        continue
      }
      const { address, size } = record.descriptor
      if (record.handover !== undefined) {
        const kept = { log: this.#log, group: undefined, space: record.space }
        this.#handovers.doubts.add(record, record.handover, kept)
        pools.occupy(address, size)
        continue
      }
      const region = this.#regionOf(record)
      // As of a change of its replicas that came to nothing.
      if (lent.has(address)) this.space.keptIn(record.descriptor, undefined)
      this.regions.add(region)
      pools.occupy(address, size)
    }
    this.transactions.load(notes, this.#log)
  }

  /** Bytes of storage promised to programs' regions, with what their records cost. */
  get allocatedBytes(): number {
    return this.promisedBytes - this.regions.systemBytes
  }

  /** Bytes of storage promised to all regions, also those that are arriving, with what their records cost. */
  get promisedBytes(): number {
    let bytes = this.regions.bytes + this.#handovers.bytes
    for (const region of this.#handovers.doubts.records()) bytes += storageBytes(region)
    for (const region of this.moves.arriving()) bytes += storageBytes(region)
    return bytes
  }

  /** Bytes of storage that may still be promised. */
  get roomBytes(): number {
    return Math.max(0, this.#options.store.usableBytes - this.promisedBytes)
  }

  /** The region that holds the address. */
  find(address: Address): RegionDescriptor | undefined {
    return this.regions.find(address)?.descriptor
  }

  /** Resolves when it is known whether the region that has the address is homed here; undefined where that is no question. */
  settled(address: Address): Promise<void> | undefined {
    return this.moves.settled(address) ?? this.#handovers.doubts.settled(address)
  }

  /** Whether the message is for the home that this node may be, or become. */
  isAwaited(message: RegionMessage): boolean {
    if (this.moves.isAwaited(message)) return true
    if (!this.#handovers.doubts.isFor(message) || this.regions.get(message.region) !== undefined) return false
    const role = this.#options.replicas.get(message.region)?.role
    return role?.kind !== 'copy' || role.parent === this.#options.node
  }

  /** Regions of which it is not known yet whether they are homed here. */
  get doubtCount(): number {
    return [...this.#handovers.doubts.records()].length
  }

  /** Nothing new is homed here, for this reason; undefined: it is again. */
  refuse(reason: KhazanaError | undefined): void {
    this.#refusal = reason
  }

  /** Bytes of storage promised to the region; 0 where it is not homed here. */
  storageOf(address: Address): number {
    const region = this.regions.get(address)
    return region === undefined ? 0 : storageBytes(region)
  }

  /** All that is homed here, or was handed over from here, and begins in the range, in order of the addresses. */
  knownInRange(start: Address, size: bigint): RegionDescriptor[] {
    const here = this.regions.inRange(start, size)
    const known = new Set(here.map(({ address }) => address))
    const moved = this.moves.inRange(start, size).filter(({ address }) => !known.has(address))
    return [...here, ...moved].sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  /** The root replica, made at its first use. */
  replica(address: Address): Replica | undefined {
    const region = this.regions.get(address)
    if (region === undefined) return undefined
    return this.#options.replicas.open(region.descriptor, this.#roleOf(region))
  }

  #roleOf(region: HomedRegion): Extract<ReplicaRole, { kind: 'home' }> {
    const role = { kind: 'home', backing: region, space: region.space } as const
    if (region.group === undefined) return { ...role, inGrace: this.#options.inGrace }
    // Rights that an earlier primary gave have ended with its lease.
    return { ...role, inGrace: () => false, lease: region.group.lease }
  }

  /** Undefined also where nobody can use the region, as what it names is not registered here. */
  #replicaIfServed(address: Address): Replica | undefined {
    try {
      return this.replica(address)
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'unsupported') throw reason
      return undefined
    }
  }

  /** Throws `invalid-argument`, `unsupported`, `no-space`, and what asking for address space does. */
  async reserve(
    size: number,
    pageSize: number,
    attributes: RegionAttributes,
    wait: WaitOptions,
  ): Promise<RegionDescriptor> {
    if (this.#refusal !== undefined) throw this.#refusal
    const rounded = regionSize(size, pageSize)
    const checked = checkAttributes(attributes)
    checkNoSystemLabel(checked.labels)
    this.#checkSupported(checked)
    const group =
      checked.minReplicas > 1 ? await this.#options.groups.lead(checked.minReplicas, wait) : undefined
    return this.#underWay(this.#reserveAnywhere(rounded, pageSize, checked, group))
  }

  async #reserveAnywhere(
    rounded: number,
    pageSize: number,
    checked: RegionAttributes,
    group: HomeGroup | undefined,
  ): Promise<RegionDescriptor> {
    const { pools } = this.#options
    const address = await pools.take(rounded, pageSize)
    if (this.#refusal !== undefined) {
      pools.give(address, rounded)
      throw this.#refusal
    }
    return this.#reserve(address, rounded, pageSize, checked, group)
  }

  #underWay(reserve: Promise<RegionDescriptor>): Promise<RegionDescriptor> {
    const over = (): void => void this.#reserving.delete(reserve)
    this.#reserving.add(reserve)
    reserve.then(over, over)
    return reserve
  }

  /** Resolves when every address that was taken before this was asked is a region's, or free again. Never rejects. */
  async whenReserved(): Promise<void> {
    await Promise.allSettled(this.#reserving)
  }

  /** A region of Khazana's own at an address that is taken for it. Throws `storage-failed`, `no-space`. */
  reserveAt(
    address: Address,
    size: number,
    pageSize: number,
    attributes: RegionAttributes,
  ): Promise<RegionDescriptor> {
    return this.#underWay(this.#reserve(address, size, pageSize, attributes))
  }

  async #reserve(
    address: Address,
    rounded: number,
    pageSize: number,
    checked: RegionAttributes,
    group?: HomeGroup,
  ): Promise<RegionDescriptor> {
    const generation = this.numbers.take()
    const descriptor: RegionDescriptor = {
      address,
      size: rounded,
      pageSize,
      home: this.#options.node,
      generation,
      revision: 1,
      era: 1,
      attributes: checked,
    }
    const { lent } = this.#options
    const record = { descriptor, allocated: new RangeSet(), floor: 0, space: spaceId(generation) }
    const region = this.#regionOf(record, group)
    try {
      const more = group === undefined ? [] : [lent.put(descriptor)]
      await region.commit({ record, own: () => ({ puts: [...this.numbers.records(), ...more] }) })
    } catch (error) {
      // It may have been made all the same, where others keep it too.
      if (KhazanaError.from(error).code !== 'outcome-unknown') this.#options.pools.give(address, rounded)
      throw error
    }
    if (group !== undefined) lent.begin(descriptor)
    this.regions.add(region)
    this.#options.changed.reserved(descriptor)
    return descriptor
  }

  /** Gives the range storage, all zeros; what has some keeps it. Throws `no-space`, `invalid-argument`. */
  allocate(address: Address, range: ByteRange): Promise<void> {
    const region = this.#region(address)
    const pages = alignedPages(range, region.descriptor)
    return region.exclusively(async () => {
      this.#checkCurrent(region)
      await this.#storage.allocate(region, pages)
    })
  }

  /** Takes the storage of the range away, once nobody has a lock on it. */
  free(address: Address, range: ByteRange, options: WaitOptions): Promise<void> {
    const region = this.#region(address)
    const pages = alignedPages(range, region.descriptor)
    return region.exclusively(async () => {
      this.#checkCurrent(region)
      await this.#storage.free(region, pages, options)
    })
  }

  /** Ends the region, once nobody has a lock on it: its storage, then its address. */
  unreserve(start: Address, options: WaitOptions): Promise<void> {
    const region = this.#region(start)
    const { descriptor } = region
    return region.exclusively(async () => {
      this.#checkCurrent(region)
      const all = { first: 0 as PageIndex, count: descriptor.size / descriptor.pageSize }
      await this.#storage.free(region, all, options)
      // Nobody asks any more what has been decided here.
      await this.transactions.whenOver(region, options)
      const own = this.space.endingOf(descriptor)
      await region.commit({ record: 'ended', own: () => own })
      region.hasEnded = true
      this.space.endLent(descriptor.address)
      this.regions.remove(region)
      const replica = this.#options.replicas.get(descriptor.address)
      if (replica !== undefined) this.#options.replicas.close(replica, unreserved())
      region.watchers.end(unreserved())
      this.space.ended(descriptor)
    })
  }

  /**
   * Moves the region's home to another node: DESIGN 7, docs/adr/0016-homes-move.md. Answers with the descriptor from then on. Throws
   * `timeout`, `aborted`, `unreachable`, `damaged`, and what the other node refuses it with, and all is as it was then; or
   * `outcome-unknown`, when the region is the other node's, which has not said yet that it serves it.
   */
  migrate(address: Address, to: NodeId, options: WaitOptions): Promise<RegionDescriptor> {
    const region = this.#region(address)
    return this.moves.migrate(region, to, options, (move) =>
      region.exclusively(() => {
        this.#checkCurrent(region)
        if (to === this.#options.node) return Promise.resolve(region.descriptor)
        if (region.group !== undefined) throw fixedHome()
        return move(storageBytes(region))
      }),
    )
  }

  /** Throws `unsupported`, `no-space`. */
  #checkArrival(region: Omit<RegionRecord, 'space'>): void {
    if (this.#refusal !== undefined) throw this.#refusal
    this.#checkSupported(region.descriptor.attributes)
    if (region.descriptor.attributes.minReplicas > 1) throw fixedHome()
    this.#checkRoom(storageBytes(region))
  }

  /** Nothing waits between what is durable and this. */
  #insert({ region: record, from }: ArrivalRecord): void {
    const { node, replicas } = this.#options
    const { descriptor } = record
    const region = this.#regionOf(record)
    this.regions.add(region)
    replicas.move({ ...descriptor, home: from }, { ...descriptor, home: node }, this.#roleOf(region))
  }

  /**
   * This node leads the group, and serves its regions from now on; copies that are in use here become the home's. Told at most once until
   * `closeGroup`.
   */
  openGroup(group: HomeGroup, records: Iterable<RegionRecord>): void {
    this.#groups.set(group.name, group)
    const { replicas } = this.#options
    const notes: RegionRecord[] = []
    const served: HomedRegion[] = []
    for (const record of records) {
      const { descriptor, handover, space } = record
      if (isNote(descriptor)) notes.push(record)
      else if (handover !== undefined)
        this.#handovers.doubts.resolve(record, handover, { log: group.log, group, space })
      else {
        const region = this.#regionOf(record, group)
        this.regions.add(region)
        served.push(region)
      }
    }
    // What is in doubt is known before anybody can be served.
    this.transactions.load(notes, group.log)
    for (const region of served) replicas.seat(region.descriptor, this.#roleOf(region))
    this.transactions.begin()
  }

  /**
   * This node serves the regions of the group no more, for the time being or for good: locks that are open here break, and those that wait go on waiting for
   * whoever is the home next.
   */
  closeGroup(name: string, error: KhazanaError): void {
    const group = this.#groups.get(name)
    if (group === undefined) return
    this.#groups.delete(name)
    this.#handovers.doubts.closeGroup(name)
    this.transactions.close(group.log)
    for (const region of this.regions.all()) if (region.group?.name === name) this.#unseat(region, error)
  }

  #unseat(region: HomedRegion, error: KhazanaError): void {
    const { replicas } = this.#options
    const { address } = region.descriptor
    this.regions.remove(region)
    const replica = replicas.get(address)
    if (replica !== undefined) replicas.unseat(replica, error)
    region.watchers.moved()
  }

  /** As `RegionChanges.set`. Throws `no-such-region`, `invalid-argument` also. */
  setAttributes(
    address: Address,
    changes: AttributeChanges,
    options: WaitOptions,
  ): Promise<RegionDescriptor> {
    const region = this.#region(address)
    checkNoSystemLabel(changes.labels)
    return this.#changes.set(region, changes, options)
  }

  /** What the home of another region of a transaction asks. Throws `unreachable` where the region is not served here at the moment. */
  settle(call: TransactionCall, options: WaitOptions): Promise<TransactionResult> {
    const region = this.regions.get(call.address)
    if (region !== undefined) return this.transactions.serve(region, call, options)
    throw notServedNow()
  }

  /** Tells the sink of all that becomes durable from now on. Throws `no-such-region`, `out-of-range`. */
  watch({ address, generation, range }: WatchTarget, sink: HomeWatchSink): Subscription {
    const region = this.#region(address)
    const { descriptor } = region
    if (descriptor.address !== address || descriptor.generation !== generation) throw unreserved()
    checkRange(range, descriptor.size)
    const stop = region.watchers.add(pagesOf(range, descriptor.pageSize), sink)
    return { ready: Promise.resolve(), stop }
  }

  stat(address: Address, range: PageRange): RegionStat {
    const region = this.#region(address)
    const { descriptor } = region
    const replica = this.#replicaIfServed(descriptor.address)
    const pages: PageStat[] = []
    for (let page = range.first; page < range.first + range.count; page++) {
      if (!region.isAllocated({ first: page, count: 1 })) continue
      const children = [...(replica?.inspect(page).children ?? [])]
      const owner = children.find(([, right]) => right === 'exclusive')?.[0]
      const sharers = children.filter(([site]) => site !== owner).map(([site]) => site)
      const version = region.storedVersion(page) ?? neverWritten
      pages.push({ page, version, owner, sharers, damaged: region.isDamaged(page) })
    }
    const all = [...region.allocated]
    return {
      descriptor,
      group: [...(region.group?.members ?? [descriptor.home])],
      epoch: region.group?.epoch ?? 1,
      allocated: all.slice(0, 1024).map(({ first, count }) => ({
        offset: first * descriptor.pageSize,
        length: count * descriptor.pageSize,
      })),
      allocatedBytes: region.allocated.total * descriptor.pageSize,
      pages,
      moving: this.moves.progressOf(descriptor.address) ?? this.#handovers.progressOf(descriptor.address),
      restoring: region.group?.restoring ?? [],
    }
  }

  #regionOf(record: RegionRecord, group?: HomeGroup): HomedRegion {
    const { store, storageFailed, moves } = this.#options
    const log = group?.log ?? this.#log
    return new HomedRegion(store, log, record, this.transactions, storageFailed, moves.incarnation, group)
  }

  #checkRoom(bytes: number): void {
    if (bytes <= this.roomBytes) return
    throw new KhazanaError(
      'no-space',
      `node ${this.#options.node} has no room for ${bytes} more bytes: ${this.roomBytes} of ` +
        `${this.#options.store.usableBytes} are left; free something there, or give it more (khazana resources --disk)`,
    )
  }

  #checkSupported(attributes: RegionAttributes): void {
    this.#options.plugins.check(attributes)
  }

  #region(address: Address): HomedRegion {
    const region = this.regions.find(address)
    if (region === undefined) throw unreserved()
    return region
  }

  /**
   * It may have been unreserved while this change waited for its turn, or have gone to another home, which is known then; or its home group is led by
   * another node now, or by this one anew. Throws `no-such-region`, `unreachable`.
   */
  #checkCurrent(region: HomedRegion): void {
    if (this.#closed !== undefined) throw this.#closed
    const { address, generation } = region.descriptor
    if (this.regions.isServed(region)) return
    if (region.hasEnded || this.moves.find(address)?.generation === generation) throw unreserved()
    throw notServedNow()
  }
}

function notServedNow(): KhazanaError {
  return new KhazanaError('unreachable', 'the region is not served here at the moment: try again')
}

function fixedHome(): KhazanaError {
  return new KhazanaError(
    'unsupported',
    'a region with minReplicas above 1 is not moved in this version: its backups take over by themselves',
  )
}

import type { Address } from '../../address/address.js'
import { applyChanges, checkAttributes } from '../../address/attributes.js'
import type { RegionAttributes, RegionDescriptor, TakenRange } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { neverWritten } from '../../address/page.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { RangeSet } from '../../address/range-set.js'
import { checkRange, checkWholePages, pagesOf } from '../../address/range.js'
import type { ByteRange } from '../../address/range.js'
import { regionSize } from '../../address/region-size.js'
import type { Plugins } from '../../consistency/plugins.js'
import { RegionDirectory } from '../../location/region-directory.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { MetadataPut } from '../../store/commit-group.js'
import { spaceId } from '../../store/space.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import { allocatedFragmentsMax } from '../../wire/limits.js'
import type { AttributeChanges, PageStat, RegionStat } from '../../wire/message.js'
import type { TransactionCall, TransactionResult } from '../../wire/transaction-message.js'
import { waitFrom } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import { checkNoSystemLabel, isSystemRegion } from '../map/system-regions.js'
import type { OwnPools } from '../pools/own-pools.js'
import type { LentSpace } from '../pools/lent-space.js'
import type { SpaceReturns } from '../pools/space-returns.js'
import type { RegionMessage } from '../region-message.js'
import type { ReplicaSet } from '../replica-set.js'
import { isKeptAlike } from '../kept-alike.js'
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
import type { OwnRecords, RegionChange, RegionLog } from './region-log.js'
import { decodeRegion, regionKeyPrefix } from './region-record.js'
import type { RegionRecord } from './region-record.js'

/** Pages whose storage is taken away at a time. */
const freePagesMax = 1024
/** Bytes on disk that a page costs beside its own: its record's header, and the room its batch rounds up to. */
const pageOverheadBytes = 256
const generationKey = 'generation'

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
  readonly #regions = new Map<Address, HomedRegion>()
  /** The same regions, found by any address in them. */
  readonly #directory = new RegionDirectory(Infinity)
  readonly moves: HomeMoves
  readonly transactions: Transactions
  readonly #handovers: Handovers
  /** Those that this node leads, in their present reigns, by their names. */
  readonly #groups = new Map<string, HomeGroup>()
  readonly #log: RegionLog
  #generation = 0
  #closed: KhazanaError | undefined
  #allocatedBytes = 0
  /** Why nothing is to be homed here any more. */
  #refusal: KhazanaError | undefined
  /** Reserves that may have an address, and are not durable yet. */
  readonly #reserving = new Set<Promise<RegionDescriptor>>()

  constructor(options: HomeOptions) {
    this.#options = options
    const { node, store, replicas } = options
    this.#log = new LocalLog(store)
    this.transactions = new Transactions({
      ...options.transactions,
      node,
      store,
      find: (address) => this.#regions.get(address),
      takeSpace: () => this.takeSpace(),
      numbers: () => this.numbers(),
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
        takeSpace: () => ({ space: this.takeSpace(), puts: this.numbers() }),
        remove: ({ descriptor: { address } }) => {
          this.#regions.delete(address)
          this.#directory.forget(address)
        },
        insert: (record) => {
          this.#insert(record)
        },
        released: (bytes) => {
          this.#allocatedBytes -= bytes
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
        takeSpace: () => ({ space: this.takeSpace(), puts: this.numbers() }),
        find: (address) => this.find(address),
        isServed: (region) => this.#regions.get(region.descriptor.address) === region,
        openReplica: (address) => {
          this.#replicaIfServed(address)
        },
        ownRecords: ({ descriptor }, group) => this.#spaceRecords(descriptor, group),
        kept: (descriptor, group) => {
          this.#keptIn(descriptor, group)
        },
        seat: (region) => {
          const { descriptor } = this.#keep(region)
          if (replicas.get(descriptor.address) !== undefined) replicas.open(descriptor, this.#roleOf(region))
        },
        unseat: (region, error) => {
          this.#unseat(region, error)
        },
        arrived: (record, { group }) => {
          this.#keptIn(record.descriptor, group)
          const region = this.#keep(this.#regionOf(record, group))
          replicas.seat(record.descriptor, this.#roleOf(region))
          options.took(record.descriptor)
        },
        settled: (address) => {
          replicas.stayedAway(address)
        },
      },
      options.handovers,
    )
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
    this.#generation = readNumber(store.get(generationKey))
    pools.load()
    for (const { descriptor, kept } of this.moves.load()) {
      pools.occupy(descriptor.address, descriptor.size)
      this.#allocatedBytes += kept?.bytes ?? 0
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
      if (lent.has(address)) this.#keptIn(record.descriptor, undefined)
      this.#regions.set(address, region)
      this.#directory.add(region.descriptor)
      pools.occupy(address, size)
      this.#allocatedBytes += storageBytes(region)
    }
    this.transactions.load(notes, this.#log)
  }

  /** Of programs. */
  get regionCount(): number {
    let count = 0
    for (const { descriptor } of this.#regions.values()) if (!isSystemRegion(descriptor)) count += 1
    return count
  }

  /** Bytes of storage promised to programs' regions, with what their records cost. */
  get allocatedBytes(): number {
    let bytes = this.promisedBytes
    for (const region of this.#regions.values()) {
      if (isSystemRegion(region.descriptor)) bytes -= storageBytes(region)
    }
    return bytes
  }

  /** Bytes of storage promised to all regions, also those that are arriving, with what their records cost. */
  get promisedBytes(): number {
    let bytes = this.#allocatedBytes + this.#handovers.bytes
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
    const start = this.#directory.find(address)?.address
    return start === undefined ? undefined : this.#regions.get(start)?.descriptor
  }

  /** Resolves when it is known whether the region that has the address is homed here; undefined where that is no question. */
  settled(address: Address): Promise<void> | undefined {
    return this.moves.settled(address) ?? this.#handovers.doubts.settled(address)
  }

  /** Whether the message is for the home that this node may be, or become. */
  isAwaited(message: RegionMessage): boolean {
    if (this.moves.isAwaited(message)) return true
    if (!this.#handovers.doubts.isFor(message) || this.#regions.has(message.region)) return false
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
    const region = this.#regions.get(address)
    return region === undefined ? 0 : storageBytes(region)
  }

  /** The last number that this node gave to a reservation. */
  get generation(): number {
    return this.#generation
  }

  /** A place in the store for the pages of one more region: what `numbers` says then is to be durable with it. */
  takeSpace(): SpaceId {
    this.#generation += 1
    return spaceId(this.#generation)
  }

  /** The record of which reservations and places have been given, as it is now. */
  numbers(): readonly MetadataPut[] {
    return [this.#generationPut()]
  }

  /** Reservations here get higher numbers than this: address space comes here on which another node has used so many. */
  async raiseGeneration(generation: number): Promise<void> {
    if (generation <= this.#generation) return
    this.#generation = generation
    await this.#options.store.commit({ puts: [this.#generationPut()] })
  }

  /** Whether a region of a home group has the address, which is this node's to give. */
  isLent(address: Address): boolean {
    return this.#options.lent.has(address)
  }

  /** Whether a region of a home group that is homed elsewhere begins there under that reservation, in this node's address space. */
  isLentFor(address: Address, generation: number): boolean {
    return this.#options.lent.get(address, generation) !== undefined
  }

  /** What regions of home groups have of this node's address space, wherever they are homed, as they were when they were reserved; in no order. */
  lentInRange(start: Address, size: bigint): RegionDescriptor[] {
    return this.#options.lent.inRange(start, size)
  }

  /** All that is homed here, or was handed over from here, and begins in the range, in order of the addresses. */
  knownInRange(start: Address, size: bigint): RegionDescriptor[] {
    const here = this.inRange(start, size)
    const known = new Set(here.map(({ address }) => address))
    const moved = this.moves.inRange(start, size).filter(({ address }) => !known.has(address))
    return [...here, ...moved].sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  /** The regions homed here that begin in the range, in order of their addresses. */
  inRange(start: Address, size: bigint): RegionDescriptor[] {
    const end = start + size
    return this.descriptors()
      .filter(({ address }) => address >= start && address < end)
      .sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  descriptors(): RegionDescriptor[] {
    return [...this.#regions.values()].map((region) => region.descriptor)
  }

  /** The root replica, made at its first use. */
  replica(address: Address): Replica | undefined {
    const region = this.#regions.get(address)
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
    this.#generation += 1
    const descriptor: RegionDescriptor = {
      address,
      size: rounded,
      pageSize,
      home: this.#options.node,
      generation: this.#generation,
      revision: 1,
      era: 1,
      attributes: checked,
    }
    const { lent } = this.#options
    const record = { descriptor, allocated: new RangeSet(), floor: 0, space: spaceId(this.#generation) }
    const region = this.#regionOf(record, group)
    try {
      const more = group === undefined ? [] : [lent.put(descriptor)]
      await region.commit({ record, own: () => ({ puts: [this.#generationPut(), ...more] }) })
    } catch (error) {
      // It may have been made all the same, where others keep it too.
      if (KhazanaError.from(error).code !== 'outcome-unknown') this.#options.pools.give(address, rounded)
      throw error
    }
    if (group !== undefined) lent.begin(descriptor)
    this.#regions.set(address, region)
    this.#directory.add(descriptor)
    this.#options.changed.reserved(descriptor)
    return descriptor
  }

  /** The last number that was given to a region or a space. */
  #generationPut(): MetadataPut {
    return { key: generationKey, value: new TextEncoder().encode(String(this.#generation)) }
  }

  /** Gives the range storage, all zeros; what has some keeps it. Throws `no-space`, `invalid-argument`. */
  allocate(address: Address, range: ByteRange): Promise<void> {
    const region = this.#region(address)
    const pages = alignedPages(range, region.descriptor)
    return region.exclusively(async () => {
      this.#checkCurrent(region)
      const { pageSize } = region.descriptor
      const held = sum(region.allocated.within(pages.first, pages.count))
      const bytes = (pages.count - held) * (pageSize + pageOverheadBytes)
      if (bytes === 0) return
      this.#checkRoom(bytes)
      const added = missing(region.allocated, pages)
      region.allocated.add(pages.first, pages.count)
      this.#allocatedBytes += bytes
      const undo = (): void => {
        for (const { first, count } of added) region.allocated.remove(first, count)
        this.#allocatedBytes -= bytes
      }
      if (region.allocated.fragments > allocatedFragmentsMax) {
        undo()
        const limit = `a region has at most ${allocatedFragmentsMax} separate allocated ranges`
        throw new KhazanaError('unsupported', `${limit}: allocate in larger pieces`)
      }
      try {
        await this.#save(region, {})
      } catch (error) {
        undo()
        throw error
      }
    })
  }

  /** Takes the storage of the range away, once nobody has a lock on it. */
  free(address: Address, range: ByteRange, options: WaitOptions): Promise<void> {
    const region = this.#region(address)
    const pages = alignedPages(range, region.descriptor)
    return region.exclusively(async () => {
      this.#checkCurrent(region)
      await this.#free(region, pages, options)
    })
  }

  async #free(region: HomedRegion, pages: PageRange, options: WaitOptions): Promise<void> {
    const { descriptor } = region
    const replica = this.replica(descriptor.address)
    if (replica === undefined) return
    for (const held of pieces(region.allocated.within(pages.first, pages.count))) {
      const letGo = await replica.seize(held, options)
      try {
        await replica.whenDurable()
        for (let page = held.first; page < held.first + held.count; page++) {
          region.floor = Math.max(region.floor, region.versionOf(page) + 1)
        }
        region.allocated.remove(held.first, held.count)
        try {
          await this.#save(region, { frees: [held] })
        } catch (error) {
          region.allocated.add(held.first, held.count)
          throw error
        }
        this.#allocatedBytes -= held.count * (descriptor.pageSize + pageOverheadBytes)
        replica.freed(held, 'not-allocated', 'the range was freed')
      } finally {
        letGo()
      }
    }
  }

  /** Ends the region, once nobody has a lock on it: its storage, then its address. */
  unreserve(start: Address, options: WaitOptions): Promise<void> {
    const region = this.#region(start)
    const { descriptor } = region
    return region.exclusively(async () => {
      this.#checkCurrent(region)
      await this.#free(
        region,
        { first: 0 as PageIndex, count: descriptor.size / descriptor.pageSize },
        options,
      )
      // Nobody asks any more what has been decided here.
      await this.transactions.whenOver(region, options)
      const { pools, returns, lent } = this.#options
      const { address, generation } = descriptor
      const isOwn = pools.find(address) !== undefined
      const own = isOwn ? { deletes: [lent.keyOf(address)] } : { puts: [returns.intent(address, generation)] }
      await region.commit({ record: 'ended', own: () => own })
      region.hasEnded = true
      lent.end(address)
      this.#regions.delete(descriptor.address)
      this.#directory.forget(descriptor.address)
      const replica = this.#options.replicas.get(descriptor.address)
      if (replica !== undefined) this.#options.replicas.close(replica, unreserved())
      region.watchers.end(unreserved())
      if (!this.#giveBack(descriptor)) returns.begin(address, generation)
    })
  }

  /** False for the address space of another node's, which is that node's to give again. */
  #giveBack(descriptor: RegionDescriptor): boolean {
    const { pools, changed } = this.#options
    const { address, size } = descriptor
    if (pools.find(address) === undefined) return false
    pools.give(address, size)
    changed.unreserved(descriptor)
    return true
  }

  /**
   * Forgets where a region went that is no more, so that its addresses may mean something else; where they are this node's, it may
   * give them again. To be called when the region has ended at its home Idempotent.
   */
  async letGo(descriptor: RegionDescriptor): Promise<void> {
    if (await this.moves.letGo(descriptor.address, descriptor.generation)) this.#giveBack(descriptor)
  }

  /** The same for a region of a home group that has ended at its home. Idempotent. */
  async takeBack(address: Address, generation: number): Promise<void> {
    const { lent, store, pools } = this.#options
    const region = lent.get(address, generation)
    if (region === undefined) return
    if (this.#handovers.doubts.hasLeftover(address))
      throw new KhazanaError('busy', 'something of the region is here still: try again')
    await store.commit({ deletes: [lent.keyOf(address)] })
    if (lent.get(address, generation) !== region) return
    lent.end(address)
    pools.give(address, region.size)
    this.#options.changed.unreserved(region)
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
    this.#regions.set(descriptor.address, region)
    this.#directory.add(descriptor)
    this.#allocatedBytes += storageBytes(region)
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
      else served.push(this.#keep(this.#regionOf(record, group)))
    }
    // What is in doubt is known before anybody can be served.
    this.transactions.load(notes, group.log)
    for (const region of served) replicas.seat(region.descriptor, this.#roleOf(region))
    this.transactions.begin()
  }

  /** Among those that are served here, as it is kept now. */
  #keep(region: HomedRegion): HomedRegion {
    const { descriptor } = region
    const before = this.#regions.get(descriptor.address)
    if (before !== undefined) this.#allocatedBytes -= storageBytes(before)
    this.#regions.set(descriptor.address, region)
    this.#directory.add(descriptor)
    this.#allocatedBytes += storageBytes(region)
    return region
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
    for (const region of [...this.#regions.values()])
      if (region.group?.name === name) this.#unseat(region, error)
  }

  #unseat(region: HomedRegion, error: KhazanaError): void {
    const { replicas } = this.#options
    const { address } = region.descriptor
    this.#regions.delete(address)
    this.#directory.forget(address)
    this.#allocatedBytes -= storageBytes(region)
    const replica = replicas.get(address)
    if (replica !== undefined) replicas.unseat(replica, error)
    region.watchers.moved()
  }

  /**
   * Where it changes how the region is kept consistent, or by how many nodes, the region comes to rest first, and goes on under a new era. Throws
   * `timeout` where locks are held too long, and nothing has changed then; with another number of replicas also what `Handovers.begin` does.
   */
  setAttributes(
    address: Address,
    changes: AttributeChanges,
    options: WaitOptions,
  ): Promise<RegionDescriptor> {
    const region = this.#region(address)
    checkNoSystemLabel(changes.labels)
    return new Promise((resolve, reject) => {
      const change = async (): Promise<void> => {
        this.#checkCurrent(region)
        const before = region.descriptor
        const attributes = applyChanges(before.attributes, changes)
        this.#checkSupported(attributes)
        if (attributes.minReplicas === before.attributes.minReplicas) {
          resolve(await this.#changeAttributes(region, attributes, options))
          return
        }
        const { answer, over } = await this.#changeReplicas(region, attributes, options)
        answer.then(resolve, reject)
        // Other changes wait until nothing is left to be done, which may be later.
        await over
      }
      region.exclusively(change).catch(reject)
    })
  }

  async #changeAttributes(
    region: HomedRegion,
    attributes: RegionAttributes,
    options: WaitOptions,
  ): Promise<RegionDescriptor> {
    const before = region.descriptor
    const isSwitch = !isKeptAlike(before.attributes, attributes)
    const era = isSwitch ? before.era + 1 : before.era
    const after = { ...before, attributes, revision: before.revision + 1, era }
    if (isSwitch) await this.#switch(region, after, options)
    else await this.#saveAs(region, after)
    return after
  }

  async #changeReplicas(
    region: HomedRegion,
    attributes: RegionAttributes,
    options: WaitOptions,
  ): Promise<ReturnType<Handovers['begin']>> {
    const { descriptor: before } = region
    const { minReplicas } = attributes
    const wait = waitFrom(this.#options.handovers.clock, options)
    const group = minReplicas > 1 ? await this.#options.groups.lead(minReplicas, wait()) : undefined
    this.#checkCurrent(region)
    const bytes = storageBytes(region)
    this.#checkRoom(bytes)
    const after = { ...before, attributes, revision: before.revision + 1, era: before.era + 1 }
    return this.#handovers.begin(region, after, group, bytes, wait())
  }

  /** What this node notes of the address of a region that is kept so, with what makes it that. */
  #spaceRecords(descriptor: RegionDescriptor, group: HomeGroup | undefined): OwnRecords {
    const { pools, lent } = this.#options
    if (pools.find(descriptor.address) === undefined) return {}
    return group === undefined
      ? { deletes: [lent.keyOf(descriptor.address)] }
      : { puts: [lent.put(descriptor)] }
  }

  /** The same where it is, or may be, durable. What a region of this node alone has noted is of no harm, and goes some time. */
  #keptIn(descriptor: RegionDescriptor, group: HomeGroup | undefined): void {
    const { pools, lent, store } = this.#options
    if (pools.find(descriptor.address) === undefined) return
    if (group !== undefined) {
      lent.begin(descriptor)
      return
    }
    if (!lent.has(descriptor.address)) return
    lent.end(descriptor.address)
    store.commit({ deletes: [lent.keyOf(descriptor.address)] }).catch(() => undefined)
  }

  async #switch(region: HomedRegion, after: RegionDescriptor, options: WaitOptions): Promise<void> {
    const before = region.descriptor
    const { switches } = this.#options.replicas
    this.#replicaIfServed(before.address)
    await switches.suspend(before, options)
    try {
      await this.#saveAs(region, after)
    } catch (error) {
      switches.resume(before)
      throw error
    }
    this.replica(after.address)
    switches.resume(after)
  }

  /** Nobody hears of it before it is durable. */
  async #saveAs(region: HomedRegion, after: RegionDescriptor): Promise<void> {
    await this.#save(region, {}, after)
    region.descriptor = after
  }

  /** What the home of another region of a transaction asks. Throws `unreachable` where the region is not served here at the moment. */
  settle(call: TransactionCall, options: WaitOptions): Promise<TransactionResult> {
    const region = this.#regions.get(call.address)
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

  #save(
    region: HomedRegion,
    change: Pick<RegionChange, 'frees'>,
    descriptor = region.descriptor,
  ): Promise<void> {
    return region.commit({ ...change, record: { ...region.record, descriptor } })
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
    const found = this.find(address)
    const region = found === undefined ? undefined : this.#regions.get(found.address)
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
    if (this.#regions.get(address) === region) return
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

/** Bytes of storage that the region is promised, with what its records cost. */
function storageBytes({ allocated, descriptor }: Pick<RegionRecord, 'allocated' | 'descriptor'>): number {
  return allocated.total * (descriptor.pageSize + pageOverheadBytes)
}

/** The whole pages of a range. Throws `invalid-argument` where it is not made of whole pages. */
function alignedPages(range: ByteRange, { size, pageSize }: RegionDescriptor): PageRange {
  checkRange(range, size)
  checkWholePages(range, pageSize)
  const { offset, length } = range
  return { first: (offset / pageSize) as PageIndex, count: length / pageSize }
}

function missing(allocated: RangeSet, pages: PageRange): PageRange[] {
  const gaps: PageRange[] = []
  let next: number = pages.first
  for (const { first, count } of allocated.within(pages.first, pages.count)) {
    if (first > next) gaps.push({ first: next as PageIndex, count: first - next })
    next = first + count
  }
  const end = pages.first + pages.count
  if (end > next) gaps.push({ first: next as PageIndex, count: end - next })
  return gaps
}

function* pieces(
  ranges: readonly { readonly first: number; readonly count: number }[],
): Generator<PageRange> {
  for (const { first, count } of ranges) {
    for (let start = 0; start < count; start += freePagesMax) {
      yield { first: (first + start) as PageIndex, count: Math.min(freePagesMax, count - start) }
    }
  }
}

function sum(ranges: readonly { readonly count: number }[]): number {
  return ranges.reduce((total, { count }) => total + count, 0)
}

function readNumber(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : Number(new TextDecoder().decode(value))
}

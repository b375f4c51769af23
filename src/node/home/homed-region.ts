import { formatAddress } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { FenceMark } from '../../address/fence.js'
import { neverWritten } from '../../address/page.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { RangeSet } from '../../address/range-set.js'
import { assert } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { SpaceId } from '../../store/space.js'
import type { CommitDone, Store } from '../../store/store.js'
import type { HandoverMark } from '../../wire/group-message.js'
import type { TransactionTag } from '../../wire/transaction-message.js'
import { withResolvers } from '../../io/deadline.js'
import type { HomeBacking, HomeWrite } from '../replica/home-backing.js'
import { eraVersions, isNameOf } from '../../membership/home-group/era.js'
import { OpenPages } from './open-pages.js'
import { RegionWatchers } from '../watch/region-watchers.js'
import { FenceReserve, fencesKey } from './fence-reserve.js'
import type { HomeGroup } from './home-group.js'
import type { RegionChange, RegionLog, RegionPlace } from './region-log.js'
import type { RegionRecord } from './region-record.js'

/** Share of the store's bound on undurable bytes at which writers begin to wait. */
const backlogShare = 0.25
/** Share at which groups wait here, so that the store never has to refuse one as `busy`. */
const deferShare = 0.5
/** Versions at the end of an era, of which none are left out. */
const versionsLeft = 2 ** 24

/** What a region needs of its node's store. */
export type RegionStore = Pick<
  Store,
  'versionOf' | 'read' | 'isDamaged' | 'commit' | 'get' | 'pendingBytes' | 'pendingBytesMax'
>

interface Deferred {
  readonly pages: readonly HomeWrite[]
  readonly done: CommitDone
  readonly together: TransactionTag | undefined
}

/** What is released together with what was written elsewhere, as a region sees it. */
export interface RegionTransactions {
  /** Calls `done` when it is known what becomes of the whole. */
  take(
    part: { readonly region: HomedRegion; readonly pages: readonly HomeWrite[]; readonly done: CommitDone },
    tag: TransactionTag,
  ): void
  /** What has been taken and is not on the disk yet rests on what has failed. */
  regionFailed(region: HomedRegion, failure: KhazanaError): void
  isInDoubt(region: HomedRegion, page: PageIndex): boolean
  isUnderWay(region: HomedRegion): boolean
}

/** Where a region is kept. */
export interface RegionKeeping {
  readonly log: RegionLog
  /** Undefined: its home alone. */
  readonly group: HomeGroup | undefined
  readonly space: SpaceId
}

/** A region homed here: what stands behind its root replica. */
export class HomedRegion implements HomeBacking {
  descriptor: RegionDescriptor
  readonly allocated: RangeSet
  floor: number
  /** While it may have gone to another log: all records of it say so, whatever they are written for. */
  handover: HandoverMark | undefined
  /** It was unreserved here. */
  hasEnded = false
  /** Who is told of what becomes durable. */
  readonly watchers = new RegionWatchers()
  /** Ends of changes to the region's storage: one at a time. */
  #changes: Promise<void> = Promise.resolve()
  /** Groups that the store has no room for in its queue yet, in order. */
  readonly #deferred: Deferred[] = []
  /** Pages of commits that are under way in a home group. */
  readonly #open = new OpenPages()
  /** Versions up to this one are not given to anything new. */
  #versionsUsed = 0
  /** The highest version of what was handed in to become durable. */
  #versionsGiven = 0
  readonly #store: RegionStore
  #kept: RegionKeeping
  readonly #transactions: RegionTransactions
  readonly #storageFailed: (error: KhazanaError) => void
  readonly #fences: FenceReserve

  constructor(
    store: RegionStore,
    log: RegionLog,
    record: RegionRecord,
    transactions: RegionTransactions,
    storageFailed: (error: KhazanaError) => void,
    incarnation: number,
    group?: HomeGroup,
  ) {
    this.#store = store
    this.#kept = { log, group, space: record.space }
    this.#transactions = transactions
    this.#useVersionsOf(record.descriptor)
    this.#storageFailed = storageFailed
    this.descriptor = record.descriptor
    this.allocated = record.allocated
    this.floor = record.floor
    const { address, generation } = record.descriptor
    this.#fences = new FenceReserve({
      ...{ address, generation, incarnation },
      stored: store.get(fencesKey(address)),
      write: (put, done) => {
        this.log.submit(this.place, { own: () => ({ puts: [put] }) }, done)
      },
    })
  }

  /** The log that keeps it. */
  get log(): RegionLog {
    return this.#kept.log
  }

  /** Where it is kept now. */
  get kept(): RegionKeeping {
    return this.#kept
  }

  /** Where this node's store has the pages. */
  get space(): SpaceId {
    return this.#kept.space
  }

  /** The home group that keeps it; undefined: its home alone. */
  get group(): HomeGroup | undefined {
    return this.#kept.group
  }

  /** Versions of pages are above this, whatever the pages' own are. */
  get versionsUsed(): number {
    return this.#versionsUsed
  }

  /** From now on it is kept elsewhere, where all of it is. Nothing may be under way. */
  keepIn(kept: RegionKeeping, { descriptor, floor }: Pick<RegionRecord, 'descriptor' | 'floor'>): void {
    assert(this.#deferred.length === 0, 'a region that is handed over is at rest')
    this.#kept = kept
    this.descriptor = descriptor
    this.floor = floor
    this.handover = undefined
    this.#versionsUsed = 0
    this.#versionsGiven = 0
    this.#useVersionsOf(descriptor)
  }

  /** Pages of one version have the same bytes at all members of a group: none is used that an earlier primary may have used. */
  #useVersionsOf({ era }: RegionDescriptor): void {
    if (this.group !== undefined) this.#versionsUsed = era * eraVersions
  }

  /** What the home keeps of it on its disk, besides the pages. */
  get record(): RegionRecord {
    const { descriptor, allocated, floor, space, handover } = this
    return { descriptor, allocated, floor, space, handover }
  }

  get place(): RegionPlace {
    return { address: this.descriptor.address, space: this.space }
  }

  /** Makes the change durable, behind all before it. Throws as `RegionLog.commit`. */
  commit(change: RegionChange): Promise<void> {
    return this.log.commit(this.place, change)
  }

  isAllocated(range: PageRange): boolean {
    return this.allocated.includes(range.first, range.count)
  }

  versionOf(page: PageIndex): Version {
    return Math.max(this.#baseOf(page), this.#versionsUsed) as Version
  }

  #baseOf(page: PageIndex): number {
    const stored = this.#store.versionOf(this.space, page)
    return stored > 0 ? stored : this.floor
  }

  /** Regions without a group tell pages under what they are stored under. While a commit of the page is under way nothing is said of it. */
  isCurrent(page: PageIndex, version: number): boolean {
    const told = this.versionOf(page)
    if (this.group === undefined || this.#open.has(page)) return version === told
    return isNameOf(version, { base: this.#baseOf(page), told })
  }

  storedVersion(page: PageIndex): Version | undefined {
    const stored = this.#store.versionOf(this.space, page)
    return stored > 0 ? stored : undefined
  }

  /** Those of the next era are for the next home: what is left of this one's is for commits. */
  get hasOwnNumbers(): boolean {
    return (
      this.group !== undefined && this.#versionsUsed < (this.descriptor.era + 1) * eraVersions - versionsLeft
    )
  }

  numberOf(page: PageIndex): number | undefined {
    if (!this.hasOwnNumbers) return undefined
    return this.storedVersion(page) ?? (this.floor === 0 ? neverWritten : undefined)
  }

  /** Others of a group may have what this node has not. */
  isNeverWritten(page: PageIndex): boolean {
    return this.group === undefined && !this.#open.has(page) && this.storedVersion(page) === undefined
  }

  /** The disk of this node may have more than all members have: that is nobody's to see yet. */
  async load(
    page: PageIndex,
  ): Promise<{ readonly version: Version; readonly bytes: Uint8Array } | undefined> {
    for (;;) {
      await this.#open.whenSettled(page)
      const stored = await this.#readAnyhow(page)
      if (!this.#open.has(page)) return stored
    }
  }

  /** What is damaged here is got back from others of the group. */
  #readAnyhow(
    page: PageIndex,
  ): Promise<{ readonly version: Version; readonly bytes: Uint8Array } | undefined> {
    const stored = this.group === undefined ? this.#store.read(this.space, page) : this.group.read(this, page)
    return stored.catch((reason: unknown) => {
      throw this.#explained(page, KhazanaError.from(reason))
    })
  }

  /** What can be done about damage, for those who meet it. */
  #explained(page: PageIndex, reason: KhazanaError): KhazanaError {
    if (reason.code !== 'damaged') return reason
    const hope = this.group === undefined ? '' : 'It comes back with a node that has it. '
    return new KhazanaError(
      'damaged',
      `page ${page} of region ${formatAddress(this.descriptor.address)} cannot be had: ${reason.message}. ` +
        `${hope}To give up what was in it, free it and allocate it again`,
      { cause: reason },
    )
  }

  persist(pages: readonly HomeWrite[], done: CommitDone, together: TransactionTag | undefined): void {
    if (this.group !== undefined)
      for (const { version } of pages) this.#versionsGiven = Math.max(this.#versionsGiven, version)
    this.#deferred.push({ pages, done, together })
    this.#submit()
  }

  isInDoubt(page: PageIndex): boolean {
    return this.#transactions.isInDoubt(this, page)
  }

  get isUnderTransaction(): boolean {
    return this.#transactions.isUnderWay(this)
  }

  /** Those who watch are told of what has become durable. */
  committed(pages: readonly HomeWrite[]): void {
    this.watchers.committed(pages, this.descriptor.home)
  }

  /** Hands groups to the store as fast as it takes them. What children have under way bounds how many wait here. */
  #submit(): void {
    const { pendingBytes, pendingBytesMax } = this.#store
    if (pendingBytes > pendingBytesMax * deferShare) return
    for (let next = this.#deferred.shift(); next !== undefined; next = this.#deferred.shift()) {
      const { pages, done, together } = next
      if (together !== undefined) {
        this.#release(next, together)
        continue
      }
      if (this.group !== undefined) this.#open.begin(pages)
      this.log.submit(this.place, { pages }, (failure) => {
        if (failure !== undefined && this.group !== undefined) this.#onRefused()
        this.#open.end(pages)
        done(failure)
        if (failure === undefined) {
          this.committed(pages)
          this.#submit()
        } else this.#failDeferred(failure)
        if (failure?.code === 'storage-failed') this.#storageFailed(failure)
      })
      if (this.#store.pendingBytes > pendingBytesMax * deferShare) return
    }
  }

  /** Nothing behind it rests on it, or waits for it. */
  #release({ pages, done }: Deferred, together: TransactionTag): void {
    if (this.group !== undefined) this.#open.begin(pages)
    const ended: CommitDone = (failure) => {
      if (failure !== undefined && this.group !== undefined) this.#onRefused()
      this.#open.end(pages)
      done(failure)
      if (failure === undefined) this.committed(pages)
      this.#submit()
      if (failure?.code === 'storage-failed') this.#storageFailed(failure)
    }
    this.#transactions.take({ region: this, pages, done: ended }, together)
  }

  /** What was refused here may have come to other members, and what was handed in behind it fails with it: its versions are used. */
  #onRefused(): void {
    this.skipVersions(this.#versionsGiven)
  }

  skipVersions(above: number): void {
    // Other homes tell pages under what they are stored under, or a name of before a restart could be one of other bytes after it.
    if (this.group !== undefined) this.#versionsUsed = Math.max(this.#versionsUsed, above + 1)
  }

  /** What waits rests on what has failed. */
  #failDeferred(failure: KhazanaError): void {
    this.#transactions.regionFailed(this, failure)
    for (const { done } of this.#deferred.splice(0)) done(failure)
  }

  get isBacklogged(): boolean {
    return this.#store.pendingBytes > this.#store.pendingBytesMax * backlogShare
  }

  /** An empty commit is durable when all before it are. */
  whenCaughtUp(): Promise<void> {
    return this.#store.commit({})
  }

  beginFences(era: number): FenceMark {
    return this.#fences.begin(era)
  }

  fenceLimit(used: number): number {
    return this.#fences.limitFor(used)
  }

  isDamaged(page: PageIndex): boolean {
    return this.#store.isDamaged(this.space, page)
  }

  /** Runs one change of the region's storage after the other. */
  async exclusively<T>(change: () => Promise<T>): Promise<T> {
    const before = this.#changes
    const { promise, resolve } = withResolvers<void>()
    this.#changes = promise
    await before
    try {
      return await change()
    } finally {
      resolve()
    }
  }
}

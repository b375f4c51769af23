import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { nextEra } from '../../membership/home-group/era.js'
import type { GroupBug } from '../../membership/home-group/group-bug.js'
import type { LivingNode } from '../../membership/home-group/group-change.js'
import { primaryOf } from '../../membership/home-group/group-record.js'
import type { GroupRecord, SeenRecord } from '../../membership/home-group/group-record.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Store } from '../../store/store.js'
import type { GroupMessage } from '../../wire/group-message.js'
import type { HomeGroup } from '../home/home-group.js'
import type { RegionRecord } from '../home/region-record.js'
import type { ByteRate } from '../byte-rate.js'
import { pause } from '../pause.js'
import { backoffMs } from '../session/backoff.js'
import type { Session } from '../session/session.js'
import { BackedGroup } from './backed-group.js'
import { regionOf } from './comparison.js'
import type { GroupCopies } from './group-copies.js'
import { GroupLog } from './group-log.js'
import type { GroupRegistry } from './group-registry.js'
import type { GroupStep } from './group-step.js'
import { LedGroup } from './led-group.js'
import type { MendBug } from './mend-bug.js'
import { PageMender } from './page-mender.js'

/** Messages of a group whose record is being read; more are dropped, and the primary begins anew. */
const earlyMax = 1000
/** Between two offers of a copy that is no member's. */
const offerMs = 2000

export interface GroupPartOptions {
  readonly name: string
  readonly self: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly store: Pick<Store, 'read' | 'pagesOf' | 'commit' | 'versionOf' | 'isDamaged' | 'damage'>
  readonly copies: GroupCopies
  /** Of what nodes are sent that are to be members: of all groups together. */
  readonly rate: ByteRate
  /** A damaged page is sound again. */
  readonly mended: () => void
  readonly mendBug: MendBug | undefined
  readonly registry: GroupRegistry
  /** Ends all that waits. */
  readonly signal: AbortSignal
  readonly lease: { readonly validUntil: number; look(): void }
  /** The revision at which this node's key was put, where all that it has granted is within its lease; undefined otherwise. */
  readonly key: () => number | undefined
  /** When the key of a node that lives was put; undefined where it is gone. */
  readonly keyOf: (node: NodeId) => number | undefined
  /** Whether anything is known of who lives. */
  readonly isLifeKnown: () => boolean
  readonly findCandidate: (group: string, except: readonly NodeId[]) => LivingNode | undefined
  readonly session: (node: NodeId) => Session | undefined
  readonly sessions: () => Iterable<NodeId>
  /** A session with the node is wanted. */
  readonly want: (node: NodeId) => void
  /** The regions are served here from now on, as they are there. */
  readonly serves: (group: HomeGroup, records: Iterable<RegionRecord>) => void
  /** They are served here no more: whoever uses them hears why. */
  readonly stopped: (name: string, reason: KhazanaError) => void
  /** A primary has sent all that the group has, and it is durable here. */
  readonly upToDate: () => void
  /** Nobody needs a copy here, and there is none any more. */
  readonly discarded: () => void
  readonly storageFailed: (error: KhazanaError) => void
  readonly bug?: GroupBug | undefined
}

interface Early {
  readonly from: NodeId
  readonly body: GroupMessage
  readonly pages: readonly Uint8Array[]
}

/** What this node is to the group. In between it is neither: the record is read, and the disk heard, first. */
type Part =
  | { readonly kind: 'neither'; readonly early: Early[] }
  | { readonly kind: 'backup'; readonly backed: BackedGroup }
  | { readonly kind: 'primary'; readonly led: LedGroup; group: HomeGroup | undefined }

/**
 * One home group at this node, in whichever part it has in it: from a start, or after the end of a reign, it reads the group's record, backs the group, and leads
 * it when the machine of a backup says so.
 */
export class GroupPart {
  readonly copies: GroupCopies
  /** Whatever part this node has in the group. */
  readonly mender: PageMender
  readonly #options: GroupPartOptions
  #part: Part = { kind: 'neither', early: [] }
  #failures = 0
  /** How often this node has gone on with it, or has begun to. */
  #entries = 0

  constructor(options: GroupPartOptions) {
    this.#options = options
    this.copies = options.copies
    const { name: group, clock, logger, store, copies, signal, self, sessions, mended } = options
    this.mender = new PageMender({
      ...{ group, clock, logger, store, copies, signal, mended, reached: sessions, bug: options.mendBug },
      members: () => (this.record?.members ?? []).filter((node) => node !== self),
      send: (node, body, pages = []) => {
        this.#send(node, body, pages)
      },
    })
  }

  get name(): string {
    return this.#options.name
  }

  /** The newest record that is known here. */
  get record(): GroupRecord | undefined {
    const part = this.#part
    if (part.kind === 'neither') return undefined
    return part.kind === 'primary' ? part.led.seen.record : part.backed.seen.record
  }

  /** Where this node leads it, and it can be used. */
  get served(): HomeGroup | undefined {
    return this.#part.kind === 'primary' && this.#part.led.isServing ? this.#part.group : undefined
  }

  get isServed(): boolean {
    return this.served !== undefined
  }

  get isLed(): boolean {
    return this.#part.kind === 'primary'
  }

  /** Of a region that is here and is not served here. What may come to the group is not its region yet. */
  find(address: Address): RegionDescriptor | undefined {
    return this.#unserved(address, 'sure')
  }

  /** The same of one that is on its way to the group, or is its region already: whoever leads it next finds out. */
  findComing(address: Address): RegionDescriptor | undefined {
    return this.#unserved(address, 'coming')
  }

  #unserved(address: Address, which: 'sure' | 'coming'): RegionDescriptor | undefined {
    if (this.served !== undefined) return undefined
    const found = this.copies.find(address)
    if (found === undefined) return undefined
    const isComing = this.copies.get(found.address)?.handover?.side === 'to'
    return isComing === (which === 'coming') ? found : undefined
  }

  /** Whether a session with the node must be there. */
  needs(node: NodeId): boolean {
    const part = this.#part
    if (part.kind === 'neither') return false
    return part.kind === 'primary' ? part.led.needs(node) : primaryOf(part.backed.seen.record) === node
  }

  /** This node has made the group, by that record. */
  found(seen: SeenRecord): void {
    this.#lead(seen).begin()
  }

  /** Goes on with what was here before, or with what a primary will send. Never rejects. */
  async enter(): Promise<void> {
    const { registry, name, signal, logger } = this.#options
    this.#entries += 1
    const entry = this.#entries
    if (this.#part.kind !== 'neither') this.#part = { kind: 'neither', early: [] }
    try {
      await this.copies.settle()
      const seen = await registry.readPatiently(name)
      // Of two that go on with the same copies each would take itself for the primary.
      if (seen !== undefined && !signal.aborted && entry === this.#entries) this.#back(seen)
    } catch (reason) {
      logger.log('error', 'a home group cannot be read', {
        group: name,
        reason: KhazanaError.from(reason).message,
      })
    }
  }

  /** Whether nobody else has what is here. Where it is not known, this node may be needed. */
  get isNeeded(): boolean {
    const members = this.record?.members ?? []
    return !this.copies.isEmpty && members[0] === this.#options.self && members.length < 2
  }

  /** Takes no part in it any more, until `enter`: who leads it is told. */
  withdraw(error: KhazanaError): void {
    const part = this.#part
    if (part.kind === 'primary' && part.group !== undefined) this.#options.stopped(this.name, error)
    if (part.kind === 'backup') this.#send(primaryOf(part.backed.seen.record), { kind: 'farewell' }, [])
    this.close(error)
  }

  /** Whether this node is a member by the coordinator's word. Throws as `Coordinator.get`. */
  async isMember(wait: WaitOptions): Promise<boolean> {
    const { registry, self } = this.#options
    const seen = await registry.read(this.name, wait)
    // Of one that has nothing nobody is missed.
    return (
      seen?.record.members.includes(self) === true &&
      !(this.copies.isEmpty && seen.record.members.length === 1)
    )
  }

  close(error: KhazanaError): void {
    this.mender.close()
    const part = this.#part
    this.#part = { kind: 'neither', early: [] }
    if (part.kind === 'primary') part.led.close(error)
    if (part.kind === 'backup') part.backed.close()
  }

  // ---- what happens ------------------------------------------------------------------------------------------------

  leaseHeld(key: number): void {
    const part = this.#part
    if (part.kind === 'primary') part.led.tell({ kind: 'lease-held', key })
    if (part.kind === 'backup') part.backed.tell({ kind: 'lease-held', key })
  }

  /** A reign does not outlive the lease: what may have happened meanwhile is found out as after a start. */
  leaseLapsed(reason: KhazanaError): void {
    const part = this.#part
    if (part.kind === 'primary') this.#endReign(part.led, reason)
    if (part.kind === 'backup') part.backed.tell({ kind: 'lease-lapsed' })
  }

  lifeChanged(): void {
    const { keyOf, isLifeKnown } = this.#options
    const part = this.#part
    if (part.kind !== 'backup' || !isLifeKnown()) return
    const nodes = part.backed.seen.record.members.filter((node) => keyOf(node) === undefined)
    part.backed.tell({ kind: 'gone', nodes })
  }

  sessionBegan(node: NodeId): void {
    if (this.#part.kind === 'primary') this.#part.led.tell({ kind: 'session-began', node })
  }

  sessionLost(node: NodeId): void {
    const part = this.#part
    if (part.kind === 'primary') part.led.tell({ kind: 'session-lost', node })
    if (part.kind === 'backup') part.backed.tell({ kind: 'session-lost', node })
    if (this.needs(node)) this.#options.want(node)
  }

  /** Throws `protocol-error`. */
  onMessage(from: NodeId, body: GroupMessage, pages: readonly Uint8Array[]): void {
    if (body.kind === 'page-wanted' || body.kind === 'page-given') {
      this.mender.onMessage(from, body, pages)
      return
    }
    const part = this.#part
    if (part.kind === 'primary') part.led.onMessage(from, body)
    else if (part.kind === 'backup') part.backed.onMessage(from, body, pages)
    else if (part.early.length < earlyMax) part.early.push({ from, body, pages })
  }

  // ---- as a backup -------------------------------------------------------------------------------------------------

  #back(seen: SeenRecord): void {
    const { name, self, clock, lease, registry, key, upToDate } = this.#options
    const early = this.#part.kind === 'neither' ? this.#part.early : []
    const backed = new BackedGroup({
      ...{ self, group: name, seen, clock, copies: this.copies, upToDate, bug: this.#options.bug },
      look: () => {
        lease.look()
      },
      send: (node, body) => {
        this.#send(node, body, [])
      },
      propose: (change) => registry.propose(name, change),
      readRecord: () => this.#read(seen),
      becamePrimary: (record) => {
        if (this.#part.kind === 'backup' && this.#part.backed === backed) void this.#takeOver(record)
      },
      discard: () => void this.#discard(),
      failed: (reason) => void this.#onRefused(backed, reason),
    })
    this.#part = { kind: 'backup', backed }
    void this.#offer(backed, seen)
    const held = key()
    if (held !== undefined) backed.tell({ kind: 'lease-held', key: held })
    this.lifeChanged()
    for (const { from, body, pages } of early) backed.onMessage(from, body, pages)
  }

  /**
   * Where this node is no member, its copy may be of use, or not: the primary says. Who is a member by the record, but hears of no primary, may have been
   * removed meanwhile; or the primary, started again with nothing of the group, does not know that it is one. Never rejects.
   */
  async #offer(backed: BackedGroup, before: SeenRecord): Promise<void> {
    const { clock, signal, self, session, want } = this.#options
    for (;;) {
      await pause(clock, offerMs, signal)
      if (signal.aborted || this.#part.kind !== 'backup' || this.#part.backed !== backed) return
      if (backed.isLinked && backed.seen.record.members.includes(self)) continue
      const seen = await this.#read(before)
      backed.tell({ kind: 'record', seen })
      const primary = primaryOf(seen.record)
      if (primary === self) continue
      if (session(primary) === undefined) want(primary)
      else this.#send(primary, { kind: 'offer' }, [])
    }
  }

  /** Again and again until it succeeds; what is known already where this node stops. Never rejects. */
  async #read(before: SeenRecord): Promise<SeenRecord> {
    const { registry, name, logger } = this.#options
    try {
      return (await registry.readPatiently(name)) ?? before
    } catch (reason) {
      logger.log('error', 'a home group cannot be read', {
        group: name,
        reason: KhazanaError.from(reason).message,
      })
      return before
    }
  }

  /** Never rejects. */
  async #onRefused(backed: BackedGroup, reason: KhazanaError): Promise<void> {
    if (this.#part.kind !== 'backup' || this.#part.backed !== backed) return
    const { clock, random, logger, signal, name, storageFailed } = this.#options
    logger.log('warn', 'a copy of a home group cannot be kept up to date', {
      group: name,
      reason: reason.message,
    })
    backed.close()
    this.#part = { kind: 'neither', early: [] }
    if (reason.code === 'storage-failed') {
      storageFailed(reason)
      return
    }
    this.#failures += 1
    await pause(clock, backoffMs(this.#failures, random), signal)
    await this.enter()
  }

  /** Never rejects. */
  async #discard(): Promise<void> {
    const { logger, name, discarded } = this.#options
    this.#part = { kind: 'neither', early: [] }
    try {
      await this.copies.commit([...this.copies.all()].map(({ descriptor: { address } }) => endOf(address)))
    } catch (reason) {
      const { message } = KhazanaError.from(reason)
      logger.log('warn', 'a copy that nobody needs stays', { group: name, reason: message })
    }
    discarded()
  }

  // ---- as the primary ----------------------------------------------------------------------------------------------

  /** New eras go to the disk first, and then to all members. Never rejects. */
  async #takeOver(seen: SeenRecord): Promise<void> {
    const { self, logger, name } = this.#options
    const { epoch, members } = seen.record
    logger.log('info', 'this node leads a home group', { group: name, epoch, members: members.length })
    const steps = [...this.copies.all()].map((record) => inNextEra(record, self, this.#options.bug))
    const led = this.#lead(seen)
    try {
      await this.copies.commit(steps)
      led.begin()
    } catch (reason) {
      this.#endReign(led, KhazanaError.from(reason))
    }
  }

  #lead(seen: SeenRecord): LedGroup {
    const { name, self, clock, logger, store, lease, registry, session, key, keyOf, want } = this.#options
    const { findCandidate, rate } = this.#options
    const led: LedGroup = new LedGroup({
      ...{ self, group: name, seen, clock, logger, keyOf, copies: this.copies, rate, bug: this.#options.bug },
      reader: {
        pagesOf: (space) => store.pagesOf(space),
        isDamaged: (space, page) => store.isDamaged(space, page),
        find: (region, page, asks) => this.mender.find(region, page, asks),
      },
      exhaust: (node) => this.mender.exhaust(node),
      look: () => {
        lease.look()
      },
      send: (node, body, pages = []) => {
        this.#send(node, body, pages)
      },
      whenWritable: async (node) => {
        await session(node)?.whenWritable()
      },
      propose: (change) => registry.propose(name, change),
      readRecord: () => this.#read(seen),
      findCandidate: (except) => Promise.resolve(findCandidate(name, except)),
      serving: (isServing) => {
        this.#onServing(led, log, isServing)
      },
      ended: (reason) => {
        this.#endReign(led, reason)
      },
      forgotten: () => {
        log.drain()
      },
    })
    const log = new GroupLog(led)
    this.#part = { kind: 'primary', led, group: undefined }
    for (const node of this.#options.sessions()) led.tell({ kind: 'session-began', node })
    const held = key()
    if (held !== undefined) led.tell({ kind: 'lease-held', key: held })
    for (const node of seen.record.members) if (node !== self && session(node) === undefined) want(node)
    return led
  }

  #onServing(led: LedGroup, log: GroupLog, isServing: boolean): void {
    const part = this.#part
    if (part.kind !== 'primary' || part.led !== led) return
    const { name, lease, serves } = this.#options
    // A reign that has been interrupted is over.
    if (!isServing) {
      this.#endReign(led, notServedNow())
      return
    }
    part.group = {
      name,
      get members() {
        return led.seen.record.members
      },
      get epoch() {
        return led.seen.record.epoch
      },
      log,
      recordOf: (address) => this.copies.get(address),
      lease,
      read: (region, page) => this.mender.read(region, page),
      get restoring() {
        return led.restoring
      },
    }
    serves(part.group, this.copies.all())
  }

  /** What there is is the home's no more; then all begins as after a start. */
  #endReign(led: LedGroup, reason: KhazanaError): void {
    const part = this.#part
    if (part.kind !== 'primary' || part.led !== led) return
    const { name, logger, stopped, storageFailed, self } = this.#options
    logger.log('warn', 'this node leads a home group no more', { group: name, reason: reason.message })
    this.#part = { kind: 'neither', early: [] }
    if (part.group !== undefined) stopped(name, reason)
    led.close(reason)
    if (primaryOf(led.seen.record) === self && reason.code === 'storage-failed') storageFailed(reason)
    else void this.enter()
  }

  #send(node: NodeId, body: GroupMessage, pages: readonly Uint8Array[]): void {
    this.#options.session(node)?.send({ kind: 'group', group: this.name, body }, pages)
  }
}

function inNextEra(record: RegionRecord, self: NodeId, bug: GroupBug | undefined): GroupStep {
  const { descriptor } = record
  const { address, era, revision } = descriptor
  const next = {
    ...descriptor,
    home: self,
    era: bug === 'no-new-era' ? era : nextEra(era),
    revision: revision + 1,
  }
  return {
    address,
    region: { ...regionOf(record), descriptor: next },
    isEnd: false,
    frees: [],
    pages: [],
    lost: [],
  }
}

function endOf(address: Address): GroupStep {
  return { address, region: undefined, isEnd: true, frees: [], pages: [], lost: [] }
}

function notServedNow(): KhazanaError {
  return new KhazanaError('unreachable', 'the home group of the region is not served here at the moment')
}

import type { RegionDescriptor } from '../../address/descriptor.js'
import { isNode } from '../../address/identity.js'
import type { NodeId } from '../../address/identity.js'
import type { Coordinator } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import { within, timeoutOf } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { nextEra } from '../../membership/home-group/era.js'
import type { LivingNode } from '../../membership/home-group/group-change.js'
import { firstRecord, primaryOf } from '../../membership/home-group/group-record.js'
import type { SeenRecord } from '../../membership/home-group/group-record.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { SpaceId } from '../../store/space.js'
import type { CommitDone, Store } from '../../store/store.js'
import type { GroupMessage } from '../../wire/group-message.js'
import type { GroupEnvelope } from '../../wire/message.js'
import { LeaseKeeper } from '../cluster/lease-keeper.js'
import type { Home } from '../home/home.js'
import type { HomeGroup } from '../home/home-group.js'
import type { RegionChange, RegionLog, RegionPlace } from '../home/region-log.js'
import type { Session } from '../session/session.js'
import { BackedGroup } from './backed-group.js'
import { regionOf } from './comparison.js'
import { GroupCopies, storedGroups } from './group-copies.js'
import { GroupRegistry } from './group-registry.js'
import type { GroupStep } from './group-step.js'
import { LedGroup } from './led-group.js'
import { LivingNodes } from './living-nodes.js'

/** Messages of a group whose record is being read; more are dropped, and the primary begins anew. */
const earlyMax = 1000
/** Groups of one number of replicas that a node may have made: further ones come where others lead the earlier. */
const groupsMax = 64
/** Between two looks at whether a group has all its members. */
const lookMs = 50

export interface HomeGroupsOptions {
  readonly self: NodeId
  readonly incarnation: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly coordinator: Coordinator
  readonly leaseMs: number
  readonly store: Pick<Store, 'list' | 'commit' | 'submit' | 'read' | 'pagesOf'>
  readonly home: () => Home
  readonly takeSpace: () => { readonly space: SpaceId; readonly puts: readonly MetadataPut[] }
  readonly session: (node: NodeId) => Session | undefined
  /** A session with the node is wanted from now on. */
  readonly want: (node: NodeId) => void
  /** Regions are homed here that were homed elsewhere. */
  readonly took: (descriptors: readonly RegionDescriptor[]) => void
  readonly storageFailed: (error: KhazanaError) => void
}

/** One group at this node, in whichever part it has in it. */
interface Part {
  readonly copies: GroupCopies
  led: LedGroup | undefined
  backed: BackedGroup | undefined
  /** Until the record has been read. */
  early: { readonly from: NodeId; readonly body: GroupMessage; readonly pages: readonly Uint8Array[] }[] | undefined
}

/** The home groups that this node leads, backs, or is to back (DESIGN 7). */
export class HomeGroups {
  readonly #options: HomeGroupsOptions
  readonly #parts = new Map<string, Part>()
  readonly #lease: LeaseKeeper
  readonly #living: LivingNodes
  readonly #registry: GroupRegistry
  readonly #closing = sharedAbortController()
  readonly #leading = new Map<number, Promise<string>>()

  constructor(options: HomeGroupsOptions) {
    this.#options = options
    const { clock, random, coordinator } = options
    const { signal } = this.#closing
    this.#registry = new GroupRegistry({ clock, random, coordinator, signal })
    this.#lease = new LeaseKeeper({
      ...options,
      held: () => {
        this.#tellLease()
      },
      lapsed: () => {
        this.#tellAll({ kind: 'lease-lapsed' })
      },
    })
    this.#living = new LivingNodes({
      clock,
      random,
      coordinator,
      signal,
      changed: () => {
        for (const part of this.#parts.values()) this.#tellGone(part)
      },
    })
    for (const name of storedGroups(options.store)) this.#part(name)
  }

  /** Regions that are here, at home or not: nobody else is given their addresses. */
  *descriptors(): Generator<RegionDescriptor> {
    for (const { copies } of this.#parts.values()) for (const { descriptor } of copies.all()) yield descriptor
  }

  /** Goes on with groups of before. */
  start(): void {
    if (this.#parts.size > 0) this.#takePart()
  }

  stop(error: KhazanaError): void {
    this.#closing.abort(error)
    this.#lease.stop(error)
    for (const { led, backed } of this.#parts.values()) {
      led?.close(error)
      backed?.close()
    }
  }

  /** From now on this node's life is known to the coordinator, and those of others here. */
  #takePart(): void {
    this.#lease.start()
    this.#living.start()
  }

  #part(name: string): Part {
    const known = this.#parts.get(name)
    if (known !== undefined) return known
    const { self, store, takeSpace } = this.#options
    const copies = new GroupCopies({ group: name, self, store, takeSpace })
    const part: Part = { copies, led: undefined, backed: undefined, early: [] }
    this.#parts.set(name, part)
    void this.#enter(name, part)
    return part
  }

  /** Never rejects. */
  async #enter(name: string, part: Part): Promise<void> {
    const seen = await this.#registry.readPatiently(name)
    if (seen === undefined || part.led !== undefined) return
    this.#back(name, part, seen)
  }

  #back(name: string, part: Part, seen: SeenRecord): void {
    const { self, clock, logger, store, storageFailed } = this.#options
    part.led = undefined
    part.backed = new BackedGroup({
      ...{ self, group: name, seen, clock, logger, store, copies: part.copies, storageFailed },
      send: (node, body) => {
        this.#send(name, node, body, [])
      },
      propose: (change) => this.#registry.propose(name, change),
      readRecord: () => this.#read(name, seen),
      becamePrimary: (record) => {
        void this.#becomePrimary(name, part, record)
      },
      discard: () => {
        void this.#discard(name, part)
      },
    })
    const key = this.#lease.key
    if (key !== undefined) part.backed.tell({ kind: 'lease-held', key })
    this.#tellGone(part)
    const { early = [] } = part
    part.early = undefined
    for (const { from, body, pages } of early) part.backed.onMessage(from, body, pages)
  }

  async #read(name: string, before: SeenRecord): Promise<SeenRecord> {
    return (await this.#registry.readPatiently(name)) ?? before
  }

  /** New eras go to the disk first, and then to all members. Never rejects. */
  async #becomePrimary(name: string, part: Part, seen: SeenRecord): Promise<void> {
    const { self, store, logger } = this.#options
    part.backed = undefined
    logger.log('info', 'this node leads a home group', { group: name, epoch: seen.record.epoch })
    const steps = [...part.copies.all()].map((record): GroupStep => {
      const { descriptor } = record
      const { era, revision } = descriptor
      const region = { ...regionOf(record), descriptor: { ...descriptor, home: self, era: nextEra(era), revision: revision + 1 } }
      return { address: descriptor.address, region, isEnd: false, frees: [], pages: [] }
    })
    const led = this.#lead(name, part, seen)
    try {
      await store.commit(part.copies.commitOf(steps))
      led.begin()
    } catch (reason) {
      logger.log('error', 'a home group cannot be led', { group: name, reason: KhazanaError.from(reason).message })
    }
  }

  #lead(name: string, part: Part, seen: SeenRecord): LedGroup {
    const { self, clock, logger, store, storageFailed, session } = this.#options
    const led = new LedGroup({
      ...{ self, group: name, seen, clock, logger, store, copies: part.copies, storageFailed },
      look: () => {
        this.#lease.look()
      },
      send: (node, body, pages = []) => {
        this.#send(name, node, body, pages)
      },
      whenWritable: async (node) => {
        await session(node)?.whenWritable()
      },
      propose: (change) => this.#registry.propose(name, change),
      readRecord: () => this.#read(name, seen),
      findCandidate: (except) => Promise.resolve(this.#candidate(except)),
      serving: (isServing) => {
        this.#onServing(name, part, led, isServing)
      },
      deposed: (record) => {
        this.#options.home().closeGroup(name, ledElsewhere())
        this.#back(name, part, record)
      },
    })
    part.led = led
    const key = this.#lease.key
    if (key !== undefined) led.tell({ kind: 'lease-held', key })
    for (const node of seen.record.members) this.#options.want(node)
    for (const node of this.#living.all()) if (session(node) !== undefined) led.tell({ kind: 'session-began', node })
    return led
  }

  #onServing(name: string, { copies }: Part, led: LedGroup, isServing: boolean): void {
    const home = this.#options.home()
    if (!isServing) {
      home.closeGroup(name, ledElsewhere())
      return
    }
    const lease = this.#lease
    const group: HomeGroup = {
      name,
      get members() {
        return led.seen.record.members
      },
      get epoch() {
        return led.seen.record.epoch
      },
      log: new GroupLog(led),
      lease,
    }
    home.openGroup(group, copies.all())
    this.#groups.set(name, group)
    this.#options.took([...copies.all()].map(({ descriptor }) => descriptor))
  }

  readonly #groups = new Map<string, HomeGroup>()

  #candidate(except: readonly NodeId[]): LivingNode | undefined {
    const { self, session, want } = this.#options
    for (const node of this.#living.all()) {
      const key = this.#living.keyOf(node)
      if (node === self || except.includes(node) || key === undefined) continue
      if (session(node) !== undefined) return { node, key }
      want(node)
    }
    return undefined
  }

  /** Its word is that nobody needs what is here. Never rejects. */
  async #discard(name: string, part: Part): Promise<void> {
    const { store, logger } = this.#options
    this.#parts.delete(name)
    try {
      const ends = [...part.copies.all()].map(
        ({ descriptor: { address } }): GroupStep => ({ address, region: undefined, isEnd: true, frees: [], pages: [] }),
      )
      await store.commit(part.copies.commitOf(ends))
    } catch (reason) {
      logger.log('warn', 'a copy that nobody needs stays', { group: name, reason: KhazanaError.from(reason).message })
    }
  }

  #send(group: string, node: NodeId, body: GroupMessage, pages: readonly Uint8Array[]): void {
    this.#options.session(node)?.send({ kind: 'group', group, body }, pages)
  }

  /** Throws `protocol-error`. */
  onMessage(from: Session, { group, body }: GroupEnvelope, pages: readonly Uint8Array[]): void {
    const node = from.peer.site
    if (!isNode(node)) return
    this.#lease.look()
    if (body.kind === 'begin') this.#takePart()
    const part = body.kind === 'begin' ? this.#part(group) : this.#parts.get(group)
    if (part === undefined) return
    if (part.led !== undefined) part.led.onMessage(node, body)
    else if (part.backed !== undefined) part.backed.onMessage(node, body, pages)
    else if (part.early !== undefined && part.early.length < earlyMax) part.early.push({ from: node, body, pages })
  }

  sessionBegan(node: NodeId): void {
    for (const { led } of this.#parts.values()) led?.tell({ kind: 'session-began', node })
  }

  sessionLost(node: NodeId): void {
    for (const { led, backed } of this.#parts.values()) {
      led?.tell({ kind: 'session-lost', node })
      backed?.tell({ kind: 'session-lost', node })
    }
  }

  #tellLease(): void {
    const { key } = this.#lease
    if (key !== undefined) this.#tellAll({ kind: 'lease-held', key })
  }

  #tellAll(event: { readonly kind: 'lease-held'; readonly key: number } | { readonly kind: 'lease-lapsed' }): void {
    for (const { led, backed } of this.#parts.values()) {
      led?.tell(event)
      backed?.tell(event)
    }
  }

  #tellGone({ backed }: Part): void {
    if (backed === undefined || !this.#living.isKnown) return
    const nodes = backed.seen.record.members.filter((node) => this.#living.keyOf(node) === undefined)
    backed.tell({ kind: 'gone', nodes })
  }

  /** The group of that many members that this node leads, with all of them. Throws `unreachable`, `timeout`. */
  async lead(replicas: number, wait: WaitOptions): Promise<HomeGroup> {
    const { clock } = this.#options
    this.#takePart()
    let making = this.#leading.get(replicas)
    if (making === undefined) {
      making = this.#make(replicas).finally(() => this.#leading.delete(replicas))
      this.#leading.set(replicas, making)
      making.catch(() => undefined)
    }
    const until = clock.now() + timeoutOf(wait)
    const name = await within(clock, 'finding a home group', wait, making)
    for (;;) {
      const part = this.#parts.get(name)
      const group = this.#groups.get(name)
      const count = part?.led?.seen.record.members.length ?? 0
      if (group !== undefined && part?.led?.isServing === true && count >= replicas) return group
      if (clock.now() + lookMs >= until) {
        throw new KhazanaError(
          'unreachable',
          `a region with minReplicas ${replicas} needs that many nodes: its home group has ${count} so far`,
        )
      }
      await new Promise<void>((resolve) => clock.after(lookMs, resolve))
    }
  }

  /** The first that this node leads, or that nobody has made. */
  async #make(replicas: number): Promise<string> {
    const { self } = this.#options
    for (let number = 1; number <= groupsMax; number++) {
      const name = `${self}.${replicas}.${number}`
      const known = this.#parts.get(name)
      if (known?.led !== undefined) return name
      const seen = await this.#registry.create(name, firstRecord(self, replicas), {})
      if (seen !== undefined) {
        const part = known ?? this.#fresh(name)
        part.early = undefined
        this.#lead(name, part, seen).begin()
        return name
      }
      const record = known === undefined ? await this.#registry.read(name, {}) : known.backed?.seen
      // It is this node's, and on its way.
      if (record !== undefined && primaryOf(record.record) === self) {
        this.#part(name)
        return name
      }
    }
    throw new KhazanaError('busy', `node ${self} has made ${groupsMax} home groups that others lead`)
  }

  #fresh(name: string): Part {
    const { self, store, takeSpace } = this.#options
    const copies = new GroupCopies({ group: name, self, store, takeSpace })
    const part: Part = { copies, led: undefined, backed: undefined, early: undefined }
    this.#parts.set(name, part)
    return part
  }
}

/** The log of regions that a group keeps: what it says to be durable is so at all members. */
class GroupLog implements RegionLog {
  readonly #led: LedGroup

  constructor(led: LedGroup) {
    this.#led = led
  }

  submit({ address, space }: RegionPlace, change: RegionChange, done: CommitDone): void {
    const { pages = [], frees = [], record, puts = [] } = change
    const step: GroupStep = {
      address,
      region: record === undefined || record === 'ended' ? undefined : regionOf(record),
      isEnd: record === 'ended',
      frees,
      // Those of a lock are used again when it is durable here, and may still be on their way then.
      pages: pages.map(({ page, version, bytes }) => ({ page, version, bytes: bytes.slice() })),
    }
    this.#led.submit(step, space, puts, done)
  }

  commit(place: RegionPlace, change: RegionChange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.submit(place, change, (failure) => {
        if (failure === undefined) resolve()
        else reject(failure)
      })
    })
  }
}

function ledElsewhere(): KhazanaError {
  return new KhazanaError('unreachable', 'this node may not serve the region: its home group is led elsewhere, or this node has no lease')
}

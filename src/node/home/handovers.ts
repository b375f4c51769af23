import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Version } from '../../address/page.js'
import type { Clock } from '../../io/clock.js'
import { defaultTimeoutMs, waitFrom, within, withResolvers } from '../../io/deadline.js'
import type { Resolvers, WaitOptions } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { HandoverMark } from '../../wire/group-message.js'
import type { MoveProgress } from '../../wire/message.js'
import { pause } from '../pause.js'
import type { ReplicaSet } from '../replica-set.js'
import { backoffMs } from '../session/backoff.js'
import type { HandoverBug } from './handover-bug.js'
import type { HandoverDecision } from './handover-decision.js'
import { HandoverDoubts } from './handover-doubts.js'
import type { HandoverDoubtsOptions } from './handover-doubts.js'
import type { HomeGroup } from './home-group.js'
import type { HomedRegion, RegionKeeping } from './homed-region.js'
import { PageCopy } from './page-copy.js'
import type { RegionChange, RegionLog } from './region-log.js'
import type { RegionRecord } from './region-record.js'

const what = 'changing the replicas of the region'
/** How long locks may be kept waiting for it, whatever time it has. */
const pauseMsMax = defaultTimeoutMs

/** What handing regions over needs of the node. */
export interface HandoverEnvironment {
  /** Counts the starts of this node. */
  readonly incarnation: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly register: {
    decide(
      attempt: string,
      wanted: HandoverDecision,
      isWanted: () => boolean,
    ): Promise<HandoverDecision | undefined>
    forget(attempt: string): Promise<void>
  }
  /** Resolves when rights from before this node's last start have ended. */
  readonly graceEnded: () => Promise<void>
  /** A fault, to see that it is found. */
  readonly bug?: HandoverBug | undefined
}

/** The regions homed at this node, as their logs change. */
export interface HandedRegions extends Pick<
  HandoverDoubtsOptions,
  'isOpen' | 'ownRecords' | 'arrived' | 'settled'
> {
  readonly node: NodeId
  readonly store: Store
  readonly replicas: ReplicaSet
  /** Of what is kept at this node alone. */
  readonly log: RegionLog
  readonly takeSpace: () => { readonly space: SpaceId; readonly puts: readonly MetadataPut[] }
  readonly find: (address: Address) => RegionDescriptor | undefined
  /** Whether the region is served here. */
  readonly isServed: (region: HomedRegion) => boolean
  /** Opens the root replica, where the region can be served. */
  readonly openReplica: (address: Address) => void
  /** It is served here, as it is kept now: in the turn in which that is durable. */
  readonly seat: (region: HomedRegion) => void
  /** It is served by another node, or nobody yet. */
  readonly unseat: (region: HomedRegion, error: KhazanaError) => void
  /** The address is kept as that of a region of this log, whatever was noted for another. */
  readonly kept: (descriptor: RegionDescriptor, group: HomeGroup | undefined) => void
}

/** One change that is under way. */
interface Handover {
  readonly region: HomedRegion
  readonly attempt: string
  readonly before: RegionDescriptor
  readonly after: RegionDescriptor
  readonly from: RegionKeeping
  readonly to: RegionKeeping
  /** Of storage at this node, which has it twice meanwhile. */
  readonly bytes: number
  readonly answer: Resolvers<RegionDescriptor>
  readonly wait: () => WaitOptions & { readonly timeoutMs: number }
  copy: PageCopy | undefined
}

/**
 * Regions that get another number of replicas: they go from one log of this node to another, that of a home group or its own
 * (docs/adr/0024-change-of-replicas.md). Both are written by this node when it begins; either may be another's when it ends.
 */
export class Handovers {
  readonly doubts: HandoverDoubts
  readonly #regions: HandedRegions
  readonly #environment: HandoverEnvironment
  readonly #underWay = new Map<Address, Handover>()
  readonly #closing = sharedAbortController()
  #attempts = 0

  constructor(regions: HandedRegions, environment: HandoverEnvironment) {
    this.#regions = regions
    this.#environment = environment
    this.doubts = new HandoverDoubts({
      ...environment,
      isOpen: (group) => regions.isOpen(group),
      ownRecords: (record, group) => regions.ownRecords(record, group),
      arrived: (record, kept) => {
        regions.arrived(record, kept)
      },
      settled: (region) => {
        regions.settled(region)
      },
      decide: (attempt, isWanted) => environment.register.decide(attempt, 'stay', isWanted),
    })
  }

  close(error: KhazanaError): void {
    this.#closing.abort(error)
    this.doubts.close(error)
  }

  /** Bytes of storage that regions have beside those that they are promised, as they are kept twice. */
  get bytes(): number {
    let bytes = 0
    for (const handover of this.#underWay.values()) bytes += handover.bytes
    return bytes
  }

  progressOf(address: Address): MoveProgress | undefined {
    const copy = this.#underWay.get(address)?.copy
    if (copy === undefined) return undefined
    return { to: this.#regions.node, pagesDone: copy.pagesDone, pagesTotal: copy.pagesTotal }
  }

  /**
   * Hands the region over to the log of the group, or to that of this node alone, under the descriptor `after`. Called for one region one after the other: `over`
   * resolves when another change may begin, and never rejects. `answer` rejects with `timeout`, `aborted`, `no-space`, `damaged`, `busy` and `unreachable`, and all is
   * as it was then; or with `outcome-unknown`.
   */
  begin(
    region: HomedRegion,
    after: RegionDescriptor,
    group: HomeGroup | undefined,
    bytes: number,
    options: WaitOptions,
  ): { readonly answer: Promise<RegionDescriptor>; readonly over: Promise<void> } {
    const { clock, incarnation } = this.#environment
    const { node, log } = this.#regions
    const { address } = after
    if (group === undefined ? this.doubts.hasLeftover(address) : group.recordOf(address) !== undefined)
      throw new KhazanaError('busy', 'an earlier change of the region is not cleared away yet: try again')
    this.#attempts += 1
    const { space, puts } = this.#regions.takeSpace()
    const handover: Handover = {
      region,
      attempt: `${node}.${incarnation}.${this.#attempts}`,
      ...{ before: region.descriptor, after, bytes },
      from: region.kept,
      to: { log: group?.log ?? log, group, space },
      answer: withResolvers<RegionDescriptor>(),
      wait: waitFrom(clock, options),
      copy: undefined,
    }
    this.#underWay.set(address, handover)
    const over = this.#run(handover, puts).finally(() => {
      this.#underWay.delete(address)
    })
    return { answer: handover.answer.promise, over }
  }

  /** Never rejects. */
  async #run(handover: Handover, puts: readonly MetadataPut[]): Promise<void> {
    const { answer } = handover
    try {
      await this.#fill(handover, puts)
    } catch (reason) {
      answer.reject(reason)
      await this.#giveUp(handover)
      return
    }
    // The point of no return: what is decided holds, whoever decides.
    void this.#answerInTime(handover)
    const decision = await this.#environment.register.decide(
      handover.attempt,
      'go',
      () => !this.#closing.signal.aborted,
    )
    if (decision === 'go') await this.#go(handover)
    else if (decision === 'stay') {
      answer.reject(
        new KhazanaError('unreachable', `${what}: given up, as a home group has another primary now`),
      )
      this.#goOn(handover)
      await this.#giveUp(handover)
    } else answer.reject(this.#closing.signal.reason)
  }

  /** All but the decision: the other log has everything, the region is at rest and sealed, and the log that it is in knows that it may go. */
  async #fill(handover: Handover, puts: readonly MetadataPut[]): Promise<void> {
    const { clock, graceEnded, bug } = this.#environment
    const { store, replicas, openReplica, ownRecords } = this.#regions
    const { region, before, to, wait } = handover
    const { address } = before
    const arriving = this.#recordOf(handover, 'to')
    await this.#commit(handover, to, {
      record: arriving,
      own: () => {
        // That the address is lent is forgotten when the region is here, and not before: it may stay where it is.
        const own = to.group === undefined ? {} : ownRecords(arriving, to.group)
        return { ...own, puts: [...puts, ...(own.puts ?? [])] }
      },
    })
    this.#regions.kept(before, to.group ?? region.group)
    const rest = { wait }
    const copy = new PageCopy({
      // As all members of its group have it, and in order.
      store: { pagesOf: (space) => store.pagesOf(space), read: (_space, page) => region.load(page) },
      space: region.space,
      pageSize: before.pageSize,
      pageCount: before.size / before.pageSize,
      watchers: region.watchers,
      send: async ({ pages, bytes }) => {
        // Those who have copies know pages by these versions.
        const writes = pages.map(({ page, version }, index) => ({
          page,
          version: Math.max(version, region.versionsUsed) as Version,
          bytes: bytes[index] as Uint8Array,
        }))
        await this.#commit(handover, to, { pages: writes }, rest.wait)
      },
    })
    handover.copy = copy
    try {
      await copy.copy()
      await within(clock, what, wait(), graceEnded())
      this.#checkServed(region)
      openReplica(address)
      const left = wait()
      rest.wait = waitFrom(clock, { ...left, timeoutMs: Math.min(left.timeoutMs, pauseMsMax) })
      await replicas.switches.suspend(before, rest.wait())
      try {
        await copy.finish()
        this.#checkServed(region)
        if (bug !== 'leave-without-a-mark') {
          region.handover = this.#mark(handover, 'from')
          await this.#commit(handover, handover.from, { record: region.record }, rest.wait)
        }
        this.#checkServed(region)
      } catch (error) {
        this.#goOn(handover)
        throw error
      }
    } finally {
      copy.stop()
    }
  }

  #mark({ attempt }: Handover, side: HandoverMark['side']): HandoverMark {
    return { attempt, side }
  }

  /** As the other log has it. */
  #recordOf(handover: Handover, side: 'to' | 'whole'): RegionRecord {
    const { region, after, to } = handover
    const { allocated, floor, versionsUsed } = region
    return {
      descriptor: after,
      allocated,
      // Zeros keep their version, too.
      floor: Math.max(floor, versionsUsed),
      space: to.space,
      handover: side === 'to' ? this.#mark(handover, side) : undefined,
    }
  }

  /** Whatever becomes of it, nothing is decided by it. */
  async #commit(
    { before: { address }, wait }: Handover,
    { log, space }: RegionKeeping,
    change: RegionChange,
    limit = wait,
  ): Promise<void> {
    try {
      await within(this.#environment.clock, what, limit(), log.commit({ address, space }, change))
    } catch (cause) {
      if (KhazanaError.from(cause).code !== 'outcome-unknown') throw cause
      throw new KhazanaError('unreachable', `${what}: given up, as a home group was lost meanwhile`, {
        cause,
      })
    }
  }

  #checkServed(region: HomedRegion): void {
    if (this.#regions.isServed(region)) return
    throw new KhazanaError('unreachable', `${what}: given up, as it is not served here any more`)
  }

  /** As it is known here now: as it was, unless another reign has gone on with it meanwhile. */
  #goOn({ before }: Handover): void {
    const { find, replicas } = this.#regions
    replicas.switches.resume(find(before.address) ?? before)
  }

  /** Undecided, or decided so: what is in the other log goes, and the mark in its own. Never rejects. */
  async #giveUp({ region, before, from, to }: Handover): Promise<void> {
    const { isServed, kept } = this.#regions
    const cleared = [this.#commitAnyway(to, before.address, { record: 'ended' })]
    if (isServed(region)) {
      const unmarked = { ...region.record, handover: undefined }
      const done = (): void => {
        region.handover = undefined
      }
      cleared.push(this.#commitAnyway(from, before.address, { record: unmarked }, done))
    }
    kept(before, from.group)
    await Promise.all(cleared)
  }

  /** Whoever asked is told that it is not known, where it takes longer than it waits. Never rejects. */
  async #answerInTime({ answer, wait }: Handover): Promise<void> {
    try {
      await within(this.#environment.clock, what, wait(), answer.promise)
    } catch (cause) {
      const { code } = KhazanaError.from(cause)
      const message = `${what}: it may have changed already: read its attributes`
      // Where it has been answered this comes too late.
      if (code === 'timeout' || code === 'aborted')
        answer.reject(new KhazanaError('outcome-unknown', message, { cause }))
    }
  }

  /** It is decided: it is the other log's. Never rejects. */
  async #go(handover: Handover): Promise<void> {
    const { register } = this.#environment
    const { before, from, answer, after } = handover
    const isSeated = await this.#seat(handover)
    if (isSeated) answer.resolve(after)
    else {
      const message = `${what}: its new home group was lost, and the next primary goes on with it`
      answer.reject(new KhazanaError('outcome-unknown', message))
    }
    const isCleared = await this.#commitAnyway(from, before.address, { record: 'ended' })
    if (isSeated && isCleared) await register.forget(handover.attempt)
  }

  /** False where this node has lost the group. */
  async #seat(handover: Handover): Promise<boolean> {
    const { replicas, ownRecords, kept, isServed, seat, unseat } = this.#regions
    const { region, before, after, to } = handover
    const record = this.#recordOf(handover, 'whole')
    const isDone = await this.#commitAnyway(
      to,
      before.address,
      { record, own: () => ownRecords(record, to.group) },
      () => {
        region.keepIn(to, record)
        kept(after, to.group)
        seat(region)
        replicas.switches.resume(after)
      },
    )
    if (isDone) return true
    if (isServed(region))
      unseat(region, new KhazanaError('unreachable', 'the home group of the region was lost'))
    this.#goOn(handover)
    return false
  }

  /** Again and again, until it is done, or the log is another's. `done`: in the turn in which it is durable. Never rejects. */
  async #commitAnyway(
    { log, group, space }: RegionKeeping,
    address: Address,
    change: RegionChange,
    done: () => void = () => undefined,
  ): Promise<boolean> {
    const { clock, random } = this.#environment
    const { signal } = this.#closing
    for (let round = 1; !signal.aborted && this.#regions.isOpen(group); round++) {
      const isDone = await new Promise<boolean>((resolve) => {
        log.submit({ address, space }, change, (failure) => {
          if (failure === undefined) done()
          resolve(failure === undefined)
        })
      })
      if (isDone) return true
      await pause(clock, backoffMs(round, random), signal)
    }
    return false
  }
}

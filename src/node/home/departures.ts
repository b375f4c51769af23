import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { RangeSet } from '../../address/range-set.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { RegionDirectory } from '../../location/region-directory.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Store } from '../../store/store.js'
import type { MoveProgress } from '../../wire/message.js'
import type { TransferCall, TransferSign, TransferState } from '../../wire/transfer-message.js'
import { defaultTimeoutMs, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import { pause } from '../pause.js'
import type { ReplicaSet } from '../replica-set.js'
import { backoffMs } from '../session/backoff.js'
import type { HomedRegion } from './homed-region.js'
import type { MoveBug } from './move-bug.js'
import { fencesKey } from './fence-reserve.js'
import { regionKey } from './region-record.js'
import { decodeMoved, encodeMoved, movedKey, movedKeyPrefix } from './moved-record.js'
import type { MovedRecord } from './moved-record.js'
import { PageCopy } from './page-copy.js'

/** How long one answer of the new home is waited for where nobody's time is used up by it. */
const answerMs = 5000
/** How long locks may be kept waiting for a move, whatever time it has. */
const pauseMsMax = defaultTimeoutMs
/** Attempts to move regions away that one life of a node may make. */
const transfersMax = 2 ** 24

/** After these a commit has certainly not happened. */
const certain: ReadonlySet<ErrorCode> = new Set(['no-space', 'busy', 'invalid-argument'])

export type TransferSend = (
  node: NodeId,
  call: TransferCall,
  options: WaitOptions,
  pages?: readonly Uint8Array[],
) => Promise<unknown>

export interface DeparturesOptions {
  readonly self: NodeId
  /** Counts the starts of this node. */
  readonly incarnation: number
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly replicas: ReplicaSet
  readonly send: TransferSend
  /** Resolves when rights from before this node's last start have ended. */
  readonly graceEnded: () => Promise<void>
  /** Opens the root replica, where the region can be served. */
  readonly openReplica: (address: Address) => void
  /** In the turn in which it is durable that the region is homed here no more. */
  readonly left: (region: HomedRegion) => void
  /** The new home serves the region, as is durable here. */
  readonly moved: (descriptor: RegionDescriptor) => void
  /** So many bytes of storage are needed no more. */
  readonly released: (bytes: number) => void
  readonly bug: MoveBug | undefined
}

/** How much of a caller's time is left, and whether it still wants it. */
export interface Patience {
  readonly signal: AbortSignal
  /** On this site's clock. */
  readonly endsAt: number
}

interface Move {
  readonly sign: TransferSign
  readonly to: NodeId
  copy: PageCopy | undefined
}

/**
 * Regions that go to other homes, and where those went that are gone (docs/adr/0016-homes-move.md). This side decides: once the
 * record of where the region went is durable in place of the region's own, the new home is told so until it has answered, across
 * restarts of either side.
 */
export class Departures {
  readonly #options: DeparturesOptions
  readonly #moves = new Map<Address, Move>()
  readonly #moved = new Map<Address, MovedRecord>()
  /** The same, found by any address in a region. */
  readonly #directory = new RegionDirectory(Infinity)
  /** Regions that others must still be told of that they moved. */
  readonly #leaving = new Map<Address, HomedRegion>()
  readonly #closing = sharedAbortController()
  #transfers = 0

  constructor(options: DeparturesOptions) {
    this.#options = options
  }

  /** Reads the records of regions that are gone. Throws `bad-format`. */
  load(): readonly MovedRecord[] {
    for (const [key, value] of this.#options.store.list(movedKeyPrefix)) this.#keep(decodeMoved(key, value))
    return [...this.#moved.values()]
  }

  /** Goes on telling new homes that have not answered. */
  start(): void {
    for (const record of this.#moved.values()) if (record.kept !== undefined) void this.#tell(record)
  }

  close(error: KhazanaError): void {
    this.#closing.abort(error)
  }

  /** Where the region went that had the address. */
  find(address: Address): RegionDescriptor | undefined {
    const start = this.#directory.find(address)?.address
    return start === undefined ? undefined : this.#moved.get(start)?.descriptor
  }

  recordOf(address: Address): MovedRecord | undefined {
    return this.#moved.get(address)
  }

  /** Regions in the range that went elsewhere, in order of their addresses. */
  inRange(start: Address, size: bigint): RegionDescriptor[] {
    return [...this.#moved.values()]
      .map(({ descriptor }) => descriptor)
      .filter(({ address }) => address >= start && address < start + size)
      .sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  /** Regions that went elsewhere, as their new homes have said, in order of their addresses. */
  settled(): RegionDescriptor[] {
    return [...this.#moved.values()]
      .filter(({ kept }) => kept === undefined)
      .map(({ descriptor }) => descriptor)
      .sort((a, b) => (a.address < b.address ? -1 : 1))
  }

  /** What another node knows of where regions went, and leaves to this one: durable when it resolves. */
  async takeOver(descriptors: readonly RegionDescriptor[]): Promise<void> {
    const news = descriptors.filter(({ address, generation, era }) => {
      const known = this.#moved.get(address)?.descriptor
      return known?.generation !== generation || known.era < era
    })
    const records = news.map((descriptor): MovedRecord => ({ descriptor, transfer: 0, kept: undefined }))
    const puts = records.map((record) => ({
      key: movedKey(record.descriptor.address),
      value: encodeMoved(record),
    }))
    if (puts.length > 0) await this.#options.store.commit({ puts })
    for (const record of records) this.#keep(record)
  }

  /** New homes that have not said that they serve a region which was handed over to them, one for each such region. */
  get unanswered(): NodeId[] {
    return [...this.#moved.values()]
      .filter(({ descriptor, kept }) => kept !== undefined || this.#leaving.has(descriptor.address))
      .map(({ descriptor }) => descriptor.home)
  }

  /** The region is homed here again, or is no more: nobody is sent away any more. Its record is the caller's to delete. */
  forget(address: Address): void {
    const record = this.#moved.get(address)
    if (record === undefined) return
    this.#moved.delete(address)
    this.#directory.forget(address)
    this.#leaving.delete(address)
    if (record.kept !== undefined) this.#options.released(record.kept.bytes)
  }

  progressOf(address: Address): MoveProgress | undefined {
    const move = this.#moves.get(address)
    if (move === undefined) return undefined
    const { pagesDone = 0, pagesTotal = 0 } = move.copy ?? {}
    return { to: move.to, pagesDone, pagesTotal }
  }

  /** What has been decided of an attempt. */
  stateOf({ address, transfer }: TransferSign): TransferState {
    if (this.#moves.get(address)?.sign.transfer === transfer) return 'wait'
    return this.#moved.get(address)?.transfer === transfer ? 'activate' : 'discard'
  }

  /**
   * Moves the region. `bytes`: of its storage. Where it throws, all is as it was, but for `outcome-unknown`: then the region is the
   * other node's, which has not said yet that it serves it. Called for one region one after the other.
   */
  async move(region: HomedRegion, to: NodeId, bytes: number, patience: Patience): Promise<RegionDescriptor> {
    const before = region.descriptor
    const after = { ...before, home: to, era: before.era + 1, revision: before.revision + 1 }
    const { address, generation, era } = after
    const sign = { address, generation, era, transfer: this.#nextTransfer() }
    const move: Move = { sign, to, copy: undefined }
    this.#moves.set(address, move)
    let record: MovedRecord
    try {
      await this.#copy(region, after, move, patience)
      const kept = { space: region.space, bytes }
      record = await this.#decide(region, { descriptor: after, transfer: sign.transfer, kept })
    } catch (reason) {
      if (reason instanceof InDoubt) throw reason.error
      this.#moves.delete(address)
      void this.#discard(to, sign)
      throw reason
    }
    this.#moves.delete(address)
    return this.#handOver(record, patience)
  }

  #nextTransfer(): number {
    const { incarnation } = this.#options
    if (this.#transfers >= transfersMax) {
      throw new KhazanaError(
        'busy',
        `${transfersMax} moves were begun since the node was started: start it again`,
      )
    }
    this.#transfers += 1
    return incarnation * transfersMax + this.#transfers
  }

  /** All but the decision: the other node has everything, and the region is at rest, and sealed. */
  async #copy(region: HomedRegion, after: RegionDescriptor, move: Move, patience: Patience): Promise<void> {
    const { store, clock, replicas, graceEnded, openReplica, bug } = this.#options
    const { to, sign } = move
    const { address, transfer } = sign
    const before = region.descriptor
    const { allocated, floor, space } = region
    await this.#say(
      to,
      { op: 'adopt', transfer, descriptor: after, allocated: pageRanges(allocated), floor },
      patience,
    )
    // Of the locks' time, once they wait, and of the mover's until then.
    const rest = { patience }
    const copy = new PageCopy({
      store,
      space,
      pageSize: before.pageSize,
      pageCount: before.size / before.pageSize,
      watchers: region.watchers,
      send: async ({ pages, bytes }) => {
        await this.#say(to, { op: 'adopt-pages', address, transfer, pages }, rest.patience, bytes)
      },
    })
    move.copy = copy
    try {
      await copy.copy()
      await within(clock, 'migrate', this.#wait(patience), graceEnded())
      openReplica(address)
      rest.patience = { ...patience, endsAt: Math.min(patience.endsAt, clock.now() + pauseMsMax) }
      await replicas.switches.suspend(before, this.#wait(rest.patience))
      try {
        if (bug !== 'hand-over-without-the-last-pages') await copy.finish()
        this.#wait(rest.patience)
      } catch (error) {
        replicas.switches.resume(before)
        throw error
      }
    } finally {
      copy.stop()
    }
  }

  /** Whatever becomes of it, nothing is decided by it. */
  async #say(
    to: NodeId,
    call: TransferCall,
    patience: Patience,
    pages?: readonly Uint8Array[],
  ): Promise<void> {
    try {
      await this.#options.send(to, call, this.#wait(patience), pages)
    } catch (cause) {
      if (KhazanaError.from(cause).code !== 'outcome-unknown') throw cause
      throw new KhazanaError('unreachable', `node ${to} was lost before the region was copied to it`, {
        cause,
      })
    }
  }

  /** The point of no return. */
  async #decide(region: HomedRegion, record: MovedRecord): Promise<MovedRecord> {
    const { store, replicas, left, bug } = this.#options
    const { address } = record.descriptor
    const puts =
      bug === 'forget-where-it-went' ? [] : [{ key: movedKey(address), value: encodeMoved(record) }]
    try {
      await store.commit({ puts, deletes: [regionKey(address), fencesKey(address)] })
    } catch (reason) {
      const error = KhazanaError.from(reason)
      replicas.switches.resume(region.descriptor)
      throw certain.has(error.code) ? error : new InDoubt(error)
    }
    this.#keep(record)
    this.#leaving.set(address, region)
    left(region)
    return record
  }

  async #handOver(record: MovedRecord, patience: Patience): Promise<RegionDescriptor> {
    const { clock } = this.#options
    const told = this.#tell(record)
    try {
      await within(clock, 'migrate', this.#wait(patience), told)
      return record.descriptor
    } catch (cause) {
      const { home } = record.descriptor
      const what = `the region is node ${home}'s now, which has not answered yet, and is told so until it does`
      throw new KhazanaError('outcome-unknown', what, { cause })
    }
  }

  /** Never rejects. */
  async #tell(record: MovedRecord): Promise<void> {
    const { clock, random, send, logger } = this.#options
    const { address, generation, era, home } = record.descriptor
    const { signal } = this.#closing
    const sign = { address, generation, era, transfer: record.transfer }
    for (let attempt = 1; !signal.aborted && this.#moved.get(address) === record; attempt++) {
      try {
        await send(home, { op: 'activate', ...sign }, { timeoutMs: answerMs, signal })
        await this.#acknowledged(record)
        return
      } catch (reason) {
        const { code, message } = KhazanaError.from(reason)
        // It was there, and is no more, or the other node has lost it: nobody is to wait for it. What is kept here stays.
        if (code === 'no-such-region') this.#passOn(record)
        if (attempt === 1 && code !== 'aborted') {
          const where = { region: formatAddress(address), node: home, reason: message }
          logger.log('warn', 'a region was handed over, and its new home does not answer yet', where)
        }
      }
      await pause(clock, backoffMs(attempt, random), signal)
    }
  }

  async #acknowledged(record: MovedRecord): Promise<void> {
    const { store, released, moved } = this.#options
    const { address } = record.descriptor
    this.#passOn(record)
    if (this.#moved.get(address) !== record || record.kept === undefined) return
    const done = { ...record, kept: undefined }
    await store.commit({
      drops: [record.kept.space],
      puts: [{ key: movedKey(address), value: encodeMoved(done) }],
    })
    if (this.#moved.get(address) !== record) return
    this.#keep(done)
    released(record.kept.bytes)
    moved(record.descriptor)
  }

  /** All who are used to find the region here go on at its new home. */
  #passOn({ descriptor }: MovedRecord): void {
    const { replicas, self, bug } = this.#options
    const { address, home } = descriptor
    const region = this.#leaving.get(address)
    if (region === undefined) return
    this.#leaving.delete(address)
    if (bug === 'serve-on') replicas.switches.resume(region.descriptor)
    else replicas.move({ ...descriptor, home: self }, descriptor, { kind: 'copy', parent: home })
    region.watchers.moved()
  }

  #keep(record: MovedRecord): void {
    this.#moved.set(record.descriptor.address, record)
    this.#directory.add(record.descriptor)
  }

  /** Never rejects: where it does not arrive, the other node will ask. */
  async #discard(to: NodeId, sign: TransferSign): Promise<void> {
    const { signal } = this.#closing
    try {
      await this.#options.send(to, { op: 'discard', ...sign }, { timeoutMs: answerMs, signal })
    } catch (reason) {
      const { message } = KhazanaError.from(reason)
      this.#options.logger.log('info', 'a move was given up, and the other node not told', {
        node: to,
        reason: message,
      })
    }
  }

  /** Throws `timeout` and `aborted`. */
  #wait({ signal, endsAt }: Patience): WaitOptions & { readonly timeoutMs: number } {
    const timeoutMs = endsAt - this.#options.clock.now()
    if (signal.aborted) throw new KhazanaError('aborted', 'migrate: given up', { cause: signal.reason })
    if (timeoutMs <= 0) throw new KhazanaError('timeout', 'migrate: not possible in the time that was given')
    return { timeoutMs, signal }
  }
}

/** Whether the region is homed here must be asked of the disk, by the next start. */
class InDoubt extends Error {
  readonly error: KhazanaError

  constructor(error: KhazanaError) {
    super(error.message)
    this.error = error
  }
}

function pageRanges(allocated: RangeSet): PageRange[] {
  return [...allocated].map(({ first, count }) => ({ first: first as PageIndex, count }))
}

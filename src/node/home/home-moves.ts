import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { unreachable } from '../../stdx/assert.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { CommitGroup } from '../../store/commit-group.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { Call, MoveProgress, Result } from '../../wire/message.js'
import type { TransferCall, TransferSign } from '../../wire/transfer-message.js'
import { expectResult } from '../calls/result.js'
import { timeoutOf } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { RegionMessage } from '../region-message.js'
import type { ReplicaSet } from '../replica-set.js'
import { Arrivals } from './arrivals.js'
import type { ArrivalRecord } from './arrival-record.js'
import { Departures } from './departures.js'
import type { HomedRegion } from './homed-region.js'
import type { MoveBug } from './move-bug.js'
import { movedKey } from './moved-record.js'
import type { MovedRecord } from './moved-record.js'
import type { RegionRecord } from './region-record.js'

/** How long the other node's answer about what was decided is waited for. */
const answerMs = 5000

/** What a node's moves of homes need of the node. */
export interface MoveEnvironment {
  /** Counts the starts of this node. */
  readonly incarnation: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Whether the node has left the cluster, for good. */
  readonly hasLeft: (node: NodeId) => boolean
  /** Asks another node. `pages`: what the call says that goes along. */
  readonly call: (
    node: NodeId,
    call: Call,
    options: WaitOptions,
    pages?: readonly Uint8Array[],
  ) => Promise<Result>
  /** Resolves when rights from before this node's last start have ended. */
  readonly graceEnded: () => Promise<void>
  /** A region has gone to another home, which serves it. */
  readonly moved: (descriptor: RegionDescriptor) => void
  /** A fault, to see that it is found. */
  readonly bug?: MoveBug | undefined
}

/** The regions homed at this node, as moves change them. */
export interface MovingRegions {
  readonly node: NodeId
  readonly store: Store
  readonly replicas: ReplicaSet
  find(address: Address): RegionDescriptor | undefined
  /** Opens the root replica, where the region can be served. */
  openReplica(address: Address): void
  /** Throws `unsupported`, `no-space`. */
  check(region: Omit<RegionRecord, 'space'>): void
  takeSpace(): { readonly space: SpaceId; readonly puts: NonNullable<CommitGroup['puts']> }
  /** It is homed here no more; its storage is still in use. */
  remove(region: HomedRegion): void
  /** It is homed here from now on. */
  insert(record: ArrivalRecord): void
  released(bytes: number): void
}

interface Attempt {
  readonly address: Address
  readonly to: NodeId
  readonly given: AbortController
}

/** Homes that move to and from this node: see docs/adr/0016-homes-move.md. */
export class HomeMoves {
  readonly #regions: MovingRegions
  readonly #environment: MoveEnvironment
  readonly #departures: Departures
  readonly #arrivals: Arrivals
  /** Those that wait for their turn, too. */
  readonly #attempts = new Set<Attempt>()

  constructor(regions: MovingRegions, environment: MoveEnvironment) {
    this.#regions = regions
    this.#environment = environment
    const { node: self, store, replicas } = regions
    const { clock, random, logger, bug } = environment
    this.#departures = new Departures({
      ...environment,
      self,
      store,
      replicas,
      bug,
      send: (node, call, options, pages) => environment.call(node, call, options, pages),
      openReplica: (address) => {
        regions.openReplica(address)
      },
      left: (region) => {
        regions.remove(region)
      },
      released: (bytes) => {
        regions.released(bytes)
      },
    })
    this.#arrivals = new Arrivals({
      self,
      store,
      clock,
      random,
      logger,
      ask: async (node, sign) => {
        // Nobody leaves with a move that was decided, and not carried out.
        if (environment.hasLeft(node)) return 'discard'
        const call = { op: 'transfer-state', ...sign } as const
        return expectResult(call.op, await environment.call(node, call, { timeoutMs: answerMs })).state
      },
      check: (region) => {
        regions.check(region)
      },
      takeSpace: () => regions.takeSpace(),
      hasSeen: (sign) => this.#hasSeen(sign),
      leftovers: (address) => leftoversOf(address, this.#departures.recordOf(address)),
      arrived: (record) => {
        this.#departures.forget(record.region.descriptor.address)
        regions.insert(record)
      },
      stayedAway: (address) => {
        replicas.stayedAway(address)
      },
    })
  }

  /** Reads what is under way, and where regions went. Throws `bad-format`. Answers with the latter. */
  load(): readonly MovedRecord[] {
    this.#arrivals.load()
    return this.#departures.load()
  }

  /** Goes on with what a restart has interrupted. */
  start(): void {
    this.#departures.start()
    this.#arrivals.start()
  }

  close(error: KhazanaError): void {
    for (const { given } of this.#attempts) given.abort(error)
    this.#departures.close(error)
    this.#arrivals.close(error)
  }

  /** Where the region went that had the address, as far as this node knows. */
  find(address: Address): RegionDescriptor | undefined {
    return this.#departures.find(address)
  }

  /** Regions in the range that went elsewhere, in order of their addresses. */
  inRange(start: Address, size: bigint): RegionDescriptor[] {
    return this.#departures.inRange(start, size)
  }

  /** Regions that went elsewhere, as their new homes have said, in order of their addresses. */
  gone(): RegionDescriptor[] {
    return this.#departures.settled()
  }

  /** What another node knows of where regions went, and leaves to this one; what is homed here is known better. */
  takeOver(descriptors: readonly RegionDescriptor[]): Promise<void> {
    return this.#departures.takeOver(
      descriptors.filter(({ address }) => this.#regions.find(address) === undefined),
    )
  }

  /** Of each region that was handed over, and whose new home has not said that it serves it, that home. */
  get newHomes(): NodeId[] {
    return this.#departures.unanswered
  }

  /** Of each region that may come to be homed here, as its old home decides, that home. */
  get oldHomes(): NodeId[] {
    return this.#arrivals.sources
  }

  /** Resolves when it is decided whether the region that has the address is homed here; undefined where none is to be. */
  settled(address: Address): Promise<void> | undefined {
    return this.#arrivals.settled(address)
  }

  /** Whether the message is for the home that this node is about to become. */
  isAwaited(message: RegionMessage): boolean {
    return this.#arrivals.isFor(message)
  }

  /** Whether it is still to be decided whether the region that begins there is homed here. */
  mayArrive(region: Address): boolean {
    return this.#arrivals.has(region)
  }

  progressOf(address: Address): MoveProgress | undefined {
    return this.#departures.progressOf(address)
  }

  /** Regions that are promised room here, should they come. */
  arriving(): Iterable<RegionRecord> {
    return this.#arrivals.records()
  }

  /**
   * One after the other for one region: `inTurn` sees to it. `bytes`: of the region's storage. Throws as `Departures.move`, and
   * `aborted` after a `stay`.
   */
  async migrate(
    region: HomedRegion,
    to: NodeId,
    options: WaitOptions,
    inTurn: (move: (bytes: number) => Promise<RegionDescriptor>) => Promise<RegionDescriptor>,
  ): Promise<RegionDescriptor> {
    const given = new AbortController()
    const attempt = { address: region.descriptor.address, to, given }
    const { signal } = options
    const onAbort = (): void => {
      given.abort(signal?.reason)
    }
    const endsAt = this.#environment.clock.now() + timeoutOf(options)
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#attempts.add(attempt)
    try {
      return await inTurn((bytes) =>
        this.#departures.move(region, to, bytes, { signal: given.signal, endsAt }),
      )
    } finally {
      this.#attempts.delete(attempt)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Gives up what can still be given up. */
  stay(address: Address, to: NodeId): void {
    for (const attempt of this.#attempts) {
      if (attempt.address === address && attempt.to === to) attempt.given.abort(new Error('told to stay'))
    }
  }

  /** What the other side of a move says or asks. */
  async serve(call: TransferCall, from: NodeId, pages: readonly Uint8Array[]): Promise<Result> {
    switch (call.op) {
      case 'adopt':
        await this.#arrivals.adopt(from, call)
        return { op: call.op }
      case 'adopt-pages':
        await this.#arrivals.adoptPages(call, pages)
        return { op: call.op }
      case 'activate':
        await this.#arrivals.activate(call)
        return { op: call.op }
      case 'discard':
        await this.#arrivals.discard(call)
        return { op: call.op }
      case 'transfer-state':
        return { op: call.op, state: this.#departures.stateOf(call) }
      default:
        return unreachable(call)
    }
  }

  /**
   * Forgets where a region went that is no more: its address may mean something else from now on. False where this node sends
   * nobody away from such a region.
   */
  async letGo(address: Address, generation: number): Promise<boolean> {
    const record = this.#departures.recordOf(address)
    if (record?.descriptor.generation !== generation) return false
    this.#departures.forget(address)
    await this.#regions.store.commit(leftoversOf(address, record))
    return true
  }

  #hasSeen({ address, generation, era }: TransferSign): boolean {
    const known = [this.#regions.find(address), this.#departures.recordOf(address)?.descriptor]
    return known.some(
      (each) => each?.address === address && each.generation === generation && each.era >= era,
    )
  }
}

/** What is still kept of a region that went away. */
function leftoversOf(address: Address, record: MovedRecord | undefined): CommitGroup {
  if (record === undefined) return {}
  return { deletes: [movedKey(address)], drops: record.kept === undefined ? [] : [record.kept.space] }
}

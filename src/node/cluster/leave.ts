import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { movedRegionsMax } from '../../wire/limits.js'
import type { Call, LeaveProgress, NodeStatus, Result } from '../../wire/message.js'
import { expectResult } from '../calls/result.js'
import { Expired, timeoutOf, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { HomeGroups } from '../group/home-groups.js'
import type { Home } from '../home/home.js'
import { isSystemRegion } from '../map/system-regions.js'
import { pause } from '../pause.js'
import type { OwnPools, Pool } from '../pools/own-pools.js'
import type { SpaceReturns } from '../pools/space-returns.js'
import type { Release } from '../releases/release.js'
import type { Releases } from '../releases/releases.js'
import type { NodeRecord } from '../node-record.js'
import { sayFarewell } from './farewell.js'
import { leftoversText } from './leftovers.js'
import type { Leftovers } from './leftovers.js'
import type { Membership } from './membership.js'

/** Regions that are handed over at a time. */
const widthMax = 4
/** How long one region may take; one that cannot be had in that time is tried again later. */
const moveMsMax = 60_000
/** How long another node has to take what it is told. */
const tellMs = 5000
/** How long releases that are pending are waited for before another node is to do them. */
const releaseMs = 5000
/** Between two rounds over what is left. */
const roundMs = 500
/** Of a disk's bound, what can be promised: the rest lets the cleaner work. */
const usableShare = 0.75

/** What another attempt may change. */
const mayPass: ReadonlySet<ErrorCode> = new Set([
  'timeout',
  'unreachable',
  'busy',
  'no-space',
  'outcome-unknown',
  'closed',
  // Whoever else wanted the region somewhere else has given that up.
  'aborted',
])

/** What the other node refuses, another one may take; what holds the region here holds it for all. */
const mayBeTakenByOthers: ReadonlySet<ErrorCode> = new Set([
  'no-space',
  'unsupported',
  'unreachable',
  'closed',
])

export interface LeaveOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly logger: Logger
  readonly home: Home
  readonly pools: OwnPools
  readonly returns: SpaceReturns
  readonly releases: Releases
  readonly members: Membership
  readonly record: NodeRecord
  readonly call: (node: NodeId, call: Call, wait: WaitOptions) => Promise<Result>
  readonly groups: Pick<HomeGroups, 'isTakingPart' | 'retire' | 'reenter'>
  /** Why this node cannot go, whatever is done; undefined where it can. Throws `unreachable`. */
  readonly objection: (wait: WaitOptions) => Promise<KhazanaError | undefined>
  /** Of a region that a home group keeps: what is known of it now. */
  readonly known: (address: Address) => RegionDescriptor | undefined
  /** The pool is another node's: its map is kept there. */
  readonly unfollow: (pool: Pool) => void
}

/** For how long it is tried, by this node's clock, and whether that is still wanted. */
interface Patience {
  readonly until: number
  readonly signal: AbortSignal
}

/** Another node, and what it has room for, as far as is known. */
interface Heir {
  readonly node: NodeId
  roomBytes: number
}

/**
 * A node's way out of the cluster: it hands over the regions homed here, its pools, and its numbers for new nodes, and then
 * says that it has left, for good. Each of these is safe by itself: a node that dies on the way, or gives up, goes on with what
 * it still has. Nobody is ever offered what another one may have: a pool that was promised to a node goes to that node, or
 * nowhere.
 */
export class Leave {
  readonly #options: LeaveOptions
  readonly #stopped = sharedAbortController()
  #running: Promise<void> | undefined
  #progress: LeaveProgress | undefined
  /** What kept it from leaving last, since it began to. */
  #hindrance: KhazanaError | undefined
  #isResuming = false

  constructor(options: LeaveOptions) {
    this.#options = options
  }

  /** Undefined where this node is not about to leave. */
  get progress(): LeaveProgress | undefined {
    return this.#progress
  }

  stop(error: KhazanaError): void {
    this.#stopped.abort(error)
  }

  /**
   * Resolves when this node has nothing any more, and has left. If that takes too long it throws `timeout`, saying what is
   * left, and the node goes on as a member of the cluster; so it does with `unreachable` where there is nobody to take it. With
   * `outcome-unknown` it has left, and nobody else knows.
   * Whoever asks while it is under way waits for the same, each for as long as it likes.
   */
  async run(options: WaitOptions): Promise<void> {
    const { clock } = this.#options
    // Whose attempt it is, hears what came of it: from some point on it cannot be given up any more.
    if (this.#running === undefined) return this.#attempt(options)
    try {
      await within(clock, 'leave', options, this.#running)
    } catch (reason) {
      if (reason instanceof Expired) throw this.#unfinished(reason)
      throw reason
    }
  }

  #attempt(options: WaitOptions): Promise<void> {
    this.#running = this.#begin(options).finally(() => {
      this.#running = undefined
      this.#progress = undefined
      this.#hindrance = undefined
      if (!this.#options.members.hasLeft) void this.resume()
    })
    return this.#running
  }

  /** By a later life of a node that has left: whether another node has heard of that by now. */
  sayFarewell(): Promise<boolean> {
    return sayFarewell(this.#options, this.#stopped.signal)
  }

  /** Goes on with pools that were promised to others before a restart, or before this node gave up leaving. Never rejects. */
  async resume(): Promise<void> {
    if (this.#isResuming) return
    this.#isResuming = true
    try {
      await this.#resume()
    } finally {
      this.#isResuming = false
    }
  }

  async #resume(): Promise<void> {
    const { pools, clock, logger } = this.#options
    const { signal } = this.#stopped
    for (;;) {
      const promised = [...pools.all()].filter((pool) => pools.isLeaving(pool))
      // Whoever leaves goes on with them itself.
      if (promised.length === 0 || signal.aborted || this.#running !== undefined) return
      for (const pool of promised) {
        try {
          await this.#handOver(pool, undefined, tellMs)
        } catch (reason) {
          const { code, message } = KhazanaError.from(reason)
          logger.log('info', 'a pool could not be handed over yet', { code, reason: message })
        }
      }
      await pause(clock, tellMs, signal)
    }
  }

  async #begin(options: WaitOptions): Promise<void> {
    const { clock } = this.#options
    const given = sharedAbortController()
    const signals = [this.#stopped.signal, ...(options.signal === undefined ? [] : [options.signal])]
    const onAbort = (): void => {
      given.abort(signals.find(({ aborted }) => aborted)?.reason)
    }
    for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true })
    if (signals.some(({ aborted }) => aborted)) onAbort()
    try {
      await this.#run({ until: clock.now() + timeoutOf(options), signal: given.signal })
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', onAbort)
    }
  }

  async #run(patience: Patience): Promise<void> {
    const { self, clock, home, logger, members, pools, objection } = this.#options
    const reason = await objection(this.#waitOf(patience))
    if (reason !== undefined) throw reason
    home.refuse(isLeaving(self))
    logger.log('info', 'leaving the cluster', { regions: home.regions.programs })
    try {
      const total = home.regions.programs
      for (;;) {
        this.#progress = { regionsLeft: home.regions.programs, regionsTotal: total }
        const error = await this.#round(patience)
        if (error === undefined) break
        this.#keepHindrance(error)
        this.#checkTime(patience, error)
        await pause(clock, Math.min(roundMs, this.#leftOf(patience)), patience.signal)
        // A round without time would only say that it has none.
        this.#checkTime(patience, error)
      }
      await members.leave()
    } catch (error) {
      pools.reopen()
      this.#options.releases.reopen()
      home.refuse(undefined)
      this.#options.groups.reenter()
      throw error
    }
    logger.log('info', 'this node has left the cluster')
    if (await sayFarewell(this.#options, this.#stopped.signal)) return
    throw new KhazanaError(
      'outcome-unknown',
      'this node has left, and no other one could be told: start it once more on its directory, to tell them',
    )
  }

  #waitOf(patience: Patience): WaitOptions {
    return { timeoutMs: this.#leftOf(patience), signal: patience.signal }
  }

  /** Milliseconds, more than 0. */
  #leftOf({ until }: Patience): number {
    return Math.max(1, until - this.#options.clock.now())
  }

  #checkTime({ until, signal }: Patience, error: KhazanaError): void {
    const { clock } = this.#options
    if (this.#stopped.signal.aborted) throw KhazanaError.from(this.#stopped.signal.reason)
    if (signal.aborted) {
      throw new KhazanaError('aborted', 'leaving the cluster: given up', { cause: signal.reason })
    }
    if (mayPass.has(error.code) && clock.now() < until) return
    const code = mayPass.has(error.code) && error.code !== 'unreachable' ? 'timeout' : error.code
    throw this.#notLeft(code, 'the node goes on as a member', error)
  }

  /** That there was no time says less than what took it. */
  #keepHindrance(error: KhazanaError): void {
    if (error.code !== 'timeout' || this.#hindrance === undefined) this.#hindrance = error
  }

  /** Somebody does not wait any more, and the attempt is not over: it is another's, or waits for what has no end of its own. */
  #unfinished(cause: KhazanaError): KhazanaError {
    return this.#notLeft('timeout', 'the node has not left in that time, and is still about to', cause)
  }

  #notLeft(code: ErrorCode, what: string, cause: KhazanaError): KhazanaError {
    const left = leftoversText(this.#leftovers()).join(', ')
    const why = this.#hindrance === undefined ? '' : `; the reason: ${this.#hindrance.message}`
    return new KhazanaError(code, `${what}; left here: ${left === '' ? 'nothing' : left}${why}`, { cause })
  }

  #leftovers(): Leftovers {
    const { home, pools, returns, releases, record } = this.#options
    return {
      regions: home.regions.programs,
      maps: home.regions.descriptors().filter(isSystemRegion).length,
      newHomes: home.moves.newHomes,
      oldHomes: home.moves.oldHomes,
      returns: returns.count,
      releases: releases.count,
      pools: [...pools.all()].map((pool) => pools.heirOf(pool)),
      idsFor: record.promisedIds?.to,
    }
  }

  /** Hands over what can be now. Undefined where nothing is left; else why not. */
  async #round(patience: Patience): Promise<KhazanaError | undefined> {
    try {
      const heirs = await this.#heirs(patience)
      if (this.#options.groups.isTakingPart) await this.#options.groups.retire(this.#waitOf(patience))
      await this.#moveRegions(heirs, patience)
      await this.#handOverPools(heirs, patience)
      await this.#handOverIds(heirs, patience)
      const left = this.#whatIsLeft()
      if (left !== undefined) return left
      await this.#handOverReleases(heirs, patience)
      // That takes its time.
      const since = this.#whatIsLeft()
      if (since !== undefined) return since
      if (this.#options.releases.count > 0)
        return new KhazanaError('busy', 'this node was asked for another release meanwhile')
      // Nothing may come from now on.
      if (this.#options.pools.close()) {
        this.#options.releases.close(isLeaving(this.#options.self))
        return undefined
      }
      return new KhazanaError(
        'busy',
        'a pool came here meanwhile, or is coming from another node that leaves',
      )
    } catch (reason) {
      return KhazanaError.from(reason)
    }
  }

  #whatIsLeft(): KhazanaError | undefined {
    const { home, returns } = this.#options
    const { moves } = home
    const busy = (message: string): KhazanaError => new KhazanaError('busy', message)
    if (home.regions.descriptors().length > 0) return busy('regions came here meanwhile')
    if (moves.newHomes.length > 0) return busy('the new home of a region has not answered yet')
    if (moves.oldHomes.length > 0)
      return busy('the old home of a region has not said whether it is to come here')
    if (home.doubtCount > 0) return busy('a change of the replicas of a region here is not settled yet')
    if (returns.count > 0) return busy('address space of regions that ended here is to be returned')
    return undefined
  }

  /** Nodes that answer now, those with most room first. Throws `unreachable` where there are none. */
  async #heirs(patience: Patience): Promise<Heir[]> {
    const { members, self } = this.#options
    const others = members.members.filter(({ node }) => node !== self)
    const heirs: Heir[] = []
    let next = 0
    const ask = async (): Promise<void> => {
      for (let other = others[next++]; other !== undefined; other = others[next++]) {
        const status = await this.#statusOf(other.node, Math.min(tellMs, this.#leftOf(patience)))
        if (status === undefined || status.leaving !== undefined) continue
        const { diskBytesMax, allocatedBytes } = status
        heirs.push({ node: other.node, roomBytes: diskBytesMax * usableShare - allocatedBytes })
      }
    }
    await Promise.all(Array.from({ length: widthMax }, ask))
    if (heirs.length === 0) {
      throw new KhazanaError('unreachable', 'no other node of the cluster answers, to take over what is here')
    }
    return heirs.sort((a, b) => a.node - b.node)
  }

  async #statusOf(node: NodeId, timeoutMs: number): Promise<NodeStatus | undefined> {
    try {
      const answer = await this.#options.call(node, { op: 'node-status' }, { timeoutMs })
      return expectResult('node-status', answer).status
    } catch (reason) {
      if (KhazanaError.from(reason).code === 'internal') throw reason
      return undefined
    }
  }

  /** Regions of programs go where there is most room. */
  async #moveRegions(heirs: Heir[], patience: Patience): Promise<void> {
    const { home } = this.#options
    const regions = home.regions.descriptors().filter((region) => !isSystemRegion(region))
    let failure: KhazanaError | undefined
    let next = 0
    const move = async (): Promise<void> => {
      for (let region = regions[next++]; region !== undefined; region = regions[next++]) {
        failure = (await this.#moveRegion(region, heirs, patience)) ?? failure
        if (this.#progress !== undefined) {
          this.#progress = { ...this.#progress, regionsLeft: home.regions.programs }
        }
      }
    }
    await Promise.all(Array.from({ length: widthMax }, move))
    if (failure !== undefined) throw failure
  }

  async #moveRegion(
    region: RegionDescriptor,
    heirs: Heir[],
    patience: Patience,
  ): Promise<KhazanaError | undefined> {
    const bytes = this.#options.home.storageOf(region.address)
    const byRoom = [...heirs].sort((a, b) => b.roomBytes - a.roomBytes)
    let failure: KhazanaError | undefined
    for (const heir of byRoom) {
      failure = await this.#tryMove(region.address, heir.node, patience)
      if (failure === undefined) {
        heir.roomBytes -= bytes
        return undefined
      }
      if (!mayBeTakenByOthers.has(failure.code)) break
    }
    return failure
  }

  async #tryMove(address: Address, to: NodeId, patience: Patience): Promise<KhazanaError | undefined> {
    const { home } = this.#options
    const timeoutMs = Math.min(moveMsMax, this.#leftOf(patience))
    try {
      await home.migrate(address, to, { timeoutMs, signal: patience.signal })
      return undefined
    } catch (reason) {
      const error = KhazanaError.from(reason)
      // It was unreserved meanwhile, or is the other node's, which has not answered yet.
      if (error.code === 'no-such-region') return undefined
      const what = `region ${formatAddress(address)}, to node ${to}`
      return new KhazanaError(error.code, `${what}: ${error.message}`, { cause: error })
    }
  }

  /** Each with its map, to one node: the first, which is the manager if this node is not, or is to be. */
  async #handOverPools(heirs: readonly Heir[], patience: Patience): Promise<void> {
    const { pools, home, members } = this.#options
    const [first] = heirs
    if (first === undefined) return
    for (const pool of [...pools.all()]) {
      const promised = pools.heirOf(pool)
      if (promised !== undefined && members.find(promised)?.state === 'left') {
        // Whoever leaves takes nothing: there is enough address space.
        await pools.endLeaving(pool)
        continue
      }
      const to = promised ?? first.node
      const isMapHere = pool.map !== undefined && home.find(pool.map) !== undefined
      if (pool.map !== undefined && isMapHere) {
        const failure = await this.#tryMove(pool.map, to, patience)
        if (failure !== undefined && failure.code !== 'no-space') throw failure
      }
      await this.#handOver(pool, to, Math.min(tellMs, this.#leftOf(patience)))
    }
    for (const { address } of home.regions.descriptors().filter(isSystemRegion)) {
      const failure = await this.#tryMove(address, first.node, patience)
      if (failure !== undefined) throw failure
    }
  }

  /** `to`: to whom, where it has not been promised to anybody. */
  async #handOver(pool: Pool, to: NodeId | undefined, timeoutMs: number): Promise<void> {
    const { pools, home, call, unfollow } = this.#options
    const promised = pools.heirOf(pool)
    const heir = promised ?? to
    if (heir === undefined) return
    if (promised === undefined) await pools.beginLeaving(pool, heir)
    unfollow(pool)
    // What is being reserved has an address, and is no region yet.
    await home.whenReserved()
    const regions = [...home.knownInRange(pool.start, pool.size), ...this.#lentIn(pool)]
    const generation = home.numbers.last
    for (let at = 0; ; at += movedRegionsMax) {
      const isLast = at + movedRegionsMax >= regions.length
      const some = regions.slice(at, at + movedRegionsMax)
      await call(heir, { op: 'take-pool', pool, generation, moved: some, isLast }, { timeoutMs })
      if (isLast) break
    }
    await pools.endLeaving(pool)
  }

  /** Regions that home groups have from the pool, wherever they are now. */
  #lentIn(pool: Pool): RegionDescriptor[] {
    const { home, known } = this.#options
    return home.space.lentInRange(pool.start, pool.size).map((lent) => {
      const now = known(lent.address)
      return now?.generation === lent.generation ? now : lent
    })
  }

  /**
   * What cannot be done soon another node does. The last of all things, as from then on what is asked of this node does not wait for it any
   * more. Throws `busy` where none takes it.
   */
  async #handOverReleases(heirs: readonly Heir[], patience: Patience): Promise<void> {
    const { releases } = this.#options
    if (releases.count === 0) return
    try {
      await releases.whenEmpty({
        timeoutMs: Math.min(releaseMs, this.#leftOf(patience)),
        signal: patience.signal,
      })
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'timeout') throw reason
    }
    await releases.handOver((release) => this.#handOverRelease(release, heirs, patience))
  }

  async #handOverRelease(release: Release, heirs: readonly Heir[], patience: Patience): Promise<void> {
    let failure: unknown
    for (const { node } of heirs) {
      try {
        const wait = { timeoutMs: Math.min(tellMs, this.#leftOf(patience)) }
        expectResult(release.op, await this.#options.call(node, { ...release, keep: true }, wait))
        return
      } catch (reason) {
        failure = reason
      }
    }
    const { message } = KhazanaError.from(failure)
    throw new KhazanaError('busy', `no other node takes a release that is pending here: ${message}`, {
      cause: failure,
    })
  }

  /** To one node, and no other, as nobody could tell whether it has given some of them away already. */
  async #handOverIds(heirs: readonly Heir[], patience: Patience): Promise<void> {
    const { members, call, logger } = this.#options
    const [first] = heirs
    if (first === undefined) return
    const promised = await members.promiseIds(first.node)
    if (promised === undefined) return
    const { to, ids } = promised
    const timeoutMs = Math.min(tellMs, this.#leftOf(patience))
    if (heirs.some(({ node }) => node === to)) await call(to, { op: 'take-ids', ids }, { timeoutMs })
    else logger.log('warn', 'numbers for new nodes are lost with the node that was to have them', { to })
    await members.dropPromisedIds()
  }
}

function isLeaving(node: NodeId): KhazanaError {
  return new KhazanaError('closed', `node ${node} is leaving the cluster: use another one`)
}

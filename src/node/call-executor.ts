import type { Address } from '../address/address.js'
import type { NodeId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type {
  Call,
  Member,
  NodeEntry,
  NodeStatus,
  ReleaseCall,
  ResourceLimits,
  Resources,
  Result,
} from '../wire/message.js'
import type { CoordinatorAnswer, CoordinatorQuestion } from '../wire/coordinator-message.js'
import type { Caller, HomeCalls } from './calls/home-calls.js'
import { expectResult } from './calls/result.js'
import { timeoutOf, waitFrom } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import type { ManagerDuties } from './cluster/manager-duties.js'
import type { Membership } from './cluster/membership.js'
import type { Home } from './home/home.js'
import type { Location } from './location/location.js'
import type { MapKeeper } from './map/map-keeper.js'
import type { OwnPools } from './pools/own-pools.js'
import type { SpaceBug } from './pools/space-bug.js'
import { notInMyPools } from './pools/space-returns.js'
import type { Peers } from './peers.js'
import { releaseOf } from './releases/release.js'
import type { Release } from './releases/release.js'
import type { Releases } from './releases/releases.js'

/** How long `nodes` waits for one node's status. */
const statusMs = 2000
/** Nodes that `nodes` asks at a time. */
const statusesMax = 32

export interface CallExecutorOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly home: Home
  readonly homeCalls: HomeCalls
  readonly peers: Peers
  readonly location: Location
  readonly pools: OwnPools
  readonly maps: MapKeeper
  /** Resolves when this node has left the cluster. */
  readonly leave: (options: WaitOptions) => Promise<void>
  /** Whether this node has left the cluster for good. */
  readonly hasLeft: () => boolean
  /** Changes the limits that are told, and answers with all. */
  readonly resources: (limits: ResourceLimits) => Resources
  /** Asks the coordinator that this node keeps. */
  readonly coordinate: (question: CoordinatorQuestion, wait: WaitOptions) => Promise<CoordinatorAnswer>
  readonly members: Membership
  readonly duties: ManagerDuties
  /** What is done in the background. */
  readonly releases: Releases
  readonly status: () => NodeStatus
  readonly spaceBug: SpaceBug | undefined
}

/** Of the time of an attempt in the background, the share for the home that is known. */
const knownHomeShare = 0.5
/**
 * What others rest on when it is done. A node that has left does none of it: those who have not heard of that yet, as it may be back only to
 * say so, take it for an heir, or for the manager.
 */
const takesPart: ReadonlySet<Call['op']> = new Set([
  'adopt',
  'take-pool',
  'take-ids',
  'grant-pool',
  'grant-ids',
  'admit',
  'hint',
  'report',
])

function isRestedOn(call: Call): boolean {
  return takesPart.has(call.op) || ('keep' in call && call.keep)
}

/** Carries requests out: here, or at the node that must. */
export class CallExecutor {
  readonly #options: CallExecutorOptions
  constructor(options: CallExecutorOptions) {
    this.#options = options
  }

  async execute(call: Call, caller: Caller, options: WaitOptions): Promise<Result> {
    const { hasLeft } = this.#options
    if (hasLeft() && (caller.kind === 'client' || isRestedOn(call))) throw leftCluster()
    try {
      return await this.#execute(call, caller, options)
    } catch (reason) {
      // Nobody deals any more with a node that has left: why not is not the caller's business.
      if (caller.kind === 'client' && hasLeft()) throw leftCluster(reason)
      throw reason
    }
  }

  async #execute(call: Call, caller: Caller, options: WaitOptions): Promise<Result> {
    const { home, homeCalls, status, location, duties } = this.#options
    switch (call.op) {
      case 'reserve':
        return {
          op: call.op,
          descriptor: await home.reserve(call.size, call.pageSize, call.attributes, options),
        }
      case 'describe':
        if (caller.kind === 'client') return { op: call.op, ...(await location.look(call.address, options)) }
        return { op: call.op, ...(await homeCalls.describe(call.address, caller, options)) }
      case 'free':
      case 'unreserve':
        if (!call.keep) return this.#inOrder(call, caller, options)
        await this.#options.releases.keep(releaseOf(call))
        return { op: call.op, state: 'pending' }
      case 'allocate':
        return this.#inOrder(call, caller, options)
      case 'set-attributes':
      case 'stat':
      case 'migrate':
      case 'stay':
      case 'vote':
      case 'conclude':
        return homeCalls.run(call, caller, options)
      case 'adopt':
      case 'adopt-pages':
      case 'activate':
      case 'discard':
      case 'transfer-state':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', 'only nodes hand regions over')
        return home.moves.serve(call, caller.node, caller.pages)
      case 'nodes':
        return { op: call.op, nodes: await this.#nodes() }
      case 'node-status':
        return { op: call.op, status: status() }
      case 'whereis':
        return { op: call.op, whereabouts: location.whereabouts(call.address) }
      case 'grant-pool':
      case 'grant-ids':
      case 'admit':
      case 'hint':
      case 'report':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', `${call.op} is for nodes alone`)
        return duties.serve(call, caller.node)
      case 'leave':
        if (caller.kind !== 'client')
          throw new KhazanaError('unsupported', 'only its clients can make a node leave')
        await this.#options.leave(options)
        return { op: call.op }
      case 'resources':
        if (caller.kind !== 'client')
          throw new KhazanaError('unsupported', 'only its clients can change the limits of a node')
        return { op: call.op, resources: this.#options.resources(call.limits) }
      case 'coordinate':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', `${call.op} is for nodes alone`)
        return { op: call.op, answer: await this.#options.coordinate(call.question, options) }
      case 'take-pool':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', `${call.op} is for nodes alone`)
        await this.#takePool(call)
        return { op: call.op }
      case 'take-ids':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', `${call.op} is for nodes alone`)
        await this.#options.members.inheritIds(caller.node, call.ids)
        return { op: call.op }
      case 'return-space':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', `${call.op} is for nodes alone`)
        await this.#takeBack(call.address, call.generation)
        return { op: call.op }
      case 'watch':
      case 'unwatch':
        throw new KhazanaError('unsupported', 'a watch belongs to a session, and is not a call by itself')
      default:
        return unreachable(call)
    }
  }

  /** One attempt at what is kept. Throws as `execute`. */
  async release(release: Release, wait: WaitOptions): Promise<void> {
    const { clock, location } = this.#options
    const call = { ...release, keep: false }
    const left = waitFrom(clock, wait)
    try {
      const timeoutMs = timeoutOf(wait) * knownHomeShare
      await this.#options.homeCalls.run(call, { kind: 'client' }, { ...wait, timeoutMs })
      return
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code !== 'unreachable' && code !== 'no-such-region') throw reason
    }
    // It may have moved from there before that was lost, and others know; and that it is no more, one asks twice before one lets go of it.
    await location.findAnew(release.address, left())
    await this.#options.homeCalls.run(call, { kind: 'client' }, left())
  }

  /** What a client does to storage stands behind what is pending here: that would undo it. */
  async #inOrder(
    call: ReleaseCall | Extract<Call, { op: 'allocate' }>,
    caller: Caller,
    options: WaitOptions,
  ): Promise<Result> {
    if (caller.kind === 'node' || call.op === 'unreserve')
      return this.#options.homeCalls.run(call, caller, options)
    const wait = waitFrom(this.#options.clock, options)
    await this.#options.releases.whenClear(call, wait())
    return this.#options.homeCalls.run(call, caller, wait())
  }

  /** Where its regions are is known before any of it is free here. */
  async #takePool({ pool, moved, generation, isLast }: Extract<Call, { op: 'take-pool' }>): Promise<void> {
    const { home, pools, maps } = this.#options
    await home.moves.takeOver(moved)
    if (!isLast) return
    await home.numbers.raise(generation)
    const isBugged = this.#options.spaceBug === 'take-pools-as-free'
    await pools.adopt(pool, () => (isBugged ? [] : home.knownInRange(pool.start, pool.size)))
    await maps.begin(pool)
  }

  /** Address space of this node's whose region has ended elsewhere. What was taken back before is so already. */
  async #takeBack(address: Address, generation: number): Promise<void> {
    const { home, pools, self } = this.#options
    const pool = pools.find(address)
    if (pool === undefined) throw notInMyPools(self)
    if (pools.isLeaving(pool)) throw new KhazanaError('busy', 'the pool is being handed over: try again')
    const moved = home.moves.find(address)
    if (moved?.address === address && moved.generation === generation) await home.space.letGo(moved)
    else await home.space.takeBack(address, generation)
  }

  async #nodes(): Promise<NodeEntry[]> {
    const members = [...this.#options.members.members]
    const entries: NodeEntry[] = []
    let next = 0
    const askOneAfterTheOther = async (): Promise<void> => {
      for (let index = next++; index < members.length; index = next++) {
        const member = members[index]
        if (member !== undefined) entries[index] = await this.#entryOf(member)
      }
    }
    await Promise.all(Array.from({ length: statusesMax }, askOneAfterTheOther))
    return entries
  }

  async #entryOf(member: Member): Promise<NodeEntry> {
    const { self, status, peers } = this.#options
    if (member.node === self) return { member, status: status() }
    try {
      const result = await peers.call(member.node, { op: 'node-status' }, { timeoutMs: statusMs })
      return { member, status: expectResult('node-status', result).status }
    } catch (error) {
      // Not having an answer is the answer.
      if (KhazanaError.from(error).code === 'internal') throw error
      return { member, status: undefined }
    }
  }
}

function leftCluster(cause?: unknown): KhazanaError {
  return new KhazanaError('closed', 'this node has left the cluster: use another one', { cause })
}

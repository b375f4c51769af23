import { formatAddress } from '../address/address.js'
import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { NodeId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import type {
  Call,
  Found,
  Member,
  NodeEntry,
  NodeStatus,
  ReleaseCall,
  ResourceLimits,
  Resources,
  Result,
} from '../wire/message.js'
import type { CoordinatorAnswer, CoordinatorQuestion } from '../wire/coordinator-message.js'
import { expectResult } from './calls/result.js'
import { timeoutOf, waitFrom, within } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import type { ManagerDuties } from './cluster/manager-duties.js'
import type { Membership } from './cluster/membership.js'
import type { Home } from './home/home.js'
import type { FoundRegion, Location } from './location/location.js'
import type { MapKeeper } from './map/map-keeper.js'
import { checkNotSystem } from './map/system-regions.js'
import type { OwnPools } from './pools/own-pools.js'
import type { SpaceBug } from './pools/space-bug.js'
import { notInMyPools } from './pools/space-returns.js'
import type { Peers } from './peers.js'
import { releaseOf } from './releases/release.js'
import type { Release } from './releases/release.js'
import type { Releases } from './releases/releases.js'
import { unreserved } from './unreserved.js'

/** Pages that one `stat` tells of. */
export const statPagesMax = 4096
/** How long `nodes` waits for one node's status. */
const statusMs = 2000
/** Nodes that `nodes` asks at a time. */
const statusesMax = 32

export interface CallExecutorOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly home: Home
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

/** Homes that a request follows a region to. */
const hopsMax = 8
/** Between two attempts to find who has taken over a region. */
const takeoverPauseMs = 100
/** Of the time of an attempt in the background, the share for the home that is known. */
const knownHomeShare = 0.5
/** How long a node is kept waiting for whether this one becomes a region's home. */
const settleMs = 2000

/** Who asked: a client's request goes wherever it must, a node's is for this node alone. `pages` came with the request. */
export type Caller =
  | { readonly kind: 'client' }
  | { readonly kind: 'node'; readonly node: NodeId; readonly pages: readonly Uint8Array[] }

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

/** What is done at a region's home. */
type HomeCall = Extract<
  Call,
  {
    op:
      'allocate' | 'free' | 'unreserve' | 'set-attributes' | 'stat' | 'migrate' | 'stay' | 'vote' | 'conclude'
  }
>

const foundHere: Found = { by: 'home', asked: 0 }

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
    const { home, status, location, duties } = this.#options
    switch (call.op) {
      case 'reserve':
        return {
          op: call.op,
          descriptor: await home.reserve(call.size, call.pageSize, call.attributes, options),
        }
      case 'describe':
        if (caller.kind === 'client') return { op: call.op, ...(await location.look(call.address, options)) }
        return { op: call.op, ...(await this.#describe(call.address, caller, options)) }
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
        return this.#atHome(caller.kind === 'client' ? this.#withTarget(call) : call, caller, options)
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
      await this.#atHome(call, { kind: 'client' }, { ...wait, timeoutMs })
      return
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code !== 'unreachable' && code !== 'no-such-region') throw reason
    }
    // It may have moved from there before that was lost, and others know; and that it is no more, one asks twice before one lets go of it.
    await location.findAnew(release.address, left())
    await this.#atHome(call, { kind: 'client' }, left())
  }

  /** What a client does to storage stands behind what is pending here: that would undo it. */
  async #inOrder(
    call: ReleaseCall | Extract<Call, { op: 'allocate' }>,
    caller: Caller,
    options: WaitOptions,
  ): Promise<Result> {
    if (caller.kind === 'node' || call.op === 'unreserve') return this.#atHome(call, caller, options)
    const wait = waitFrom(this.#options.clock, options)
    await this.#options.releases.whenClear(call, wait())
    return this.#atHome(call, caller, wait())
  }

  /** A node's question is for what this one knows by itself. */
  async #describe(address: Address, caller: Caller, options: WaitOptions): Promise<FoundRegion> {
    const { location } = this.#options
    if (caller.kind === 'client') return location.find(address, options)
    const descriptor = await this.#whatIsKnown(address, {
      ...options,
      timeoutMs: Math.min(settleMs, timeoutOf(options)),
    })
    return { descriptor, found: foundHere }
  }

  /** Where the region is, or went, as far as this node knows by itself. */
  async #whatIsKnown(address: Address, options: WaitOptions): Promise<RegionDescriptor> {
    const { home, location } = this.#options
    await this.#settled(address, options)
    const known = home.find(address) ?? home.moves.find(address) ?? location.asBackup(address)
    if (known !== undefined) return known
    if (home.settled(address) === undefined) throw unreserved()
    throw new KhazanaError(
      'unreachable',
      'the region is moving here, and it is not known yet whether it has: try again',
    )
  }

  /** Waits until it is decided whether a region is homed here that may be, or in vain. */
  async #settled(address: Address, options: WaitOptions): Promise<void> {
    const { home, clock } = this.#options
    const settled = home.settled(address)
    if (settled === undefined) return
    try {
      await within(clock, 'describe', options, settled)
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'timeout') throw reason
    }
  }

  /**
   * At the home, wherever that is by now: where the region is not where it was thought to be, it is looked for. For a node,
   * which asks the one that it takes for the home, only here.
   */
  async #atHome(call: HomeCall, caller: Caller, options: WaitOptions): Promise<Result> {
    const { home, location, self, clock } = this.#options
    const wait = waitFrom(clock, options)
    for (let hop = 0; hop < hopsMax; hop++) {
      const { descriptor, found } = await this.#describe(call.address, caller, wait())
      if (call.generation !== 0 && call.generation !== descriptor.generation) {
        if (found.by !== 'directory') throw unreserved()
        location.forget(descriptor.address)
        continue
      }
      // Nodes do what their own part in the address map takes.
      if (caller.kind === 'client' && call.op !== 'stat') checkNotSystem(descriptor)
      if (descriptor.home === self) {
        try {
          return await this.#here(descriptor, found, call, caller, wait())
        } catch (reason) {
          const { code } = KhazanaError.from(reason)
          const isServed = home.find(descriptor.address)?.era === descriptor.era
          if (code === 'unreachable' && caller.kind === 'client' && !isServed) {
            // Somebody serves it soon, or this node again, who has not heard of the call. Another node that asks looks by itself: this one may not even have a copy by now.
            await this.#pause(wait())
            hop -= 1
            continue
          }
          // It may have left while the call waited for its turn.
          const hasMoved = home.moves.find(call.address)?.generation === descriptor.generation
          if (code !== 'no-such-region' || !hasMoved) throw reason
          continue
        }
      }
      if (caller.kind === 'node') return { op: 'moved', descriptor }
      const result = await this.#forward({ descriptor, found }, call, wait())
      if (result === 'nobody') {
        // A backup takes the home's place soon.
        await this.#pause(wait())
        hop -= 1
        continue
      }
      if (result === undefined) continue
      if (result.op !== 'moved') {
        if (result.op === 'set-attributes' || result.op === 'migrate') location.learned(result.descriptor)
        if (result.op === 'unreserve') location.forget(descriptor.address)
        return result.op === 'stat' ? { ...result, found } : result
      }
      if (result.descriptor.home === self) await this.#settled(call.address, wait())
      location.forget(descriptor.address)
      location.learned(result.descriptor)
    }
    throw movesTooFast()
  }

  /** Throws `timeout`, `aborted`. */
  async #pause(options: WaitOptions): Promise<void> {
    const { clock } = this.#options
    if (timeoutOf(options) <= takeoverPauseMs) throw nobodyServes()
    await new Promise<void>((resolve) => clock.after(takeoverPauseMs, resolve))
  }

  /**
   * Undefined where the descriptor was stale: it is forgotten, and whoever asks for it again gets a newer one. `nobody`: the same, and the home that it
   * names has not heard of the call, and is one that others can take over from.
   */
  async #forward(
    { descriptor, found }: FoundRegion,
    call: HomeCall,
    options: WaitOptions,
  ): Promise<Result | 'nobody' | undefined> {
    const { peers, location, members } = this.#options
    try {
      return await peers.call(descriptor.home, call, options)
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code === 'unreachable' && descriptor.attributes.minReplicas > 1) {
        location.forget(descriptor.address)
        return 'nobody'
      }
      const hasLeft = code === 'unreachable' && members.find(descriptor.home)?.state === 'left'
      if (code !== 'no-such-region' && !hasLeft) throw reason
      location.forget(descriptor.address)
      if (found.by !== 'directory') throw reason
      return undefined
    }
  }

  async #here(
    descriptor: RegionDescriptor,
    found: Found,
    call: HomeCall,
    caller: Caller,
    options: WaitOptions,
  ): Promise<Result> {
    const { home } = this.#options
    const { address } = descriptor
    switch (call.op) {
      case 'allocate':
        await home.allocate(address, call)
        return { op: call.op }
      case 'free':
        await home.free(address, call, options)
        return { op: call.op, state: 'done' }
      case 'unreserve':
        if (call.address !== address) throw notItsStart(descriptor)
        await home.unreserve(address, options)
        return { op: call.op, state: 'done' }
      case 'set-attributes':
        return {
          op: call.op,
          descriptor: await home.setAttributes(address, call.changes, options),
        }
      case 'stat': {
        if (call.range.count > statPagesMax) {
          throw new KhazanaError('invalid-argument', `stat tells of at most ${statPagesMax} pages at a time`)
        }
        return { op: call.op, stat: home.stat(address, call.range), found }
      }
      case 'migrate':
        return {
          op: call.op,
          descriptor: await home.migrate(address, this.#member(call.to, caller), options),
        }
      case 'stay':
        home.moves.stay(address, this.#member(call.to, caller))
        return { op: call.op }
      case 'vote':
      case 'conclude':
        return home.settle(call, options)
      default:
        return unreachable(call)
    }
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

  /** Names the node by its number where that is known here: the home may not have heard of a new one yet. */
  #withTarget(call: HomeCall): HomeCall {
    if (call.op !== 'migrate' && call.op !== 'stay') return call
    const [target, ...others] = this.#named(call.to)
    return target === undefined || others.length > 0 ? call : { ...call, to: String(target) }
  }

  /** The node of that id, or those of that name. */
  #named(text: string): NodeId[] {
    const { members } = this.#options.members
    const byId = members.find(({ node }) => String(node) === text)
    if (byId !== undefined) return [byId.node]
    return members.filter(({ name }) => name === text).map(({ node }) => node)
  }

  /** The one that the caller means. Throws `invalid-argument`; `unreachable` for a number that the caller's node knows. */
  #member(text: string, caller: Caller): NodeId {
    const [named, ...others] = this.#named(text)
    if (named !== undefined && others.length === 0) return named
    if (named === undefined && caller.kind === 'node' && /^[0-9]+$/.test(text)) {
      const why = `node ${text} is not known yet at the region's home, node ${this.#options.self}`
      throw new KhazanaError('unreachable', `${why}: try again soon`)
    }
    const problem = named === undefined ? 'no node of the cluster is' : 'several nodes of the cluster are'
    throw new KhazanaError('invalid-argument', `${problem} called ${shown(text)}: see \`khazana nodes\``)
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

function nobodyServes(): KhazanaError {
  return new KhazanaError(
    'unreachable',
    'the home of the region cannot be reached, and no backup has taken its place yet',
  )
}

function movesTooFast(): KhazanaError {
  return new KhazanaError(
    'unreachable',
    'the region moves from home to home faster than it can be followed: try again',
  )
}

function notItsStart({ address }: RegionDescriptor): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `a region is unreserved as a whole, by its start: ${formatAddress(address)}`,
  )
}

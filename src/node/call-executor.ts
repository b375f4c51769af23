import { formatAddress } from '../address/address.js'
import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { founder } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'
import type { PoolTable } from '../location/pool-table.js'
import type { Clock } from '../io/clock.js'
import type { RegionDirectory } from '../location/region-directory.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import type { Call, NodeEntry, NodeStatus, PoolEntry, Result } from '../wire/message.js'
import { expectResult } from './calls/result.js'
import { timeoutMsMax, within } from './deadline.js'
import type { WaitOptions } from './deadline.js'
import type { Home } from './home/home.js'
import type { MembershipTable } from './membership-table.js'
import type { NodeRecord } from './node-record.js'
import type { Peers } from './peers.js'
import { unreserved } from './unreserved.js'

/** Pages that one `stat` tells of. */
export const statPagesMax = 4096
/** How long `nodes` waits for one node's status. */
const statusMs = 2000

export interface CallExecutorOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly home: Home
  readonly peers: Peers
  readonly directory: RegionDirectory
  readonly pools: PoolTable
  readonly members: MembershipTable
  readonly record: NodeRecord
  readonly status: () => NodeStatus
}

/** Homes that a request follows a region to. */
const hopsMax = 8
/** How long a node is kept waiting for whether this one becomes a region's home. */
const settleMs = 2000

/** Who asked: a client's request goes wherever it must, a node's is for this node alone. `pages` came with the request. */
export type Caller =
  | { readonly kind: 'client' }
  | { readonly kind: 'node'; readonly node: NodeId; readonly pages: readonly Uint8Array[] }

/** What is done at a region's home. */
type HomeCall = Extract<
  Call,
  { op: 'allocate' | 'free' | 'unreserve' | 'set-attributes' | 'stat' | 'migrate' | 'stay' }
>

/** Carries requests out: here, or at the node that must. */
export class CallExecutor {
  readonly #options: CallExecutorOptions
  /** The founder gives address space out one range after the other. */
  #granting: Promise<unknown> = Promise.resolve()

  constructor(options: CallExecutorOptions) {
    this.#options = options
  }

  async execute(call: Call, caller: Caller, options: WaitOptions): Promise<Result> {
    const { home, status } = this.#options
    switch (call.op) {
      case 'reserve':
        return { op: call.op, descriptor: await home.reserve(call.size, call.pageSize, call.attributes) }
      case 'describe':
        return { op: call.op, descriptor: await this.#describe(call.address, caller, options) }
      case 'allocate':
      case 'free':
      case 'unreserve':
      case 'set-attributes':
      case 'stat':
      case 'migrate':
      case 'stay':
        return this.#atHome(call, caller, options)
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
      case 'grant-pool':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', 'only nodes get address space')
        return { op: call.op, pool: await this.grantPool(caller.node, call.size) }
      case 'locate':
        return { op: call.op, pool: this.#locateHere(call.address) }
      case 'watch':
      case 'unwatch':
        throw new KhazanaError('unsupported', 'a watch belongs to a session, and is not a call by itself')
      default:
        return unreachable(call)
    }
  }

  /** Founder: address space for a node, which counts as given once it is durable here. */
  grantPool(node: NodeId, size: number): Promise<PoolEntry> {
    const granted = this.#granting.then(async () => {
      if (!this.#options.members.isFounder) throw notTheFounder()
      const entry = this.#options.pools.next(node, BigInt(size))
      await this.#options.record.writeGrant(entry)
      this.#options.pools.add(entry)
      return entry
    })
    // Whoever asked is told; the next one is served all the same.
    this.#granting = granted.catch(() => undefined)
    return granted
  }

  async #describe(address: Address, caller: Caller, options: WaitOptions): Promise<RegionDescriptor> {
    const { home, directory } = this.#options
    const known = home.find(address) ?? (caller.kind === 'client' ? directory.find(address) : undefined)
    if (known !== undefined) return known
    if (caller.kind === 'node') return this.#whatIsKnown(address, { ...options, timeoutMs: settleMs })
    const moved = home.moves.find(address)
    try {
      if (moved !== undefined) return await this.#follow(address, moved.home, options)
    } catch (reason) {
      // The region that moved is no more: there may be another one at its address by now.
      if (KhazanaError.from(reason).code !== 'no-such-region') throw reason
    }
    return this.#follow(address, await this.#locate(address, options), options)
  }

  /** Where the region is, or went, as far as this node knows by itself. */
  async #whatIsKnown(address: Address, options: WaitOptions): Promise<RegionDescriptor> {
    const { home } = this.#options
    await this.#settled(address, options)
    const known = home.find(address) ?? home.moves.find(address)
    if (known !== undefined) return known
    if (home.moves.settled(address) === undefined) throw unreserved()
    throw new KhazanaError(
      'unreachable',
      'the region is moving here, and it is not known yet whether it has: try again',
    )
  }

  /** Waits until it is decided whether a region is homed here that may be, or in vain. */
  async #settled(address: Address, options: WaitOptions): Promise<void> {
    const { home, clock } = this.#options
    const settled = home.moves.settled(address)
    if (settled === undefined) return
    try {
      await within(clock, 'describe', options, settled)
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'timeout') throw reason
    }
  }

  /** Asks the node, and whichever it names, until one says that it is the home itself. */
  async #follow(address: Address, first: NodeId, options: WaitOptions): Promise<RegionDescriptor> {
    const { self, peers, directory } = this.#options
    let node = first
    for (let hop = 0; hop < hopsMax; hop++) {
      const descriptor =
        node === self
          ? await this.#whatIsKnown(address, options)
          : expectResult('describe', await peers.call(node, { op: 'describe', address }, options)).descriptor
      if (descriptor.home === node) {
        if (node !== self) directory.add(descriptor)
        return descriptor
      }
      node = descriptor.home
    }
    throw movesTooFast()
  }

  /** The node whose pool holds the address, which is the home of all regions in it. */
  async #locate(address: Address, options: WaitOptions): Promise<NodeId> {
    const { pools, peers, members } = this.#options
    const known = pools.find(address)
    if (known !== undefined) return known.node
    if (members.isFounder) throw unreserved()
    const { pool } = expectResult('locate', await peers.call(founder, { op: 'locate', address }, options))
    pools.add(pool)
    return pool.node
  }

  #locateHere(address: Address): PoolEntry {
    const found = this.#options.pools.find(address)
    if (found === undefined) throw unreserved()
    return found
  }

  /** At the home, wherever that is by now; for a node, which asks the one that it takes for it, only here. */
  async #atHome(call: HomeCall, caller: Caller, options: WaitOptions): Promise<Result> {
    const { home, directory, self } = this.#options
    for (let hop = 0; hop < hopsMax; hop++) {
      const descriptor = await this.#describe(call.address, caller, options)
      if (descriptor.home === self) {
        try {
          return await this.#here(descriptor, call, options)
        } catch (reason) {
          // It may have left while the call waited for its turn.
          const isGone = KhazanaError.from(reason).code === 'no-such-region'
          if (!isGone || home.moves.find(call.address)?.generation !== descriptor.generation) throw reason
          continue
        }
      }
      if (caller.kind === 'node') return { op: 'moved', descriptor }
      const result = await this.#forward(descriptor, call, options)
      if (result.op !== 'moved') {
        if (result.op === 'set-attributes' || result.op === 'migrate') this.#learn(result.descriptor)
        if (result.op === 'unreserve') directory.forget(descriptor.address)
        return result
      }
      if (result.descriptor.home === self) await this.#settled(call.address, options)
      directory.forget(descriptor.address)
      this.#learn(result.descriptor)
    }
    throw movesTooFast()
  }

  #learn(descriptor: RegionDescriptor): void {
    const { directory, self } = this.#options
    if (descriptor.home === self) directory.forget(descriptor.address)
    else directory.add(descriptor)
  }

  async #here(descriptor: RegionDescriptor, call: HomeCall, options: WaitOptions): Promise<Result> {
    const { home } = this.#options
    const { address } = descriptor
    switch (call.op) {
      case 'allocate':
        await home.allocate(address, call)
        return { op: call.op }
      case 'free':
        await home.free(address, call, waitOf(call, options))
        return { op: call.op }
      case 'unreserve':
        if (call.address !== address) throw notItsStart(descriptor)
        await home.unreserve(address, waitOf(call, options))
        return { op: call.op }
      case 'set-attributes':
        return {
          op: call.op,
          descriptor: await home.setAttributes(address, call.changes, waitOf(call, options)),
        }
      case 'stat': {
        if (call.range.count > statPagesMax) {
          throw new KhazanaError('invalid-argument', `stat tells of at most ${statPagesMax} pages at a time`)
        }
        return { op: call.op, stat: home.stat(address, call.range) }
      }
      case 'migrate':
        return {
          op: call.op,
          descriptor: await home.migrate(address, this.#member(call.to), waitOf(call, options)),
        }
      case 'stay':
        home.moves.stay(address, this.#member(call.to))
        return { op: call.op }
      default:
        return unreachable(call)
    }
  }

  /** The node of that id, or of that name. Throws `invalid-argument`. */
  #member(text: string): NodeId {
    const { members } = this.#options.members
    const byId = members.find(({ node }) => String(node) === text)
    if (byId !== undefined) return byId.node
    const [named, ...others] = members.filter(({ name }) => name === text)
    if (named !== undefined && others.length === 0) return named.node
    const problem = named === undefined ? 'no node of the cluster is' : 'several nodes of the cluster are'
    throw new KhazanaError('invalid-argument', `${problem} called ${shown(text)}: see \`khazana nodes\``)
  }

  /** A home that knows nothing of the region makes the descriptor stale: it is forgotten. */
  async #forward(descriptor: RegionDescriptor, call: Call, options: WaitOptions): Promise<Result> {
    try {
      return await this.#options.peers.call(descriptor.home, call, options)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code === 'no-such-region') this.#options.directory.forget(descriptor.address)
      throw error
    }
  }

  async #nodes(): Promise<NodeEntry[]> {
    const { members, self, status, peers } = this.#options
    return Promise.all(
      members.members.map(async (member): Promise<NodeEntry> => {
        if (member.node === self) return { member, status: status() }
        try {
          const result = await peers.call(member.node, { op: 'node-status' }, { timeoutMs: statusMs })
          return { member, status: expectResult('node-status', result).status }
        } catch (error) {
          // Not having an answer is the answer.
          if (KhazanaError.from(error).code === 'internal') throw error
          return { member, status: undefined }
        }
      }),
    )
  }
}

/** The home gives up by itself when the caller is about to. */
function waitOf({ waitMs }: { readonly waitMs: number }, options: WaitOptions): WaitOptions {
  return { ...options, timeoutMs: Math.min(timeoutMsMax, Math.max(1, waitMs)) }
}

function movesTooFast(): KhazanaError {
  return new KhazanaError(
    'unreachable',
    'the region moves from home to home faster than it can be followed: try again',
  )
}

function notTheFounder(): KhazanaError {
  return new KhazanaError('unsupported', 'only the founding node gives address space out')
}

function notItsStart({ address }: RegionDescriptor): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `a region is unreserved as a whole, by its start: ${formatAddress(address)}`,
  )
}

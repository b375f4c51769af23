import { formatAddress } from '../address/address.js'
import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { founder } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'
import type { PoolTable } from '../location/pool-table.js'
import type { RegionDirectory } from '../location/region-directory.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Call, Member, NodeEntry, NodeStatus, PoolEntry, Result } from '../wire/message.js'
import { expectResult } from './calls/result.js'
import { timeoutMsMax } from './deadline.js'
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
/** Nodes that `nodes` asks at a time. */
const statusesMax = 32

export interface CallExecutorOptions {
  readonly self: NodeId
  readonly home: Home
  readonly peers: Peers
  readonly directory: RegionDirectory
  readonly pools: PoolTable
  readonly members: MembershipTable
  readonly record: NodeRecord
  readonly status: () => NodeStatus
}

/** Who asked: a client's request goes wherever it must, a node's is for this node alone. */
export type Caller = { readonly kind: 'client' } | { readonly kind: 'node'; readonly node: NodeId }

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
        return this.#atHome(call, caller, options)
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
    const { home, directory, self, peers } = this.#options
    const known = home.find(address) ?? (caller.kind === 'client' ? directory.find(address) : undefined)
    if (known !== undefined) return known
    if (caller.kind === 'node') throw unreserved()
    const node = await this.#locate(address, options)
    if (node === self) throw unreserved()
    const answer = await peers.call(node, { op: 'describe', address }, options)
    const { descriptor } = expectResult('describe', answer)
    directory.add(descriptor)
    return descriptor
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

  async #atHome(
    call: Extract<Call, { op: 'allocate' | 'free' | 'unreserve' | 'set-attributes' | 'stat' }>,
    caller: Caller,
    options: WaitOptions,
  ): Promise<Result> {
    const { home, directory, self } = this.#options
    const descriptor = await this.#describe(call.address, caller, options)
    if (descriptor.home !== self) {
      const result = await this.#forward(descriptor, call, options)
      if (result.op === 'set-attributes') directory.add(result.descriptor)
      if (result.op === 'unreserve') directory.forget(descriptor.address)
      return result
    }
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
      default:
        return unreachable(call)
    }
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

/** The home gives up by itself when the caller is about to. */
function waitOf({ waitMs }: { readonly waitMs: number }, options: WaitOptions): WaitOptions {
  return { ...options, timeoutMs: Math.min(timeoutMsMax, Math.max(1, waitMs)) }
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

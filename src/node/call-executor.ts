import { formatAddress } from '../address/address.js'
import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { NodeId } from '../address/identity.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Call, Found, Member, NodeEntry, NodeStatus, Result } from '../wire/message.js'
import { expectResult } from './calls/result.js'
import { timeoutMsMax } from './deadline.js'
import type { WaitOptions } from './deadline.js'
import type { ManagerDuties } from './cluster/manager-duties.js'
import type { Membership } from './cluster/membership.js'
import type { Home } from './home/home.js'
import type { FoundRegion, Location } from './location/location.js'
import { checkNotSystem } from './map/system-regions.js'
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
  readonly location: Location
  readonly members: Membership
  readonly duties: ManagerDuties
  readonly status: () => NodeStatus
}

/** Who asked: a client's request goes wherever it must, a node's is for this node alone. */
export type Caller = { readonly kind: 'client' } | { readonly kind: 'node'; readonly node: NodeId }

/** What is done at the home of a region. */
type HomeCall = Extract<Call, { op: 'allocate' | 'free' | 'unreserve' | 'set-attributes' | 'stat' }>

const foundHere: Found = { by: 'home', asked: 0 }

/** Carries requests out: here, or at the node that must. */
export class CallExecutor {
  readonly #options: CallExecutorOptions
  constructor(options: CallExecutorOptions) {
    this.#options = options
  }

  async execute(call: Call, caller: Caller, options: WaitOptions): Promise<Result> {
    const { home, status, location, duties } = this.#options
    switch (call.op) {
      case 'reserve':
        return { op: call.op, descriptor: await home.reserve(call.size, call.pageSize, call.attributes) }
      case 'describe':
        return { op: call.op, ...(await this.#describe(call.address, caller, options)) }
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
      case 'whereis':
        return { op: call.op, whereabouts: location.whereabouts(call.address) }
      case 'grant-pool':
      case 'grant-ids':
      case 'admit':
      case 'hint':
      case 'report':
        if (caller.kind !== 'node') throw new KhazanaError('unsupported', `${call.op} is for nodes alone`)
        return duties.serve(call, caller.node)
      case 'return-space':
        throw new KhazanaError('unsupported', 'not yet')
      case 'watch':
      case 'unwatch':
        throw new KhazanaError('unsupported', 'a watch belongs to a session, and is not a call by itself')
      default:
        return unreachable(call)
    }
  }

  /** A node's question is for what is homed here. */
  async #describe(address: Address, caller: Caller, options: WaitOptions): Promise<FoundRegion> {
    const { home, location } = this.#options
    if (caller.kind === 'client') return location.find(address, options)
    const descriptor = home.find(address)
    if (descriptor === undefined) throw unreserved()
    return { descriptor, found: foundHere }
  }

  /** Where the region is not where it was thought to be, it is looked for, and the call goes where it is. */
  async #atHome(call: HomeCall, caller: Caller, options: WaitOptions): Promise<Result> {
    const { location } = this.#options
    const region = await this.#describe(call.address, caller, options)
    // Nodes do what their own part in the address map takes.
    if (caller.kind === 'client' && call.op !== 'stat') checkNotSystem(region.descriptor)
    try {
      return await this.#atHomeOf(region, call, options)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'no-such-region' || caller.kind === 'node') throw error
      location.forget(region.descriptor.address)
      if (region.found.by !== 'directory') throw error
      return this.#atHomeOf(await location.find(call.address, options), call, options)
    }
  }

  async #atHomeOf({ descriptor, found }: FoundRegion, call: HomeCall, options: WaitOptions): Promise<Result> {
    const { self, location, peers } = this.#options
    if (descriptor.home === self) return this.#here(descriptor, found, call, options)
    const result = await peers.call(descriptor.home, call, options)
    if (result.op === 'set-attributes') location.learned(result.descriptor)
    if (result.op === 'unreserve') location.forget(descriptor.address)
    return result.op === 'stat' ? { ...result, found } : result
  }

  async #here(
    descriptor: RegionDescriptor,
    found: Found,
    call: HomeCall,
    options: WaitOptions,
  ): Promise<Result> {
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
        return { op: call.op, stat: home.stat(address, call.range), found }
      }
      default:
        return unreachable(call)
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

function notItsStart({ address }: RegionDescriptor): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `a region is unreserved as a whole, by its start: ${formatAddress(address)}`,
  )
}

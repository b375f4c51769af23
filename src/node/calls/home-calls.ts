import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import { timeoutOf, waitFrom, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { shown } from '../../stdx/shown.js'
import { statPagesMax } from '../../wire/limits.js'
import type { Call, Found, Result } from '../../wire/message.js'
import type { Membership } from '../cluster/membership.js'
import type { Home } from '../home/home.js'
import type { FoundRegion, Location } from '../location/location.js'
import { checkNotSystem } from '../map/system-regions.js'
import type { Peers } from '../peers.js'
import { unreserved } from '../unreserved.js'
import { refusedWith } from './result.js'
import type { ResultOf } from './result.js'

/** Homes that a request follows a region to. */
const hopsMax = 8
/** How long a home is waited for that others may take over from, before it is looked for who has. */
const connectMs = 1000
/** Between two attempts to find who has taken over a region. */
const takeoverPauseMs = 100
/** How long a node is kept waiting for whether this one becomes a region's home. */
const settleMs = 2000

/** Who asked: a client's request goes wherever it must, a node's is for this node alone. `pages` came with the request. */
export type Caller =
  | { readonly kind: 'client' }
  | { readonly kind: 'node'; readonly node: NodeId; readonly pages: readonly Uint8Array[] }

/** What is done at a region's home. */
type HomeCall = Extract<
  Call,
  {
    op:
      'allocate' | 'free' | 'unreserve' | 'set-attributes' | 'stat' | 'migrate' | 'stay' | 'vote' | 'conclude'
  }
>

const foundHere: Found = { by: 'home', asked: 0 }

export interface HomeCallsOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly home: Home
  readonly peers: Peers
  readonly location: Location
  readonly members: Membership
}

/** Carries out what is done at a region's home: here, or at the node that is the home, which is looked for where it is not the one that it was. */
export class HomeCalls {
  readonly #options: HomeCallsOptions

  constructor(options: HomeCallsOptions) {
    this.#options = options
  }

  /** A node's question is for what this one knows by itself. */
  async describe(address: Address, caller: Caller, options: WaitOptions): Promise<FoundRegion> {
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
  async run(asked: HomeCall, caller: Caller, options: WaitOptions): Promise<Result> {
    const { home, location, self, clock } = this.#options
    const call = caller.kind === 'client' ? this.#withTarget(asked) : asked
    const wait = waitFrom(clock, options)
    for (let hop = 0; hop < hopsMax; hop++) {
      const { descriptor, found } = await this.describe(call.address, caller, wait())
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
          // Somebody else could not be reached: where the region is served, no other home would do better.
          if (code === 'unreachable' && caller.kind === 'node' && isServed) return refusal(reason)
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
      if (result.op === 'refused') throw refusedWith(result)
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
    const mayHaveSuccessor = descriptor.attributes.minReplicas > 1
    try {
      // A home that is not there may have a successor soon, which is looked for.
      return await peers.call(descriptor.home, call, mayHaveSuccessor ? { ...options, connectMs } : options)
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code === 'unreachable' && mayHaveSuccessor) {
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
}

function refusal(reason: unknown): ResultOf<'refused'> {
  const { code, message } = KhazanaError.from(reason)
  return { op: 'refused', code, message }
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

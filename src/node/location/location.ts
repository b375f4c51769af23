import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import { sliceOwner } from '../../location/address-slice.js'
import type { PoolGrants } from '../../location/pool-grants.js'
import type { PoolHints } from '../../location/pool-hints.js'
import type { RegionDirectory } from '../../location/region-directory.js'
import type { Whereabouts } from '../../wire/message.js'
import { KhazanaError } from '../../stdx/errors.js'
import { expectResult } from '../calls/result.js'
import type { Membership } from '../cluster/membership.js'
import { timeoutOf } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Home } from '../home/home.js'
import { rootMapBytes } from '../map/system-regions.js'
import type { Peers } from '../peers.js'
import type { OwnPools } from '../pools/own-pools.js'
import type { SpaceReturns } from '../pools/space-returns.js'
import { RegionFinder, askMsMax, askShare } from './region-finder.js'
import type { FoundRegion } from './region-finder.js'

export type { FoundRegion } from './region-finder.js'

/** Homes that a lookup follows a region to before it is a search. */
const followedMax = 8
/** How long one node has to take address space back. */
const returnMs = 2000

export interface LocationOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly home: Home
  readonly pools: OwnPools
  readonly returns: SpaceReturns
  readonly grants: PoolGrants
  readonly hints: PoolHints
  readonly directory: RegionDirectory
  /** A region of which this node keeps a copy for a home group; `primary`: who is its home, as far as is known. */
  readonly backed: (
    address: Address,
  ) => { readonly descriptor: RegionDescriptor; readonly primary: NodeId | undefined } | undefined
  /** Whether this node would have been told if the region were no more. */
  readonly isCurrent: (descriptor: RegionDescriptor) => boolean
  /** Whether anybody here has to do with the region. */
  readonly isInUse: (descriptor: RegionDescriptor) => boolean
  /** Whether a region of a home group has the address, which is this node's to give. */
  readonly isLent: (address: Address) => boolean
  /** Whether a region that has it may have come to a home group of which this node has a copy. */
  readonly isComing: (address: Address) => boolean
  readonly members: Membership
  readonly peers: Peers
  readonly searchMap: (address: Address, wait: WaitOptions) => Promise<readonly NodeId[]>
  readonly tellManager: (descriptor: RegionDescriptor) => void
}

/** Where regions are: what this node knows of it, and how it finds out (paper 3.2). */
export class Location {
  readonly #options: LocationOptions
  readonly #finder: RegionFinder

  constructor(options: LocationOptions) {
    this.#options = options
    const { searchMap, tellManager } = options
    this.#finder = new RegionFinder({
      ...options,
      whereabouts: (address) => this.#ownKnowledge(address),
      searchMap,
      tellManager,
    })
  }

  /** The region that holds the address. Throws `no-such-region`, `unreachable`, `timeout`, `aborted`. */
  async find(address: Address, wait: WaitOptions): Promise<FoundRegion> {
    const { home, directory } = this.#options
    const here = home.find(address)
    if (here !== undefined) return { descriptor: here, found: { by: 'home', asked: 0 } }
    const known = directory.find(address)
    if (known !== undefined) return { descriptor: known, found: { by: 'directory', asked: 0 } }
    const found = await this.#finder.find(address, wait)
    this.learned(found.descriptor)
    return found
  }

  /**
   * The same for a program that knows no more than the address: not a region that is no more, and whose address may be another's
   * by now. What the region directory says is trusted where this node would have been told; else its home is asked.
   */
  async look(address: Address, wait: WaitOptions): Promise<FoundRegion> {
    const { directory, isCurrent, isInUse } = this.#options
    const known = await this.find(address, wait)
    const { descriptor, found } = known
    // Its home has just said so where anybody had to be asked.
    if (found.by !== 'directory' || found.asked > 0 || isCurrent(descriptor)) return known
    const { answer, asked } = await this.#follow(descriptor.home, address, wait)
    if (answer?.kind === 'home') {
      if (answer.descriptor.address !== descriptor.address) directory.forget(descriptor.address)
      this.learned(answer.descriptor)
      return { descriptor: answer.descriptor, found: { by: 'directory', asked } }
    }
    // Copies are of use without their home.
    if (answer === undefined && isInUse(descriptor)) return { descriptor, found: { by: 'directory', asked } }
    directory.forget(descriptor.address)
    const anew = await this.#finder.find(address, wait)
    this.learned(anew.descriptor)
    return { ...anew, found: { ...anew.found, asked: anew.found.asked + asked } }
  }

  /** Asks the node that had the region, as far as is known, and then the one to which that has handed it, and so on. */
  async #follow(
    home: NodeId,
    address: Address,
    wait: WaitOptions,
  ): Promise<{ readonly answer: Whereabouts | undefined; readonly asked: number }> {
    const asked = new Set<NodeId>()
    let answer: Whereabouts | undefined
    let next: NodeId | undefined = home
    // It is looked for here, too, where this does not lead to it.
    while (
      next !== undefined &&
      next !== this.#options.self &&
      !asked.has(next) &&
      asked.size < followedMax
    ) {
      asked.add(next)
      answer = await this.#whereaboutsAt(next, address, wait)
      next = answer?.kind === 'elsewhere' && answer.isSure ? answer.nodes[0] : undefined
    }
    return { answer, asked: asked.size }
  }

  /** The same without belief in what the region directory says: whoever is named there could not be reached. Throws as `find`. */
  async findAnew(address: Address, wait: WaitOptions): Promise<RegionDescriptor> {
    const { descriptor } = await this.#finder.find(address, wait)
    this.learned(descriptor)
    return descriptor
  }

  /** The same in one attempt, for who tries again itself. `home`: the one that is known, and cannot be talked to. Throws as `find`. */
  async seek(address: Address, home: NodeId, wait: WaitOptions): Promise<RegionDescriptor> {
    if (this.#options.peers.get(home) === undefined) this.#finder.missed(home)
    const { descriptor } = await this.#finder.findOnce(address, wait)
    this.learned(descriptor)
    return descriptor
  }

  /** The node can be reached (again). */
  heard(node: NodeId): void {
    this.#finder.heard(node)
  }

  /**
   * A region of the address map: these nodes, which the map names, are asked first. It is tried once: for a search the map is a
   * way among others, and who writes it tries again. Throws as `find`.
   */
  async findMap(map: Address, homes: readonly NodeId[], wait: WaitOptions): Promise<RegionDescriptor> {
    const known = this.known(map)
    if (known !== undefined) return known
    const { descriptor } = await this.#finder.findOnce(map, wait, homes)
    this.learned(descriptor)
    return descriptor
  }

  /** What the other node knows; undefined where it does not say so in time. */
  async #whereaboutsAt(node: NodeId, address: Address, wait: WaitOptions): Promise<Whereabouts | undefined> {
    const timeoutMs = Math.min(askMsMax, timeoutOf(wait) * askShare)
    try {
      const answer = await this.#options.peers.call(node, { op: 'whereis', address }, { ...wait, timeoutMs })
      return expectResult('whereis', answer).whereabouts
    } catch (reason) {
      if (KhazanaError.from(reason).code === 'internal') throw reason
      return undefined
    }
  }

  /** Where another member of the region's home group is its home, as far as this node knows. Throws `unreachable` where that is not decided. */
  asBackup(address: Address): RegionDescriptor | undefined {
    const { backed, isComing, self } = this.#options
    const copy = backed(address)
    if (copy === undefined && isComing(address)) throw undecided()
    if (copy === undefined) return undefined
    const { descriptor, primary } = copy
    if (primary !== undefined && primary !== self) return { ...descriptor, home: primary }
    throw undecided()
  }

  /** What is known without a question to anybody. */
  known(address: Address): RegionDescriptor | undefined {
    return this.#options.home.find(address) ?? this.#options.directory.find(address)
  }

  /** What is known of the region that begins there, without a question to anybody: the newest. */
  descriptorOf(region: Address): RegionDescriptor | undefined {
    const { home, directory } = this.#options
    const descriptor = home.find(region) ?? newerOf(directory.find(region), home.moves.find(region))
    return descriptor?.address === region ? descriptor : undefined
  }

  /** What is homed here, the home knows by itself. */
  learned(descriptor: RegionDescriptor): void {
    const { self, directory } = this.#options
    if (descriptor.home === self) directory.forget(descriptor.address)
    else directory.add(descriptor)
  }

  /** Asks whoever should know whose pool the address is part of, until one takes its range back. Throws `unreachable`. */
  async giveBack(address: Address, generation: number): Promise<void> {
    const { self, members, peers, grants, hints } = this.#options
    const likely = [hints.find(address), grants.find(address)?.node, await this.#granteeByManager(address)]
    const all = members.members.map(({ node }) => node)
    for (const node of new Set([...likely, ...all])) {
      if (node === undefined || node === self) continue
      try {
        await peers.call(node, { op: 'return-space', address, generation }, { timeoutMs: returnMs })
        return
      } catch (reason) {
        // Another one may have it.
        const { code } = KhazanaError.from(reason)
        if (code === 'internal') throw reason
      }
    }
    throw new KhazanaError('unreachable', 'no node that can be reached has the address in a pool')
  }

  async #granteeByManager(address: Address): Promise<NodeId | undefined> {
    const { members, peers, self } = this.#options
    if (members.manager === self) return undefined
    try {
      const answer = await peers.call(members.manager, { op: 'whereis', address }, { timeoutMs: returnMs })
      const { whereabouts } = expectResult('whereis', answer)
      return whereabouts.kind === 'elsewhere' ? whereabouts.nodes.at(-1) : undefined
    } catch (reason) {
      if (KhazanaError.from(reason).code === 'internal') throw reason
      return undefined
    }
  }

  /** It was not where it was thought to be. `start` is the region's own address. */
  forget(start: Address): void {
    this.#options.directory.forget(start)
  }

  /**
   * The same for its own search: who could have granted the address is only a guess, by its number, and may be long dead. It is left to the
   * manager and to what comes after that.
   */
  #ownKnowledge(address: Address): Whereabouts {
    const answer = this.whereabouts(address)
    if (answer.kind !== 'elsewhere' || answer.isSure) return answer
    const { hints, grants, directory } = this.#options
    const known = hints.find(address) ?? grants.find(address) ?? directory.find(address)
    return known === undefined ? { kind: 'unknown' } : answer
  }

  /** What this node can say of the address by itself, to whoever asks. */
  whereabouts(address: Address): Whereabouts {
    const { self, home, pools, directory, returns, backed, isLent, isComing } = this.#options
    const descriptor = home.find(address)
    if (descriptor !== undefined) return { kind: 'home', descriptor }
    const moved = home.moves.find(address)
    if (moved !== undefined) return { kind: 'elsewhere', nodes: [moved.home], isSure: true }
    const copy = backed(address)
    if (copy !== undefined) {
      const { primary } = copy
      // Who is asked next must know better: where that is this node, it is not decided yet.
      const cached = directory.find(address)?.home
      const nodes =
        primary !== undefined && primary !== self ? [primary] : cached === undefined ? [] : [cached]
      return { kind: 'elsewhere', nodes, isSure: true }
    }
    if (isComing(address)) {
      const cached = directory.find(address)?.home
      return { kind: 'elsewhere', nodes: cached === undefined ? [] : [cached], isSure: true }
    }
    if (isLent(address)) return { kind: 'elsewhere', nodes: [], isSure: true }
    // It may come to be homed here, or not: who sends it knows.
    if (home.settled(address) !== undefined) return { kind: 'elsewhere', nodes: [], isSure: true }
    if (pools.isFree(address) || returns.has(address)) return { kind: 'unreserved' }
    const cached = directory.find(address)
    const named = cached === undefined ? [] : [cached.home]
    const granted = pools.find(address) === undefined ? this.#grantee(address) : undefined
    if (granted === 'nobody') return { kind: 'unreserved' }
    if (granted !== undefined && !named.includes(granted)) named.push(granted)
    return named.length === 0 ? { kind: 'unknown' } : { kind: 'elsewhere', nodes: named, isSure: false }
  }

  /** Whose pool the address is part of, as far as is known here. */
  #grantee(address: Address): NodeId | 'nobody' | undefined {
    const { self, grants, hints, members } = this.#options
    // What was said lately of a pool goes before to whom it was once given: pools move.
    const node = hints.find(address) ?? grants.find(address)?.node
    if (node !== undefined) return node === self ? undefined : node
    const owner = sliceOwner(address)
    if (owner === self) return 'nobody'
    if (isSystem(address) || (owner !== undefined && members.find(owner) !== undefined)) return owner
    // One that is not known here cannot be asked: to name it would only be in the way of those that can.
    return members.isSureOfAll ? 'nobody' : undefined
  }
}

function isSystem(address: Address): boolean {
  return address < rootMapBytes
}

function undecided(): KhazanaError {
  return new KhazanaError(
    'unreachable',
    'the home group of the region has no primary at the moment: try again',
  )
}

function newerOf(
  a: RegionDescriptor | undefined,
  b: RegionDescriptor | undefined,
): RegionDescriptor | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const isLater = b.generation === a.generation ? b.era > a.era : b.generation > a.generation
  return isLater ? b : a
}

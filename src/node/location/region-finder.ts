import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import { Locator } from '../../location/locator.js'
import type { LocatorEffect, LocatorEvent, LocatorVerdict } from '../../location/locator.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Found, Member, Whereabouts } from '../../wire/message.js'
import { expectResult } from '../calls/result.js'
import { Expired, timeoutOf, within, withResolvers } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Peers } from '../peers.js'

/** How long one node has to answer, at most: those that are asked after it must have their turn. */
export const askMsMax = 2000
/** Of the caller's time, the share that one node, and the search of the address map, may take. */
export const askShare = 1 / 8
const mapShare = 1 / 4
/** How long a search goes on that meets silent nodes, at most, and the share of the caller's time: they may come back. */
const patienceMsMax = 10_000
const patienceShare = 0.8
/** Between two attempts: longer each time, as each may ask all nodes. */
const retryMsMin = 500
const retryMsMax = 4000
/** A node that has not answered by then is not waited for any longer while there are others to ask: it may be dead. */
const slowMs = 200
/** For how long a node that did not answer is taken to be silent still, and what it is given then: nobody waits for it but the verdict. */
const silentMs = 10_000
const silentAskMs = 200

export interface RegionFinderOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly peers: Pick<Peers, 'call' | 'get'>
  /** What this node knows by itself. */
  readonly whereabouts: (address: Address) => Whereabouts
  readonly members: {
    readonly manager: NodeId
    readonly members: readonly Member[]
    /** How many have left so far, as far as is known. */
    readonly leftCount: number
    find(node: NodeId): Member | undefined
  }
  /** Who has the region by what the address map says, likeliest first; empty where it says nothing. Throws as a lock does. */
  readonly searchMap: (address: Address, wait: WaitOptions) => Promise<readonly NodeId[]>
  /** A region was found by a way that the cluster manager does not know. */
  readonly tellManager: (descriptor: RegionDescriptor) => void
}

export interface FoundRegion {
  readonly descriptor: RegionDescriptor
  readonly found: Found
}

/** A search that is under way. */
interface UnderWay {
  readonly outcome: Promise<FoundRegion>
  /** What can be said to whoever does not wait any longer. */
  readonly verdict: () => KhazanaError | undefined
}

type Searches = Map<Address, UnderWay>

/** Finds homes of regions: performs what `Locator` decides. Each address is searched for once at a time. */
export class RegionFinder {
  readonly #options: RegionFinderOptions
  readonly #patient: Searches = new Map()
  readonly #quick: Searches = new Map()
  readonly #silence: Silence

  constructor(options: RegionFinderOptions) {
    this.#options = options
    this.#silence = new Silence(options.clock)
  }

  /** The node has been heard of: it is asked again. */
  heard(node: NodeId): void {
    this.#silence.end(node)
  }

  /** The node cannot be talked to: nobody waits for it for long. */
  missed(node: NodeId): void {
    this.#silence.begin(node)
  }

  /** Throws `no-such-region`, `unreachable`, `timeout`, `aborted`. */
  find(address: Address, wait: WaitOptions): Promise<FoundRegion> {
    return this.#join(this.#patient, address, wait, () => this.#search(address, timeoutOf(wait)))
  }

  /**
   * The same without patience: for who tries again itself, or has another way. Each attempt may ask all nodes, and attempts
   * within attempts would multiply. `likely`: who should have it, asked first. Throws as `find`.
   */
  findOnce(address: Address, wait: WaitOptions, likely: readonly NodeId[] = []): Promise<FoundRegion> {
    return this.#join(this.#quick, address, wait, () => {
      const search = this.#attempt(address, timeoutOf(wait))
      return { outcome: search.run(likely), verdict: () => search.verdict() }
    })
  }

  /** Whoever has less time than the one who began the search hears at its end what is known by then. */
  async #join(
    searches: Searches,
    address: Address,
    wait: WaitOptions,
    begin: () => UnderWay,
  ): Promise<FoundRegion> {
    let search = searches.get(address)
    if (search === undefined) {
      search = begin()
      searches.set(address, search)
      const over = (): void => void searches.delete(address)
      search.outcome.then(over, over)
    }
    try {
      return await within(this.#options.clock, 'finding the home of the region', wait, search.outcome)
    } catch (reason) {
      throw reason instanceof Expired ? (search.verdict() ?? reason) : reason
    }
  }

  #attempt(address: Address, timeoutMs: number): Search {
    return new Search(this.#options, this.#silence, address, timeoutMs)
  }

  #search(address: Address, timeoutMs: number): UnderWay {
    const latest: { verdict: () => KhazanaError | undefined } = { verdict: () => undefined }
    const outcome = this.#again(address, timeoutMs, (verdict) => {
      latest.verdict = verdict
    })
    return { outcome, verdict: () => latest.verdict() }
  }

  /** Again and again while only silence is in the way (paper 3.5). */
  async #again(
    address: Address,
    timeoutMs: number,
    note: (verdict: () => KhazanaError) => void,
  ): Promise<FoundRegion> {
    const { clock, members } = this.#options
    const until = clock.now() + Math.min(patienceMsMax, timeoutMs * patienceShare)
    for (let retryMs = retryMsMin; ; retryMs = Math.min(retryMsMax, retryMs * 2)) {
      const { leftCount } = members
      const search = this.#attempt(address, Math.max(1, until - clock.now()))
      note(() => search.verdict())
      try {
        return await search.run([])
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (error.code === 'unreachable') note(() => error)
        // A node that has left meanwhile may have handed the region to one that had been asked before.
        const mayHaveMoved = error.code === 'no-such-region' && members.leftCount !== leftCount
        if (!(error.code === 'unreachable' || mayHaveMoved) || clock.now() + retryMs >= until) throw error
        if (mayHaveMoved) continue
      }
      await new Promise<void>((resolve) => clock.after(retryMs, resolve))
    }
  }
}

/**
 * Which nodes did not answer lately: each search that meets one again would wait for it again. What ends it is to hear of it. One question
 * at a time asks whether it is back, however many searches meet it.
 */
class Silence {
  readonly #clock: Clock
  readonly #until = new Map<NodeId, number>()
  readonly #asked = new Set<NodeId>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(node: NodeId): void {
    this.#until.set(node, this.#clock.now() + silentMs)
  }

  end(node: NodeId): void {
    this.#until.delete(node)
  }

  /** Whether nobody asks the silent node at the moment: if so, the caller does, and says when it has. */
  mayAsk(node: NodeId): boolean {
    if (this.#asked.has(node)) return false
    this.#asked.add(node)
    return true
  }

  hasAsked(node: NodeId): void {
    this.#asked.delete(node)
  }

  isOf(node: NodeId): boolean {
    return (this.#until.get(node) ?? 0) > this.#clock.now()
  }
}

class Search {
  readonly #options: RegionFinderOptions
  readonly #silence: Silence
  readonly #address: Address
  readonly #timeoutMs: number
  readonly #locator: Locator
  readonly #outcome = withResolvers<FoundRegion>()

  constructor(options: RegionFinderOptions, silence: Silence, address: Address, timeoutMs: number) {
    this.#options = options
    this.#silence = silence
    this.#address = address
    this.#timeoutMs = timeoutMs
    this.#locator = new Locator(options.self)
  }

  /** `likely`: who may have it, whatever this node knows. */
  async run(likely: readonly NodeId[]): Promise<FoundRegion> {
    const { clock, whereabouts, members } = this.#options
    const known = whereabouts(this.#address)
    const own: Whereabouts =
      known.kind === 'unknown' && likely.length > 0
        ? { kind: 'elsewhere', nodes: likely, isSure: false }
        : known
    const timer = clock.after(this.#timeoutMs, () => {
      this.#step({ kind: 'time' })
    })
    this.#step({ kind: 'start', own, manager: members.manager })
    try {
      return await this.#outcome.promise
    } finally {
      timer.cancel()
    }
  }

  /** What can be said now to somebody who does not wait any longer. */
  verdict(): KhazanaError {
    return this.#errorOf(this.#locator.verdict())
  }

  #errorOf({ code, message }: LocatorVerdict): KhazanaError {
    return new KhazanaError(code, `address ${formatAddress(this.#address)}, ${message}`)
  }

  #step(event: LocatorEvent): void {
    for (const effect of this.#locator.step(event)) this.#perform(effect)
  }

  #perform(effect: LocatorEffect): void {
    switch (effect.kind) {
      case 'ask':
        void this.#ask(effect.node)
        return
      case 'look-here':
        this.#step({
          kind: 'answer',
          node: this.#options.self,
          whereabouts: this.#options.whereabouts(this.#address),
        })
        return
      case 'search-map':
        void this.#searchMap()
        return
      case 'list-members':
        this.#step({ kind: 'members', nodes: this.#everybody() })
        return
      case 'found':
        return this.#found(effect)
      case 'failed':
        this.#outcome.reject(this.#errorOf(effect))
        return
      default:
        unreachable(effect)
    }
  }

  /**
   * But those that were given a number, and have not been heard of since: they can have no region but in a pool that was granted to
   * them, and who granted it is asked, or missed.
   */
  #everybody(): NodeId[] {
    const { members } = this.#options.members
    return members.filter(({ revision }) => revision > 0).map(({ node }) => node)
  }

  #found({ descriptor, found }: FoundRegion): void {
    if (found.by === 'map' || found.by === 'walk') this.#options.tellManager(descriptor)
    this.#outcome.resolve({ descriptor, found })
  }

  /** Never rejects. */
  async #ask(node: NodeId): Promise<void> {
    const { clock, peers, members } = this.#options
    // One that has left has nothing any more.
    if (members.find(node)?.state === 'left') {
      this.#step({ kind: 'answer', node, whereabouts: { kind: 'unknown' } })
      return
    }
    let event: LocatorEvent = { kind: 'silence', node }
    // One whose connection has just broken is dead more often than not.
    const isSilent = this.#silence.isOf(node) || peers.get(node)?.connected === false
    if (isSilent && !this.#silence.mayAsk(node)) {
      this.#step(event)
      return
    }
    const slow = clock.after(isSilent ? 0 : slowMs, () => {
      this.#step({ kind: 'slow', node })
    })
    try {
      const timeoutMs = Math.min(isSilent ? silentAskMs : askMsMax, this.#timeoutMs * askShare)
      const answer = await peers.call(node, { op: 'whereis', address: this.#address }, { timeoutMs })
      event = { kind: 'answer', node, whereabouts: expectResult('whereis', answer).whereabouts }
      this.#silence.end(node)
    } catch (reason) {
      // Not having an answer is an answer, whatever the reason; only a bug is not.
      const error = KhazanaError.from(reason)
      if (error.code === 'internal') this.#outcome.reject(error)
      this.#silence.begin(node)
    } finally {
      slow.cancel()
      if (isSilent) this.#silence.hasAsked(node)
    }
    this.#step(event)
  }

  /** Never rejects. */
  async #searchMap(): Promise<void> {
    const { clock, searchMap } = this.#options
    let homes: readonly NodeId[] = []
    try {
      const wait = { timeoutMs: this.#timeoutMs * mapShare }
      homes = await within(clock, 'searching the address map', wait, searchMap(this.#address, wait))
    } catch (reason) {
      // The map is a way among others: where it cannot be read, the next one is tried.
      const error = KhazanaError.from(reason)
      if (error.code === 'internal') this.#outcome.reject(error)
    }
    this.#step({ kind: 'map', homes })
  }
}

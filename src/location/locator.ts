import type { RegionDescriptor } from '../address/descriptor.js'
import type { NodeId } from '../address/identity.js'
import { unreachable } from '../stdx/assert.js'
import type { ErrorCode } from '../stdx/errors.js'
import type { Found, Whereabouts } from '../wire/message.js'

/** What the search is told. */
export type LocatorEvent =
  /** What this node itself knows. `manager` is this node where that is so. */
  | { readonly kind: 'start'; readonly own: Whereabouts; readonly manager: NodeId }
  /** The answer of a node that was asked. */
  | { readonly kind: 'answer'; readonly node: NodeId; readonly whereabouts: Whereabouts }
  /** It has not answered as soon as others do. It still may, and counts then; but others are asked meanwhile. */
  | { readonly kind: 'slow'; readonly node: NodeId }
  /** It could not be asked, or did not answer in time. */
  | { readonly kind: 'silence'; readonly node: NodeId }
  /** There is no more time. */
  | { readonly kind: 'time' }
  /** What the address map says: who has the region that holds the address, likeliest first; empty where it says nothing. */
  | { readonly kind: 'map'; readonly homes: readonly NodeId[] }
  /** All nodes of the cluster but this one. */
  | { readonly kind: 'members'; readonly nodes: readonly NodeId[] }

export type LocatorEffect =
  | { readonly kind: 'ask'; readonly node: NodeId }
  /** What this node knows by now, to be given as its own answer. */
  | { readonly kind: 'look-here' }
  | { readonly kind: 'search-map' }
  | { readonly kind: 'list-members' }
  | { readonly kind: 'found'; readonly descriptor: RegionDescriptor; readonly found: Found }
  | ({ readonly kind: 'failed' } & LocatorVerdict)

/** Why a region was not found. */
export interface LocatorVerdict {
  readonly code: ErrorCode
  readonly message: string
}

/** Nodes that are asked at a time in the cluster walk. */
export const walkWidthMax = 32
/** The same with those that are slow to answer. */
export const openMax = 4 * walkWidthMax
/** Nodes that are asked because another one named them: a chain of hints longer than this is no help. */
export const namedMax = 16
/** How often one node is asked: a region may have come to it since it said that it has it not. */
const asksMax = 2

type Stage = 'own' | 'manager' | 'map' | 'walk' | 'over'

/**
 * The search for a region's home (paper 3.2, DESIGN 8), as one node does it whose region directory does not know. What it
 * knows itself, the hints of the cluster manager, the address map, and the walk over all nodes are tried in this order,
 * each only when the one before has led nowhere. Whoever is asked answers from what it has at hand; a node that is named
 * in an answer is asked next, so that a stale hint costs one question.
 *
 * That an address is not reserved is known from the node that would know, or from all nodes: otherwise it can only be
 * said that no home was reached. A pure state machine: `step` tells what to do next; it is over with `found` or `failed`.
 */
export class Locator {
  readonly #self: NodeId
  #stage: Stage = 'own'
  #manager: NodeId
  /** Named, and not asked yet. */
  readonly #named: NodeId[] = []
  #namedCount = 0
  readonly #asks = new Map<NodeId, number>()
  /** Asked, and not answered yet. */
  readonly #open = new Set<NodeId>()
  /** Those of them that nobody is kept waiting for, but for the verdict that there is no such region. */
  readonly #slow = new Set<NodeId>()
  readonly #silent = new Set<NodeId>()
  /** Who said to know more than that it knows nothing: it is worth asking again, and telling of. */
  readonly #suspects = new Set<NodeId>()
  #walk: NodeId[] = []
  /** Whether another node has said that this one has the region, which has not been looked for here since. */
  #isNamedHere = false
  #looksHere = 0
  /** Whether anybody is sure that there is such a region. */
  #isThere = false
  #searchesMap = false
  #asked = 0

  constructor(self: NodeId) {
    this.#self = self
    this.#manager = self
  }

  step(event: LocatorEvent): readonly LocatorEffect[] {
    if (this.#stage === 'over') return []
    switch (event.kind) {
      case 'start':
        this.#manager = event.manager
        return this.#onAnswer(this.#self, event.own)
      case 'answer':
        this.#over(event.node)
        this.#silent.delete(event.node)
        return this.#onAnswer(event.node, event.whereabouts)
      case 'slow':
        if (!this.#open.has(event.node)) return []
        this.#slow.add(event.node)
        return this.#next()
      case 'silence':
        this.#over(event.node)
        this.#silent.add(event.node)
        return this.#next()
      case 'time':
        return [this.#fail(this.verdict())]
      case 'map':
        this.#searchesMap = false
        for (const node of event.homes) this.#name(node)
        return this.#next()
      case 'members':
        this.#walk = event.nodes.filter((node) => node !== this.#self && !this.#asks.has(node))
        return this.#next()
      default:
        return unreachable(event)
    }
  }

  #onAnswer(node: NodeId, answer: Whereabouts): readonly LocatorEffect[] {
    switch (answer.kind) {
      case 'home':
        return this.#end({
          kind: 'found',
          descriptor: answer.descriptor,
          found: { by: node === this.#self ? 'home' : this.#way(), asked: this.#asked },
        })
      case 'unreserved':
        return this.#end({
          kind: 'failed',
          code: 'no-such-region',
          message: 'nobody has reserved the address (any more)',
        })
      case 'elsewhere':
        for (const named of answer.nodes) this.#name(named)
        if (answer.isSure) this.#isThere = true
        return this.#next()
      case 'unknown':
        return this.#next()
      default:
        return unreachable(answer)
    }
  }

  #over(node: NodeId): void {
    this.#open.delete(node)
    this.#slow.delete(node)
  }

  get #awaited(): number {
    return this.#open.size - this.#slow.size
  }

  #way(): Found['by'] {
    if (this.#stage === 'own') return 'directory'
    return this.#stage === 'over' ? 'walk' : this.#stage
  }

  #name(node: NodeId): void {
    if (node === this.#self) {
      this.#isNamedHere = true
      return
    }
    this.#suspects.add(node)
    if (this.#open.has(node) || this.#named.includes(node) || this.#namedCount >= namedMax) return
    if ((this.#asks.get(node) ?? 0) >= asksMax) return
    this.#namedCount += 1
    this.#named.push(node)
  }

  /** What to do while nothing is decided: those that were named go before the next stage. */
  #next(): LocatorEffect[] {
    // It may have come since this was begun.
    if (this.#isNamedHere && this.#looksHere < asksMax) {
      this.#isNamedHere = false
      this.#looksHere += 1
      return [{ kind: 'look-here' }]
    }
    if (this.#stage === 'walk') return this.#walkOn()
    if (this.#awaited > 0) return []
    const named = this.#named.shift()
    if (named !== undefined) return [this.#ask(named)]
    if (this.#searchesMap) return []
    switch (this.#stage) {
      case 'own':
        this.#stage = 'manager'
        if (this.#manager === this.#self || this.#asks.has(this.#manager)) return this.#next()
        return [this.#ask(this.#manager)]
      case 'manager':
        this.#stage = 'map'
        this.#searchesMap = true
        return [{ kind: 'search-map' }]
      case 'map':
        this.#stage = 'walk'
        return [{ kind: 'list-members' }]
      case 'over':
        return []
      default:
        return unreachable(this.#stage)
    }
  }

  #walkOn(): LocatorEffect[] {
    const effects: LocatorEffect[] = []
    while (this.#awaited < walkWidthMax && this.#open.size < openMax) {
      const next = this.#named.shift() ?? this.#nextOnWalk()
      if (next === undefined) break
      effects.push(this.#ask(next))
    }
    if (this.#open.size > 0) return effects
    return [this.#failure()]
  }

  /** Those that were named meanwhile have been asked. */
  #nextOnWalk(): NodeId | undefined {
    let next = this.#walk.shift()
    while (next !== undefined && this.#asks.has(next)) next = this.#walk.shift()
    return next
  }

  #ask(node: NodeId): LocatorEffect {
    this.#asks.set(node, (this.#asks.get(node) ?? 0) + 1)
    this.#open.add(node)
    this.#asked += 1
    return { kind: 'ask', node }
  }

  /** Everybody who is to be asked has been, and has answered or not. */
  #failure(): LocatorEffect {
    if (this.#silent.size > 0 || this.#isThere) return this.#fail(this.verdict())
    return this.#fail({
      code: 'no-such-region',
      message: 'no node of the cluster has a region at the address: it was never reserved, or unreserved',
    })
  }

  #fail(verdict: LocatorVerdict): LocatorEffect {
    this.#stage = 'over'
    return { kind: 'failed', ...verdict }
  }

  /** What can be said at this moment to somebody who does not wait any longer, where nothing has been found. */
  verdict(): LocatorVerdict {
    const silent = [...new Set([...this.#silent, ...this.#open])].sort((a, b) => a - b)
    if (silent.length === 0) {
      return {
        code: 'unreachable',
        message: this.#isThere
          ? 'the region is between two homes: try again soon'
          : 'the search for the region was not over in this time',
      }
    }
    const suspects = silent.filter((node) => this.#suspects.has(node))
    const named = (suspects.length > 0 ? suspects : silent).slice(0, shownMax)
    const more = silent.length > named.length && suspects.length === 0 ? ' and others' : ''
    const those = named.length === 1 ? `node ${named.join()}` : `nodes ${named.join(', ')}${more}`
    return {
      code: 'unreachable',
      message:
        suspects.length > 0
          ? `the home of the region cannot be reached: ${those} should have it, or know of it`
          : `no node that can be reached has a region at the address; ${those} cannot be asked`,
    }
  }

  #end(effect: LocatorEffect): readonly LocatorEffect[] {
    this.#stage = 'over'
    return [effect]
  }
}

/** Nodes named in a message. */
const shownMax = 5

import type { Address } from '../address/address.js'
import type { NodeId } from '../address/identity.js'
import { present } from '../stdx/assert.js'

/** What is left of a count from look to look: of what was counted, half is gone after some seven looks. */
export const countKept = 0.9
/** How many times as much another node must use a region as its home does. */
export const usesFactor = 3
/** What that must come to at least, decayed counts, to be worth a move. */
export const usesMin = 100
/** At so many looks in a row it must be so. */
export const looksInARow = 2
/** For so many looks a region is only counted: since it came, since its count began, and after a move that failed. */
export const settlingLooks = 24
/** Moves that are begun in any so many looks. */
export const movesMax = 6
export const movesLooks = 12
/** Regions that are counted at a time; others wait for one that is not used any more. */
export const regionsMax = 10_000
/** Nodes that are counted of one region. */
export const nodesMax = 8
/** Below this a count is none. */
const countMin = 0.5

/** A region that is to have another home, and what was counted for either. */
export interface MoveAdvice {
  readonly region: Address
  readonly to: NodeId
  readonly uses: number
  readonly ownUses: number
}

interface Uses {
  /** All, older ones for less. */
  all: number
  /** Since the last look. */
  fresh: number
}

interface Counted {
  /** By other nodes. */
  readonly others: Map<NodeId, Uses>
  /** By the home itself, and its clients. */
  readonly own: Uses
  /** Looks for which it is to be counted only. */
  settling: number
  /** Who was ahead at the last looks, and at how many of them. */
  leader: NodeId | undefined
  leads: number
}

/**
 * Which of the regions homed at a node would better be homed elsewhere: at the node that uses it most, by far, and for some time. It is
 * told of uses and of looks, which come at an even pace, and knows no other time.
 *
 * What keeps a region from going to and fro: the factor, so that two nodes that use it alike, or in turns that are shorter than
 * what is remembered, leave it where it is; that a node must be ahead both in all that is remembered and just now, so that one burst
 * does not do; and that a region which has just come is only counted for a while, whatever happens, by a home that knows nothing
 * yet. So no region moves more often than every `settlingLooks`. Rejected: to hand the counts over with the home. The new one counts its
 * own uses in another way, as they ask nobody, and soon knows better.
 */
export class MovePolicy {
  readonly #regions = new Map<Address, Counted>()
  /** Looks ago, of moves that were advised. */
  #moves: number[] = []

  /** Regions whose own uses are to be told. */
  get regions(): Iterable<Address> {
    return this.#regions.keys()
  }

  /** Of another node: from now on the region is counted. */
  used(region: Address, by: NodeId): void {
    const counted = this.#regions.get(region) ?? this.#begin(region)
    if (counted === undefined) return
    const { others } = counted
    const uses = others.get(by)
    if (uses !== undefined) {
      add(uses, 1)
      return
    }
    if (others.size >= nodesMax) others.delete(leastOf(others))
    others.set(by, { all: 1, fresh: 1 })
  }

  /** Of the home itself; of a region that nobody else uses there is nothing to count. */
  usedHere(region: Address, uses: number): void {
    const counted = this.#regions.get(region)
    if (counted !== undefined) add(counted.own, uses)
  }

  /** It is homed here no more, or was not to be moved: if it is used here, its count begins anew. */
  forget(region: Address): void {
    this.#regions.delete(region)
  }

  /** To be called at an even pace. At most one region at a time, the one by which most is won; none where it is only `to-count`. */
  look(purpose: 'to-move' | 'to-count'): MoveAdvice | undefined {
    this.#moves = this.#moves.map((looks) => looks + 1).filter((looks) => looks < movesLooks)
    let best: MoveAdvice | undefined
    for (const [region, counted] of this.#regions) {
      const advice = adviceFor(region, counted)
      if (advice !== undefined && (best === undefined || gainOf(advice) > gainOf(best))) best = advice
      decay(counted)
      if (counted.others.size === 0) this.#regions.delete(region)
    }
    if (best === undefined || purpose === 'to-count' || this.#moves.length >= movesMax) return undefined
    this.#moves.push(0)
    return best
  }

  #begin(region: Address): Counted | undefined {
    if (this.#regions.size >= regionsMax) return undefined
    const counted: Counted = {
      others: new Map(),
      own: { all: 0, fresh: 0 },
      settling: settlingLooks,
      leader: undefined,
      leads: 0,
    }
    this.#regions.set(region, counted)
    return counted
  }
}

function add(uses: Uses, count: number): void {
  uses.all += count
  uses.fresh += count
}

/** Whether this look is one of enough in a row. */
function adviceFor(region: Address, counted: Counted): MoveAdvice | undefined {
  const { others, own, settling } = counted
  const leader = mostOf(others)
  const uses = leader === undefined ? undefined : others.get(leader)
  const isAhead = uses !== undefined && uses.all >= usesMin && isFarAbove(uses, own)
  counted.leads = !isAhead ? 0 : counted.leader === leader ? counted.leads + 1 : 1
  counted.leader = leader
  if (settling > 0) counted.settling -= 1
  if (leader === undefined || uses === undefined || settling > 0 || counted.leads < looksInARow)
    return undefined
  return { region, to: leader, uses: uses.all, ownUses: own.all }
}

function isFarAbove(uses: Uses, own: Uses): boolean {
  return uses.all >= usesFactor * own.all && uses.fresh > 0 && uses.fresh >= usesFactor * own.fresh
}

function gainOf({ uses, ownUses }: MoveAdvice): number {
  return uses - ownUses
}

function decay({ own, others }: Counted): void {
  age(own)
  for (const [node, uses] of others) {
    age(uses)
    if (uses.all < countMin) others.delete(node)
  }
}

function age(uses: Uses): void {
  uses.all *= countKept
  uses.fresh = 0
}

function mostOf(others: ReadonlyMap<NodeId, Uses>): NodeId | undefined {
  let most: NodeId | undefined
  let top = 0
  for (const [node, { all }] of others) {
    if (all <= top) continue
    top = all
    most = node
  }
  return most
}

function leastOf(others: ReadonlyMap<NodeId, Uses>): NodeId {
  let least: NodeId | undefined
  let bottom = Infinity
  for (const [node, { all }] of others) {
    if (all >= bottom) continue
    bottom = all
    least = node
  }
  return present(least, 'one of some is the least')
}

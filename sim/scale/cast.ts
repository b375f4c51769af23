import type { Address } from '../../src/address/address.js'
import type { NodeId } from '../../src/address/identity.js'
import type { Prng } from '../../src/stdx/prng.js'
import { present } from '../../src/stdx/assert.js'

/** A region of one page, with storage. */
export interface ScaleRegion {
  readonly address: Address
  readonly home: NodeId
}

/** A region, and a node that never heard of it and is not its home. Neither node is a manager. */
export interface Pair {
  readonly region: ScaleRegion
  readonly user: NodeId
}

/** Who takes part in one sample: all different. */
export interface Cast extends Pair {
  /** Where the region may move to. */
  readonly other: NodeId
}

const drawsMax = 50

/** Draws, from the seed, the regions and nodes of samples. No region is drawn twice. */
export class Casting {
  readonly #random: Prng
  #nodes: readonly NodeId[]
  #regions: ScaleRegion[]
  /** Pairs of nodes that have had to do with each other since the last `rested`. */
  readonly #pairs = new Set<string>()

  /** `nodes`: at least three. */
  constructor(random: Prng, nodes: readonly NodeId[], regions: readonly ScaleRegion[]) {
    this.#random = random
    this.#nodes = nodes
    const mayPlay = new Set(nodes)
    this.#regions = regions.filter(({ home }) => mayPlay.has(home))
  }

  /** The node takes part in nothing any more. */
  without(node: NodeId): void {
    this.#nodes = this.#nodes.filter((other) => other !== node)
    this.#regions = this.#regions.filter(({ home }) => home !== node)
  }

  /** In the order of their numbers. */
  get nodes(): readonly NodeId[] {
    return this.#nodes
  }

  node(): NodeId {
    return present(this.#nodes[this.#random.int(0, this.#nodes.length - 1)], 'there are nodes')
  }

  /** Nodes of which no two have had to do with each other; undefined where no such were drawn: let the cluster rest. */
  draw(): Cast | undefined {
    for (let draws = 0; draws < drawsMax; draws++) {
      const at = this.#drawRegion()
      const region = this.#region(at)
      const [user, other] = [this.node(), this.node()]
      const pairs = [pairOf(region.home, user), pairOf(region.home, other), pairOf(user, other)]
      const isCast = user !== other && user !== region.home && other !== region.home
      if (!isCast || pairs.some((pair) => this.#pairs.has(pair))) continue
      for (const pair of pairs) this.#pairs.add(pair)
      this.#take(at)
      return { region, user, other }
    }
    return undefined
  }

  /** Nodes that may have had to do with each other, though not about this region. */
  drawPair(): Pair {
    const at = this.#drawRegion()
    const region = this.#region(at)
    this.#take(at)
    let user = this.node()
    while (user === region.home) user = this.node()
    return { region, user }
  }

  #drawRegion(): number {
    return this.#random.int(0, this.#regions.length - 1)
  }

  #region(at: number): ScaleRegion {
    return present(this.#regions[at], 'there is a region for each sample')
  }

  #take(at: number): void {
    const last = present(this.#regions.pop(), 'there is one')
    if (at < this.#regions.length) this.#regions[at] = last
  }

  /** No two nodes have a session with each other, but with the manager. */
  rested(): void {
    this.#pairs.clear()
  }
}

function pairOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

import { nodeId } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'
import type { NodeIdRange } from '../wire/message.js'

/** Numbers that a node gets to give away itself, for when no other manager can be reached. */
export const spareIdsMax = 64

/**
 * Numbers of nodes that only this node may give away: to a node that it admits, or, some at a time, to a node that may have
 * to admit others one day. Like address space, they are handed out and never taken back, so that nothing is given twice.
 */
export class NodeIdPool {
  #ranges: readonly NodeIdRange[]

  constructor(ranges: readonly NodeIdRange[]) {
    this.#ranges = ranges
  }

  /** To be kept, before what was taken is given to anybody. */
  get ranges(): readonly NodeIdRange[] {
    return this.#ranges
  }

  get size(): number {
    return this.#ranges.reduce((sum, { count }) => sum + count, 0)
  }

  /** The lowest number; undefined where none is left. */
  take(): NodeId | undefined {
    const [lowest, ...rest] = this.#ranges
    if (lowest === undefined) return undefined
    const left = lowest.count - 1
    this.#ranges = left === 0 ? rest : [{ first: nodeId(lowest.first + 1), count: left }, ...rest]
    return lowest.first
  }

  /** Up to `spareIdsMax` of the highest numbers, at most half of what there is; undefined where that is none. */
  takeSpare(): NodeIdRange | undefined {
    const highest = this.#ranges.at(-1)
    if (highest === undefined) return undefined
    const count = Math.min(spareIdsMax, Math.floor(highest.count / 2))
    if (count === 0) return undefined
    this.#ranges = [...this.#ranges.slice(0, -1), { first: highest.first, count: highest.count - count }]
    return { first: nodeId(highest.first + highest.count - count), count }
  }

  /** They are another node's to give. */
  clear(): void {
    this.#ranges = []
  }

  /** Adds numbers that nobody else has. Those that are here already stay once. */
  give(range: NodeIdRange): void {
    if (this.#ranges.some((known) => known.first === range.first)) return
    this.#ranges = [...this.#ranges, range].sort((a, b) => a.first - b.first)
  }
}

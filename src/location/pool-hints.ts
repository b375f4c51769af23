import type { Address } from '../address/address.js'
import type { NodeId } from '../address/identity.js'
import type { PoolEntry, SpaceReport } from '../wire/message.js'
import { OrderedRanges } from './ordered-ranges.js'

/**
 * What the cluster manager knows of the address space of the nodes in its cluster (paper 3.1: "hints of the sizes of free
 * address space"): they tell it when they find it, and when that has changed. It may be out of date: who is told that a node
 * has a range asks that node.
 */
export class PoolHints {
  readonly #reports = new Map<NodeId, SpaceReport>()
  readonly #pools = new OrderedRanges<PoolEntry>()

  /** What the node says of itself now. */
  set(node: NodeId, report: SpaceReport): void {
    for (const { start } of this.#reports.get(node)?.pools ?? []) {
      if (this.#pools.find(start)?.node === node) this.#pools.remove(start)
    }
    this.#reports.set(node, report)
    for (const { start, size } of report.pools) this.#pools.add({ start, size, node })
  }

  forget(node: NodeId): void {
    this.set(node, { pools: [], freeBytes: 0n, largestFreeBytes: 0n, diskFreeBytes: 0 })
    this.#reports.delete(node)
  }

  get(node: NodeId): SpaceReport | undefined {
    return this.#reports.get(node)
  }

  /** The node whose pool holds the address. */
  find(address: Address): NodeId | undefined {
    return this.#pools.find(address)?.node
  }

  /** Nodes by how much room their disks have, most first. */
  byRoom(): NodeId[] {
    return [...this.#reports].sort(([, a], [, b]) => b.diskFreeBytes - a.diskFreeBytes).map(([node]) => node)
  }
}

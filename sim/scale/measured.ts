import type { ScaleCluster } from './scale-cluster.js'

/** What one operation cost all nodes of a cluster together. */
export interface Cost {
  /** Numbered messages, as nodes count them: neither handshakes nor leases. */
  readonly messages: number
  /** Of these messages. */
  readonly bytes: number
  /** Connections that were made for it. */
  readonly connections: number
  /** Of everything that was on any wire meanwhile: handshakes, leases and acknowledgements too. */
  readonly wireBytes: number
  /** Of everything on connections that were made for it. */
  readonly newWireBytes: number
}

/** What follows an operation, such as a hint for the manager, is over by then. A segment takes 20 ms at most. */
export const settleMs = 60

/** Does one thing while nothing else goes on, and tells what it cost, with all that it set off. */
export async function costOf(
  cluster: ScaleCluster,
  work: () => Promise<void>,
  settledAfterMs = settleMs,
): Promise<Cost> {
  const { wire } = cluster
  const before = cluster.totals()
  const { bytes: wireBytes, connections } = wire
  wire.mark()
  await work()
  await cluster.pause(settledAfterMs)
  const after = cluster.totals()
  return {
    messages: after.messages - before.messages,
    bytes: after.bytes - before.bytes,
    connections: wire.connections - connections,
    wireBytes: wire.bytes - wireBytes,
    newWireBytes: wire.youngBytes,
  }
}

/** Of two things that were done one after the other. */
export function sumOf(a: Cost, b: Cost): Cost {
  return {
    messages: a.messages + b.messages,
    bytes: a.bytes + b.bytes,
    connections: a.connections + b.connections,
    wireBytes: a.wireBytes + b.wireBytes,
    newWireBytes: a.newWireBytes + b.newWireBytes,
  }
}

export interface Spread {
  readonly median: number
  readonly p99: number
  readonly max: number
}

/** All samples of one kind of operation. */
export interface OperationCost {
  readonly name: OperationName
  readonly samples: number
  readonly messages: Spread
  readonly bytes: Spread
  readonly connections: Spread
  readonly newWireBytes: Spread
  /** How regions were found, and how often so. */
  readonly foundBy: Readonly<Record<string, number>>
}

export type OperationName =
  | 'reserve'
  | 'reserve, pool empty'
  | 'lookup'
  | 'lookup and read'
  | 'read again'
  | 'lookup again'
  | 'read, home moved'
  | 'lookup, not reserved'
  | 'lookup, not granted'
  | 'talk to a node'
  | 'lookup, manager dead'
  | 'lookup and read, manager dead'
  | 'lookup, manager replaced'
  | 'lookup and read, manager replaced'

/** Gathers samples by the name of the operation. */
export class Costs {
  readonly #costs = new Map<OperationName, { readonly costs: Cost[]; readonly found: string[] }>()

  add(name: OperationName, cost: Cost, foundBy?: string): void {
    const known = this.#costs.get(name) ?? { costs: [], found: [] }
    this.#costs.set(name, known)
    known.costs.push(cost)
    if (foundBy !== undefined) known.found.push(foundBy)
  }

  get all(): OperationCost[] {
    return [...this.#costs].map(([name, { costs, found }]) => ({
      name,
      samples: costs.length,
      messages: spreadOf(costs.map(({ messages }) => messages)),
      bytes: spreadOf(costs.map(({ bytes }) => bytes)),
      connections: spreadOf(costs.map(({ connections }) => connections)),
      newWireBytes: spreadOf(costs.map(({ newWireBytes }) => newWireBytes)),
      foundBy: counted(found),
    }))
  }
}

/** Ranks, not means: each value is one that was measured. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN
  return { median: at(0.5), p99: at(0.99), max: at(1) }
}

function counted(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1
  return counts
}

import { describeOperation } from './history.js'
import type { Operation } from './history.js'

export type Verdict =
  | { readonly kind: 'ok' }
  /** `operations` cannot all be true, whatever else happened; `explanation` says why, line by line. */
  | {
      readonly kind: 'violation'
      readonly key: string
      readonly explanation: string
      readonly operations: readonly Operation[]
    }
  /** The history is outside what this checker can judge. Never a hidden yes. */
  | { readonly kind: 'undecided'; readonly key: string; readonly explanation: string }

/**
 * Whether the history is linearizable, each key a register. A violation on any key goes before an undecided one.
 *
 * Since each value is written once, every read tells which write it saw, and no search is needed (Gibbons and Korach,
 * "Testing shared memories", 1997): O(n log n), however concurrent the history is. A write and the reads of it form a
 * *cluster*: in any order of the register they are next to each other. A write that read first puts its cluster right
 * behind that of the value it read, so that clusters join into *blocks* whose inner order is given. What is left is to
 * order the blocks. Block X must come before Y if some operation of X was over before some operation of Y began, that
 * is, if the earliest end in X is before the latest beginning in Y. An order exists exactly if no two blocks must
 * come before each other: a longer cycle of this relation always contains one of two. (The usual search with memory,
 * Wing and Gong's or Lowe's, is exponential in the concurrency, and may have to give up.)
 *
 * Writes of unknown outcome that nobody saw are left out: they may never have happened. Those that were seen happened,
 * and end at infinity. Values written twice make a key undecidable here.
 */
export function checkLinearizability(history: readonly Operation[]): Verdict {
  let undecided: Verdict = { kind: 'ok' }
  for (const [key, operations] of byKey(history)) {
    const verdict = checkKey(key, operations)
    if (verdict.kind === 'violation') return verdict
    if (verdict.kind === 'undecided' && undecided.kind === 'ok') undecided = verdict
  }
  return undecided
}

/** What wrote a value, and all that read it and nothing else. */
interface Cluster {
  readonly value: string | null
  /** Undefined for the initial null. */
  readonly write: Operation | undefined
  readonly reads: Operation[]
  /** The write that read this value first. */
  next: Cluster | undefined
}

/** Clusters in a given order, next to each other. */
interface Block {
  readonly clusters: readonly Cluster[]
  /** Before everything: it holds the initial value. */
  readonly isInitial: boolean
  readonly firstEnd: number
  readonly firstEnding: Operation | undefined
  readonly lastStart: number
  readonly lastStarting: Operation | undefined
}

function byKey(history: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>()
  for (const operation of history) {
    if (!operation.ok) continue
    const operations = keys.get(operation.key)
    if (operations === undefined) keys.set(operation.key, [operation])
    else operations.push(operation)
  }
  return keys
}

function checkKey(key: string, all: readonly Operation[]): Verdict {
  const no = (explanation: string, contradicting: readonly Operation[]): Verdict => {
    const operations = withProofs(contradicting, all)
    const lines = operations.map((one) => `  ${describeOperation(one)}`)
    return { kind: 'violation', key, explanation: [explanation, ...lines].join('\n'), operations }
  }
  const repeated = repeatedValue(all)
  if (repeated !== undefined) {
    return { kind: 'undecided', key, explanation: `the value "${repeated}" was written twice to ${key}` }
  }
  const operations = withoutUnseen(all)
  const clusters = new Map<string | null, Cluster>()
  clusters.set(null, { value: null, write: undefined, reads: [], next: undefined })
  for (const write of operations) {
    if (write.op === 'write')
      clusters.set(write.value, { value: write.value, write, reads: [], next: undefined })
  }
  const followers = new Set<Cluster>()
  for (const operation of operations) {
    const isRead = operation.op === 'read'
    const seen = seenBy(operation)
    if (seen === undefined) continue
    const cluster = clusters.get(seen)
    if (cluster === undefined) return no('a value was read that nobody wrote:', [operation])
    if (cluster.write !== undefined && end(operation) < cluster.write.invokeOrder) {
      return no('a value was read before its writing began:', [operation, cluster.write])
    }
    if (isRead) {
      cluster.reads.push(operation)
      continue
    }
    const own = clusters.get(operation.value) as Cluster
    const rival = cluster.next?.write
    if (rival !== undefined) {
      return no('two critical sections read the same value and each replaced it:', [rival, operation])
    }
    cluster.next = own
    followers.add(own)
  }
  const blocks: Block[] = []
  const chained = new Set<Cluster>()
  for (const cluster of clusters.values()) {
    if (followers.has(cluster)) continue
    const chain: Cluster[] = []
    for (let link: Cluster | undefined = cluster; link !== undefined; link = link.next) chain.push(link)
    for (const link of chain) chained.add(link)
    const disorder = disorderWithin(chain)
    if (disorder !== undefined) return no('a value was seen after what replaced it:', disorder)
    blocks.push(blockOf(chain))
  }
  const circular = [...clusters.values()].find((cluster) => !chained.has(cluster))
  if (circular !== undefined)
    return no("critical sections read each other's values in a circle:", circle(circular))
  const contradiction = contradictionBetween(blocks)
  return contradiction === undefined
    ? { kind: 'ok' }
    : no('these cannot be put into an order that fits real time:', contradiction)
}

function repeatedValue(operations: readonly Operation[]): string | null | undefined {
  const values = new Set<string | null>()
  for (const { op, value } of operations) {
    if (op === 'write' && values.has(value)) return value
    if (op === 'write') values.add(value)
  }
  return undefined
}

/** Without writes of unknown outcome whose value no remaining operation saw. */
function withoutUnseen(operations: readonly Operation[]): readonly Operation[] {
  const writers = new Map<string | null, Operation>()
  for (const one of operations) if (one.op === 'write') writers.set(one.value, one)
  // From what is known to have happened back to the values it proves.
  const kept = new Set<Operation>()
  const open = operations.filter((one) => one.completeOrder !== null)
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (kept.has(one)) continue
    kept.add(one)
    const seen = seenBy(one)
    const writer = seen === undefined ? undefined : writers.get(seen)
    if (writer !== undefined) open.push(writer)
  }
  return operations.filter((one) => kept.has(one))
}

/** For each write of unknown outcome also the operations that show that it happened. */
function withProofs(operations: readonly Operation[], all: readonly Operation[]): readonly Operation[] {
  const proven = new Set(operations)
  for (const unknown of operations.filter((one) => one.completeOrder === null)) {
    // The shortest way to what is known, through values seen.
    const ways: (readonly Operation[])[] = [[unknown]]
    const tried = new Set<Operation>()
    for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
      const last = way.at(-1)
      if (last === undefined || tried.has(last)) continue
      tried.add(last)
      if (last.completeOrder !== null) {
        for (const one of way) proven.add(one)
        break
      }
      for (const one of all) if (seenBy(one) === last.value) ways.push([...way, one])
    }
  }
  return [...proven]
}

/** The value that the operation read; undefined where it read none. */
function seenBy(operation: Operation): string | null | undefined {
  return operation.op === 'read' ? operation.value : operation.old
}

function end(operation: Operation): number {
  return operation.completeOrder ?? Infinity
}

function members(cluster: Cluster): readonly Operation[] {
  return cluster.write === undefined ? cluster.reads : [cluster.write, ...cluster.reads]
}

/** An operation that began after one of a later cluster was over, or undefined. */
function disorderWithin(chain: readonly Cluster[]): readonly Operation[] | undefined {
  let latest: Operation | undefined
  for (const cluster of chain) {
    const operations = members(cluster)
    for (const operation of operations) {
      if (latest !== undefined && end(operation) < latest.invokeOrder) {
        return cluster.write === undefined || cluster.write === operation
          ? [operation, latest]
          : [cluster.write, operation, latest]
      }
    }
    for (const operation of operations) {
      if (latest === undefined || operation.invokeOrder > latest.invokeOrder) latest = operation
    }
  }
  return undefined
}

function blockOf(clusters: readonly Cluster[]): Block {
  const isInitial = clusters[0]?.value === null
  let firstEnding: Operation | undefined
  let lastStarting: Operation | undefined
  for (const cluster of clusters) {
    for (const one of members(cluster)) {
      if (firstEnding === undefined || end(one) < end(firstEnding)) firstEnding = one
      if (lastStarting === undefined || one.invokeOrder > lastStarting.invokeOrder) lastStarting = one
    }
  }
  return {
    clusters,
    isInitial,
    firstEnd: isInitial || firstEnding === undefined ? -Infinity : end(firstEnding),
    firstEnding: isInitial ? undefined : firstEnding,
    lastStart: lastStarting === undefined ? -Infinity : lastStarting.invokeOrder,
    lastStarting,
  }
}

/** The operations that put each of two blocks before the other, or undefined. */
function contradictionBetween(blocks: readonly Block[]): readonly Operation[] | undefined {
  // A block whose earliest end is before its latest beginning covers the time between: nothing else fits there.
  const solid = blocks
    .filter((block) => block.firstEnd < block.lastStart)
    .sort((a, b) => a.firstEnd - b.firstEnd)
  for (const [index, block] of solid.entries()) {
    const next = solid[index + 1]
    if (next !== undefined && next.firstEnd < block.lastStart) return witnesses(block, next)
  }
  for (const block of blocks) {
    if (block.firstEnd < block.lastStart) continue
    // Only the solid block that ends last before this one's beginning can enclose it, since solid ones are disjoint.
    const around = lastBefore(solid, block.lastStart)
    if (around !== undefined && block.firstEnd < around.lastStart) return witnesses(around, block)
  }
  return undefined
}

/** The one of the blocks, ascending, with the greatest first end under `bound`. */
function lastBefore(blocks: readonly Block[], bound: number): Block | undefined {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((blocks[middle] as Block).firstEnd < bound) low = middle + 1
    else high = middle
  }
  return blocks[low - 1]
}

const chainListedMax = 8

function witnesses(x: Block, y: Block): readonly Operation[] {
  const shown = new Set<Operation>()
  for (const [before, after] of [
    [x, y],
    [y, x],
  ] as const) {
    // That the initial value comes first needs no proof.
    if (before.isInitial) continue
    for (const one of [before.firstEnding, after.lastStarting]) if (one !== undefined) shown.add(one)
  }
  for (const { clusters } of [x, y]) {
    // The writes that tie the operations of a block together.
    const writes = clusters.map((cluster) => cluster.write).filter((write) => write !== undefined)
    for (const write of between(writes, [...shown])) shown.add(write)
  }
  return [...shown].sort((a, b) => a.invokeOrder - b.invokeOrder)
}

/** The chain of writes from the first to the last one that an operation shown belongs to; cut where it is long. */
function between(writes: readonly Operation[], shown: readonly Operation[]): readonly Operation[] {
  const values = new Set(shown.map((one) => one.value))
  const involved = writes.map((write) => values.has(write.value))
  const first = involved.indexOf(true)
  const last = involved.lastIndexOf(true)
  return first < 0 ? writes.slice(0, 1) : writes.slice(first, Math.min(last + 1, first + chainListedMax))
}

function circle(start: Cluster): readonly Operation[] {
  const operations: Operation[] = []
  for (let link: Cluster | undefined = start; link?.write !== undefined; link = link.next) {
    if (operations.includes(link.write) || operations.length === chainListedMax) break
    operations.push(link.write)
  }
  return operations
}

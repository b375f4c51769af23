import { assert, present } from '../stdx/assert.js'

/** The whole numbers `first`, `first + 1`, ... `count` of them. */
export interface NumberRange {
  readonly first: number
  readonly count: number
}

/**
 * A set of whole numbers from 0 to 2^53 - 1 that come in runs, such as the allocated pages of a region. It keeps the
 * sorted ends of the runs, none of which touch, so that its size follows the number of runs and not of members; finding
 * is a binary search, changing moves the later ends. A balanced tree would change faster and was not worth it: regions
 * are allocated in few runs.
 *
 * Arguments are the caller's to check: a broken one is an `AssertionError`.
 */
export class RangeSet {
  /** Ascending without repeats: begin of the first run, end (exclusive) of the first run, begin of the second, ... */
  readonly #edges: number[] = []
  #total = 0

  /** How many numbers are in the set. */
  get total(): number {
    return this.#total
  }

  /** How many runs they form: what the set costs. */
  get fragments(): number {
    return this.#edges.length / 2
  }

  /** Adds `first`, `first + 1`, ... `count` of them. How many of them are new. */
  add(first: number, count: number): number {
    const added = count - this.#countIn(first, count)
    this.#replace(first, count, 'members')
    this.#total += added
    return added
  }

  /** Removes `count` numbers from `first` on. How many of them were there. */
  remove(first: number, count: number): number {
    const removed = this.#countIn(first, count)
    this.#replace(first, count, 'gaps')
    this.#total -= removed
    return removed
  }

  /** Whether all `count` numbers from `first` on are in the set. */
  includes(first: number, count: number): boolean {
    checkRange(first, count)
    const edges = this.#edgesUpTo(first)
    // An odd number of edges at or before it: the first is inside a run, and the next edge is the run's end.
    return edges % 2 === 1 && this.#edge(edges) >= first + count
  }

  /** The runs, ascending; they do not touch. The set must not be changed before the last. */
  *[Symbol.iterator](): Generator<NumberRange> {
    for (let at = 0; at < this.#edges.length; at += 2) {
      yield rangeOf(this.#edge(at), this.#edge(at + 1))
    }
  }

  /** The parts of the runs that lie among the `count` numbers from `first` on, ascending. The caller's to keep. */
  within(first: number, count: number): NumberRange[] {
    checkRange(first, count)
    const end = first + count
    const found: NumberRange[] = []
    const edges = this.#edgesUpTo(first)
    for (let at = edges - (edges % 2); at < this.#edges.length && this.#edge(at) < end; at += 2) {
      found.push(rangeOf(Math.max(first, this.#edge(at)), Math.min(end, this.#edge(at + 1))))
    }
    return found
  }

  /**
   * Makes the whole range one or the other. The edges inside it, and at its ends, go away; an end of the range becomes an
   * edge where what lies beyond it is the other kind.
   */
  #replace(first: number, count: number, kind: 'members' | 'gaps'): void {
    const end = first + count
    const before = this.#edgesBefore(first)
    const upTo = this.#edgesUpTo(end)
    const inside = kind === 'members' ? 1 : 0
    const edges: number[] = []
    if (before % 2 !== inside) edges.push(first)
    if (upTo % 2 !== inside) edges.push(end)
    this.#edges.splice(before, upTo - before, ...edges)
  }

  #countIn(first: number, count: number): number {
    let found = 0
    for (const run of this.within(first, count)) found += run.count
    return found
  }

  #edge(at: number): number {
    return present(this.#edges[at], 'runs have two edges each')
  }

  /** How many edges are at most `value`. */
  #edgesUpTo(value: number): number {
    return this.#edgesBefore(value + 1)
  }

  /** How many edges are less than `value`. */
  #edgesBefore(value: number): number {
    let low = 0
    let high = this.#edges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#edge(middle) < value) low = middle + 1
      else high = middle
    }
    return low
  }
}

function checkRange(first: number, count: number): void {
  assert(Number.isSafeInteger(first) && first >= 0, 'a range begins at a whole number from 0 up')
  assert(Number.isSafeInteger(count) && count > 0, 'a range has at least one number')
  assert(Number.isSafeInteger(first + count), 'a range ends before 2^53')
}

function rangeOf(begin: number, end: number): NumberRange {
  return { first: begin, count: end - begin }
}

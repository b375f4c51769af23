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
  #size = 0

  /** How many numbers are in the set. */
  get size(): number {
    return this.#size
  }

  /** How many runs they form. */
  get runs(): number {
    return this.#edges.length / 2
  }

  /** Adds all numbers of the range. How many of them are new. */
  add(range: NumberRange): number {
    const added = range.count - this.countIn(range)
    this.#replace(range, 'members')
    this.#size += added
    return added
  }

  /** Removes all numbers of the range. How many of them were there. */
  remove(range: NumberRange): number {
    const removed = this.countIn(range)
    this.#replace(range, 'gaps')
    this.#size -= removed
    return removed
  }

  has(value: number): boolean {
    // An odd number of edges at or before the value: it is inside a run.
    return this.#edgesUpTo(value) % 2 === 1
  }

  /** Whether all numbers of the range are in the set. */
  contains(range: NumberRange): boolean {
    const { begin, end } = bounds(range)
    const edges = this.#edgesUpTo(begin)
    return edges % 2 === 1 && this.#edge(edges) >= end
  }

  /** How many numbers of the range are in the set. */
  countIn(range: NumberRange): number {
    let count = 0
    for (const run of this.within(range)) count += run.count
    return count
  }

  /** The runs, ascending; they do not touch. The set must not be changed before the last. */
  *[Symbol.iterator](): Generator<NumberRange> {
    for (let at = 0; at < this.#edges.length; at += 2) {
      yield rangeOf(this.#edge(at), this.#edge(at + 1))
    }
  }

  /** The parts of the runs that lie in the range, ascending. The set must not be changed before the last. */
  *within(range: NumberRange): Generator<NumberRange> {
    const { begin, end } = bounds(range)
    const edges = this.#edgesUpTo(begin)
    for (let at = edges - (edges % 2); at < this.#edges.length && this.#edge(at) < end; at += 2) {
      yield rangeOf(Math.max(begin, this.#edge(at)), Math.min(end, this.#edge(at + 1)))
    }
  }

  /**
   * Makes the whole range one or the other. The edges inside it, and at its ends, go away; an end of the range becomes an
   * edge where what lies beyond it is the other kind.
   */
  #replace(range: NumberRange, kind: 'members' | 'gaps'): void {
    const { begin, end } = bounds(range)
    const before = this.#edgesBefore(begin)
    const upTo = this.#edgesUpTo(end)
    const inside = kind === 'members' ? 1 : 0
    const edges: number[] = []
    if (before % 2 !== inside) edges.push(begin)
    if (upTo % 2 !== inside) edges.push(end)
    this.#edges.splice(before, upTo - before, ...edges)
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

function bounds({ first, count }: NumberRange): { readonly begin: number; readonly end: number } {
  assert(Number.isSafeInteger(first) && first >= 0, 'a range begins at a whole number from 0 up')
  assert(Number.isSafeInteger(count) && count > 0, 'a range has at least one number')
  assert(Number.isSafeInteger(first + count), 'a range ends before 2^53')
  return { begin: first, end: first + count }
}

function rangeOf(begin: number, end: number): NumberRange {
  return { first: begin, count: end - begin }
}

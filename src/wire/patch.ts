import { assert } from '../stdx/assert.js'
import { malformed } from './byte-reader.js'

/** Longer runs are copied by the engine, shorter ones byte by byte. */
const shortRunBytesMax = 24
/** A number of a patch is below 2^28: seven bits a byte. */
const numberBytesMax = 4

/**
 * What turns `before` into `after`, which are of one length, below 2^28; undefined where they are equal. The patch is a new
 * array.
 *
 * It is a sequence of runs of changed bytes. Each is the number of bytes since the run before, the number of its bytes,
 * and these. Between two runs is at least one byte that did not change, and no such byte is ever part of a run, not even
 * where that would make the patch shorter: someone else may be writing it, and the two patches have to commute.
 */
export function makePatch(before: Uint8Array, after: Uint8Array): Uint8Array | undefined {
  assert(before.length === after.length, 'a patch is between two versions of one page')
  assert(before.length < 2 ** 28, 'the numbers of a patch are below 2^28')
  const pair = new Pair(before, after)
  const first = pair.nextDifferent(0)
  if (first === before.length) return undefined

  // The ends of the runs, two numbers each, and the bytes that they will take.
  const runs: number[] = []
  let bytes = 0
  let last = 0
  for (let start = first; start < before.length;) {
    const end = pair.nextEqual(start)
    runs.push(start, end)
    bytes += numberBytes(start - last) + numberBytes(end - start) + (end - start)
    last = end
    start = pair.nextDifferent(end)
  }
  return write(runs, after, bytes)
}

/**
 * Changes the page in place. Throws `protocol-error`, with the page as it was, where the bytes are no patch, or one that
 * reaches beyond the page.
 */
export function applyPatch(page: Uint8Array, patch: Uint8Array): void {
  const runs = checkedRuns(patch, page.length)
  let at = 0
  while (runs.next()) {
    at += runs.gap
    copy(patch, runs.start, page, at, runs.length)
    at += runs.length
  }
}

/** Throws `protocol-error` for what `applyPatch` would refuse to do to a page of so many bytes. */
export function checkPatch(patch: Uint8Array, pageBytes: number): void {
  checkedRuns(patch, pageBytes)
}

/** To be gone through from the start. */
function checkedRuns(patch: Uint8Array, pageBytes: number): RunReader {
  if (patch.length === 0) throw malformed('a patch without a run')
  const runs = new RunReader(patch)
  let at = 0
  while (runs.next()) {
    if (runs.length === 0 || (runs.gap === 0 && at > 0)) throw malformed('a patch with an empty run')
    at += runs.gap + runs.length
    if (at > pageBytes) throw malformed(`a patch beyond the ${pageBytes} bytes of its page`)
  }
  runs.rewind()
  return runs
}

/** Two arrays of one length, compared four bytes at a time where they lie in memory so that it can be done. */
class Pair {
  readonly #before: Uint8Array
  readonly #after: Uint8Array
  readonly #beforeWords: Int32Array
  readonly #afterWords: Int32Array
  /** The bytes that have words: all but the last few, or none. */
  readonly #wordsEnd: number

  constructor(before: Uint8Array, after: Uint8Array) {
    const isAligned = before.byteOffset % 4 === 0 && after.byteOffset % 4 === 0
    const count = isAligned ? before.length >>> 2 : 0
    this.#before = before
    this.#after = after
    this.#beforeWords = isAligned
      ? new Int32Array(before.buffer, before.byteOffset, count)
      : new Int32Array(0)
    this.#afterWords = isAligned ? new Int32Array(after.buffer, after.byteOffset, count) : new Int32Array(0)
    this.#wordsEnd = count * 4
  }

  /** The first byte from `start` on that is different, or the length. */
  nextDifferent(start: number): number {
    const before = this.#before
    const after = this.#after
    const end = before.length
    let at = start
    for (; at < end && (at & 3) !== 0; at++) if (before[at] !== after[at]) return at
    if (at < this.#wordsEnd) {
      const beforeWords = this.#beforeWords
      const afterWords = this.#afterWords
      const count = beforeWords.length
      let word = at >>> 2
      while (word < count && beforeWords[word] === afterWords[word]) word++
      at = word * 4
    }
    while (at < end && before[at] === after[at]) at++
    return at
  }

  /** The first byte from `start` on that is equal, or the length. */
  nextEqual(start: number): number {
    const before = this.#before
    const after = this.#after
    const end = before.length
    let at = start
    for (; at < end && (at & 3) !== 0; at++) if (before[at] === after[at]) return at
    if (at < this.#wordsEnd) {
      const beforeWords = this.#beforeWords
      const afterWords = this.#afterWords
      const count = beforeWords.length
      let word = at >>> 2
      while (word < count && !hasZeroByte((beforeWords[word] ?? 0) ^ (afterWords[word] ?? 0))) word++
      at = word * 4
    }
    while (at < end && before[at] !== after[at]) at++
    return at
  }
}

function hasZeroByte(word: number): boolean {
  return ((word - 0x01010101) & ~word & 0x80808080) !== 0
}

function write(runs: readonly number[], after: Uint8Array, bytes: number): Uint8Array {
  const patch = new Uint8Array(bytes)
  let at = 0
  let last = 0
  for (let index = 0; index < runs.length; index += 2) {
    const start = runs[index] ?? 0
    const end = runs[index + 1] ?? 0
    at = writeNumber(patch, at, start - last)
    at = writeNumber(patch, at, end - start)
    copy(after, start, patch, at, end - start)
    at += end - start
    last = end
  }
  assert(at === bytes, 'a patch is as long as was counted')
  return patch
}

function copy(from: Uint8Array, fromStart: number, to: Uint8Array, toStart: number, length: number): void {
  if (length > shortRunBytesMax) to.set(from.subarray(fromStart, fromStart + length), toStart)
  else for (let at = 0; at < length; at++) to[toStart + at] = from[fromStart + at] ?? 0
}

function numberBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : numberBytesMax
}

function writeNumber(into: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80
  into[at++] = rest
  return at
}

/** Goes through the runs of a patch. Never leaves the patch, whatever is in it. */
class RunReader {
  readonly #patch: Uint8Array
  #at = 0
  /** Of the run that `next` came to: bytes since the one before. */
  gap = 0
  /** Its number of bytes. */
  length = 0
  /** Where in the patch they are. */
  start = 0

  constructor(patch: Uint8Array) {
    this.#patch = patch
  }

  rewind(): void {
    this.#at = 0
  }

  /** Whether there is another run. */
  next(): boolean {
    if (this.#at === this.#patch.length) return false
    this.gap = this.#number()
    this.length = this.#number()
    this.start = this.#at
    if (this.length > this.#patch.length - this.start) throw malformed('a patch that ends too early')
    this.#at += this.length
    return true
  }

  #number(): number {
    let value = 0
    for (let count = 0; count < numberBytesMax; count++) {
      if (this.#at === this.#patch.length) throw malformed('a patch that ends too early')
      const byte = this.#patch[this.#at++] ?? 0
      value |= (byte & 0x7f) << (7 * count)
      if (byte >= 0x80) continue
      if (byte === 0 && count > 0) break
      return value
    }
    throw malformed('a number of a patch is not in its shortest form, or over 2^28')
  }
}

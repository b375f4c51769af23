import { assert } from './assert.js'

/** Seeds are whole numbers from 0 to this. */
export const seedMax = Number.MAX_SAFE_INTEGER

/**
 * A seeded generator of pseudo-random numbers (Chris Doty-Humphrey's sfc32: 128 bits of state, passes PractRand): the
 * same seed gives the same numbers on every machine. Fit for simulation and jitter, never for secrets.
 *
 * `fork` derives a generator from the seed and a label alone, not from the position in the stream. So one part of a
 * program that draws more numbers than before does not change what the other parts see.
 */
export class Prng {
  readonly #seedLow: number
  readonly #seedHigh: number
  #a: number
  #b: number
  #c: number
  #counter = 1

  private constructor(low: number, high: number) {
    this.#seedLow = low
    this.#seedHigh = high
    this.#a = low
    this.#b = high
    this.#c = low ^ 0x9e3779b9
  }

  /** `seed`: a whole number from 0 to `seedMax`. */
  static fromSeed(seed: number): Prng {
    assert(
      Number.isSafeInteger(seed) && seed >= 0,
      `a seed is a whole number from 0 to ${seedMax}, not ${seed}`,
    )
    return mixed(new Prng((seed % 2 ** 32) | 0, Math.floor(seed / 2 ** 32) | 0))
  }

  /** A generator of its own. The same label gives the same one. */
  fork(label: string): Prng {
    let low = this.#seedLow ^ 0x811c9dc5
    let high = this.#seedHigh ^ 0x6b43a9b5
    for (let at = 0; at < label.length; at++) {
      low = Math.imul(low ^ label.charCodeAt(at), 0x01000193)
      high = Math.imul(high ^ label.charCodeAt(at), 0x5bd1e995)
      high ^= high >>> 15
    }
    return mixed(new Prng(low, high))
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length;) {
      let word = this.uint32()
      for (let left = 4; left > 0 && at < length; left--, at++) {
        bytes[at] = word & 0xff
        word >>>= 8
      }
    }
    return bytes
  }

  /** Uniform in [0, 1), with 53 bits. */
  unit(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  /** A whole number, uniform from `min` to `max`, both possible. */
  int(min: number, max: number): number {
    assert(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max, `no range: ${min} to ${max}`)
    return min + Math.floor(this.unit() * (max - min + 1))
  }

  /** A whole number from 0 to `end - 1`. */
  below(end: number): number {
    return this.int(0, end - 1)
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + this.unit() * (max - min)
  }

  /** Exponentially distributed around `mean`: the gaps between events that come at random. */
  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean
  }

  /** Each order of magnitude between `min` and `max` (above 0) is equally likely. */
  logarithmic(min: number, max: number): number {
    return min * (max / min) ** this.unit()
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** One of them; there must be one. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'nothing to pick from')
    return items[this.int(0, items.length - 1)] as T
  }

  /** A new array of the same items in random order. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.int(0, last)
      const moved = shuffled[last] as T
      shuffled[last] = shuffled[other] as T
      shuffled[other] = moved
    }
    return shuffled
  }
}

/** The first numbers still show the seed's bits: they are thrown away. */
function mixed(prng: Prng): Prng {
  for (let round = 0; round < 15; round++) prng.uint32()
  return prng
}

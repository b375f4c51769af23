/**
 * A seeded stream of numbers (sfc32, from the PractRand collection): the same seed gives the same stream on every
 * machine. For simulation and tests; not for secrets. It has the shape of `Random` in `src/io/random.ts`.
 */
export class Prng {
  readonly #state: Uint32Array<ArrayBuffer>

  constructor(seed: number) {
    this.#state = new Uint32Array([seed, seed / 2 ** 32, 0x9e3779b9, 1])
    // Spreads the seed over the whole state: neighbouring seeds give unrelated streams.
    for (let round = 0; round < 12; round++) this.uint32()
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const state = this.#state
    const [a = 0, b = 0, c = 0, counter = 0] = state
    const result = (a + b + counter) >>> 0
    state[3] = counter + 1
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + result
    return result
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at++) bytes[at] = this.uint32()
    return bytes
  }

  /** Uniform in [0, limit), whole; `limit` from 1 to 2^32. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uint32() / 2 ** 32 < probability
  }

  /** A new stream, independent of what this one gives next. */
  fork(): Prng {
    return new Prng(this.uint32() * 2 ** 20 + (this.uint32() >>> 12))
  }
}

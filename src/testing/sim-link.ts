import type { Prng } from '../stdx/prng.js'

/** How bytes travel one way. */
export interface LinkProfile {
  /** No segment is faster, in ms. */
  readonly latencyMsMin: number
  /** Mean of the exponential part on top, in ms: the tail of the distribution. */
  readonly jitterMsMean: number
  /** No segment is slower while the link is up, in ms. */
  readonly latencyMsMax: number
  readonly bandwidthBytesPerMs: number
  /** What is sent is split and joined at random, into segments of 1 to this many bytes. */
  readonly segmentBytesMax: number
}

/** Between processes of one machine. */
export const loopbackProfile: LinkProfile = {
  latencyMsMin: 0.01,
  jitterMsMean: 0.02,
  latencyMsMax: 2,
  bandwidthBytesPerMs: 2_000_000,
  segmentBytesMax: 65_536,
}

/** Between machines of one rack. */
export const lanProfile: LinkProfile = {
  latencyMsMin: 0.1,
  jitterMsMean: 0.1,
  latencyMsMax: 20,
  bandwidthBytesPerMs: 125_000,
  segmentBytesMax: 65_536,
}

/** The way from one machine to another. Blocked, it holds what arrives until it opens, as TCP would send it again. */
export class SimLink {
  readonly #profile: LinkProfile
  readonly #random: Prng
  readonly #whenOpen = new Set<() => void>()
  #blocks = 0
  #slowness = 1

  constructor(profile: LinkProfile, random: Prng) {
    this.#profile = profile
    this.#random = random
  }

  get isBlocked(): boolean {
    return this.#blocks > 0
  }

  /** Several blocks may overlap: the link opens when all are taken back. */
  block(): void {
    this.#blocks++
  }

  unblock(): void {
    if (this.#blocks > 0) this.#blocks--
    if (this.#blocks > 0) return
    const waiting = [...this.#whenOpen]
    this.#whenOpen.clear()
    for (const run of waiting) run()
  }

  /** Calls once, when the link is no longer blocked. */
  onceOpen(run: () => void): void {
    this.#whenOpen.add(run)
  }

  /** Multiplies latency and divides bandwidth; 1 is normal. */
  setSlowness(factor: number): void {
    this.#slowness = factor
  }

  /** How long the next segment travels, in ms. */
  latencyMs(): number {
    const { latencyMsMin, jitterMsMean, latencyMsMax } = this.#profile
    return this.#slowness * Math.min(latencyMsMax, latencyMsMin + this.#random.exponential(jitterMsMean))
  }

  /** How long so many bytes occupy the link, in ms. */
  occupiedMs(bytes: number): number {
    return (this.#slowness * bytes) / this.#profile.bandwidthBytesPerMs
  }

  /** How many of `bytes` go into the next segment: mostly all that fit, sometimes a few. */
  segmentBytes(bytes: number): number {
    const largest = Math.min(bytes, this.#profile.segmentBytesMax)
    const style = this.#random.unit()
    if (style < 0.7) return largest
    return style < 0.9 ? this.#random.int(1, largest) : this.#random.int(1, Math.min(16, largest))
  }
}

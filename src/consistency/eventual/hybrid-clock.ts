import type { Version } from '../../address/page.js'

/**
 * When a page was written, as a number that orders writes of all sites: milliseconds since 2024 times 128, plus a count of
 * what happened within the millisecond, which may carry. It is the page's version, too, so it fits in six bytes. 0: never.
 */
export type Stamp = Version

export const never = 0 as Stamp

/** The greatest number that a store keeps as a version. */
export const stampMax = 2 ** 48 - 1

/** 2024-01-01 UTC, in milliseconds since 1970. */
export const stampEpochMs = Date.UTC(2024, 0, 1)

/** Stamps in a millisecond, before the count carries into the next. */
export const stampsPerMs = 128

/** How far ahead of a site's own wall clock a stamp may be and be believed. */
export const aheadMsMax = 24 * 60 * 60 * 1000

/**
 * What a wall clock may say at most, some 68 years after the beginning of stamps. So a clock that is set to anything leaves
 * a year's worth of stamps above it, which counting up by ones never uses.
 */
const wallMsMax = 2 ** 41 - 366 * 24 * 60 * 60 * 1000

/**
 * A hybrid logical clock (Kulkarni and others, 2014): it gives stamps that are above all that it has given and seen, and as
 * near to the wall clock as that allows. A clock that goes back gives stamps that count on from the last. One that has
 * jumped ahead leaves its site with stamps of the future, which win over those of others until it is found out: see
 * `isFarAhead`.
 */
export class HybridClock {
  #last: number = never

  /** A stamp above every one given or seen here, and above `above`. `wallTime`: milliseconds since 1970. */
  next(wallTime: number, above: Stamp): Stamp {
    const lowest = Math.max(this.#last, above) + 1
    this.#last = Math.min(Math.max(lowest, wallStamp(wallTime)), stampMax)
    return this.#last as Stamp
  }

  /** Stamps to come will be above this one. */
  observe(stamp: Stamp): void {
    if (stamp > this.#last) this.#last = stamp
  }
}

/**
 * Whether the stamp is more than a day ahead of the wall clock. No clock that anybody looks after is: to follow such a
 * stamp would let one broken clock decide what is the last write for years.
 */
export function isFarAhead(stamp: Stamp, wallTime: number): boolean {
  return stamp > wallStamp(wallTime) + aheadMsMax * stampsPerMs
}

function wallStamp(wallTime: number): number {
  const ms = Math.floor(wallTime - stampEpochMs)
  return Math.min(Math.max(ms, 0), wallMsMax) * stampsPerMs
}

import { setTimeout } from 'node:timers/promises'

/**
 * Nanoseconds of the clock that all processes of a machine share, and that nobody sets: what one process was told before another
 * one asked has the lower number. All of a run is on one machine.
 */
export function sharedNow(): bigint {
  return process.hrtime.bigint()
}

/** Milliseconds since the origin, to a nanosecond: a run of some hours fits exactly into a double. */
export function msSince(origin: bigint): number {
  return Number(sharedNow() - origin) / 1e6
}

/** Resolves after the time, or as soon as the signal fires; never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal })
  } catch (reason) {
    if (signal?.aborted !== true) throw reason
  }
}

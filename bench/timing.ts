import type { Sample } from './sample.js'
import { median, quantile } from './statistics.js'

/** Operations too short for the clock are timed so many at once. */
export const batchSize = 256

/** Runs batches of a short operation, which is given its number, for a time. Microseconds for one operation. */
export function timeBatches(budgetMs: number, operation: (index: number) => void): Sample {
  const perOperation: number[] = []
  const until = performance.now() + budgetMs
  let index = 0
  for (let now = performance.now(); now < until; now = performance.now()) {
    for (let count = 0; count < batchSize; count++) operation(index++)
    perOperation.push(((performance.now() - now) * 1000) / batchSize)
  }
  return { value: median(perOperation) }
}

/** Runs one operation after the other for a time, each timed by itself: the median, in microseconds. */
export async function timeEach(
  budgetMs: number,
  operation: (index: number) => Promise<void>,
): Promise<Sample> {
  const latencies: number[] = []
  const until = performance.now() + budgetMs
  for (let index = 0, now = performance.now(); now < until; index++) {
    await operation(index)
    const end = performance.now()
    latencies.push((end - now) * 1000)
    now = end
  }
  return sampleOf(latencies)
}

export function sampleOf(latencies: readonly number[]): Sample {
  return { value: median(latencies), p99: quantile(latencies, 0.99) }
}

/**
 * Keeps `lanes` operations under way for a time, each lane starting its next when its last has ended. Microseconds of
 * the whole for one operation.
 */
export async function timeConcurrent(
  budgetMs: number,
  lanes: number,
  operation: (lane: number) => Promise<void>,
): Promise<Sample> {
  const start = performance.now()
  const until = start + budgetMs
  let operations = 0
  const run = async (lane: number): Promise<void> => {
    while (performance.now() < until) {
      await operation(lane)
      operations += 1
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => run(lane)))
  return { value: ((performance.now() - start) * 1000) / operations }
}

/** Moves `bytes` and tells how many MiB there were in a second. */
export async function timeTransfer(bytes: number, transfer: () => Promise<void>): Promise<Sample> {
  const start = performance.now()
  await transfer()
  return { value: bytes / 2 ** 20 / ((performance.now() - start) / 1000) }
}

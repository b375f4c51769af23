import { regionOf } from '../layout.js'
import { outcomeOf } from '../record.js'
import type { TimedOperation } from '../record.js'

/** A time in which no operation on the region was acknowledged. Milliseconds of the run's clock. */
export interface Outage {
  readonly region: string
  readonly from: number
  readonly until: number
}

/** The longest of each region between two moments, both of which count as if something had been acknowledged. */
export function longestOutages(
  operations: readonly TimedOperation[],
  regions: readonly string[],
  [start, end]: readonly [number, number],
): readonly Outage[] {
  const moments = new Map<string, number[]>(regions.map((region) => [region, [start, end]]))
  for (const operation of operations) {
    const { complete, key } = operation
    if (complete === null || outcomeOf(operation) !== 'acknowledged') continue
    if (complete > start && complete < end) moments.get(regionOf(key))?.push(complete)
  }
  return [...moments].map(([region, times]) => {
    const sorted = times.toSorted((a, b) => a - b)
    let longest: Outage = { region, from: start, until: start }
    for (const [index, until] of sorted.entries()) {
      const from = sorted[index - 1] ?? start
      if (until - from > longest.until - longest.from) longest = { region, from, until }
    }
    return longest
  })
}

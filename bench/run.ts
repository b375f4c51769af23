import type { Probe, Row } from './row.js'
import { RowSkipped } from './row-skipped.js'
import type { Sample } from './sample.js'
import type { Stage } from './stage.js'
import { median } from './statistics.js'

/** A row as it came out. */
export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: Row['unit']
  readonly limit: string | null
  /** How many times slower than the limit: 1 is as fast. Null where it is held against nothing. */
  readonly ratio: number | null
  readonly p99: number | undefined
  readonly messagesPerOperation: number | undefined
}

/** A row that cannot be measured here. */
export interface Skipped {
  readonly name: string
  readonly reason: string
}

export interface Measured {
  readonly results: readonly Result[]
  readonly skipped: readonly Skipped[]
}

export interface RunOptions {
  readonly rounds: number
  /** Rounds before those: until the compiler has seen enough of the code, an operation takes several times as long. */
  readonly warmUpRounds: number
  readonly budgetMs: number
  /** Told what is being done. */
  readonly progress: (line: string) => void
}

/**
 * Measures all rows in rounds: every row once, then every row again. So what disturbs the machine for a while falls on
 * limits and on what is held against them alike. A row's value is the median of its
 * rounds, but for those that warm up.
 */
export async function measure(stage: Stage, rows: readonly Row[], options: RunOptions): Promise<Measured> {
  const skipped: Skipped[] = []
  const played: { readonly row: Row; readonly probe: Probe; readonly samples: Sample[] }[] = []
  for (const row of rows) {
    options.progress(`preparing ${row.name}`)
    try {
      played.push({ row, probe: await row.open(stage), samples: [] })
    } catch (reason) {
      if (!(reason instanceof RowSkipped)) throw reason
      skipped.push({ name: row.name, reason: reason.message })
    }
  }
  const { rounds, warmUpRounds, budgetMs, progress } = options
  for (let round = 1 - warmUpRounds; round <= rounds; round++) {
    for (const { row, probe, samples } of played) {
      progress(round < 1 ? `warming up ${row.name}` : `round ${round} of ${rounds}: ${row.name}`)
      const sample = await probe.round(budgetMs)
      if (round > 0) samples.push(sample)
    }
  }
  const values = new Map(
    played.map(({ row, samples }) => [row.name, median(samples.map(({ value }) => value))]),
  )
  const results = played.map(({ row: { name, unit, limit }, samples }) => {
    const value = values.get(name) ?? NaN
    return {
      name,
      value,
      unit,
      limit,
      ratio: ratioOf(value, unit, limit === null ? undefined : values.get(limit)),
      p99: medianOfKnown(samples.map(({ p99 }) => p99)),
      messagesPerOperation: medianOfKnown(samples.map(({ messagesPerOperation }) => messagesPerOperation)),
    }
  })
  return { results, skipped }
}

function medianOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : median(known)
}

function ratioOf(value: number, unit: Row['unit'], limit: number | undefined): number | null {
  if (limit === undefined) return null
  return unit === 'us' ? value / limit : limit / value
}

import type { FsStage } from './fs-stage.js'

export type Unit = '/s' | 'MiB/s' | 's' | 'ms'

/** One line of the table. */
export interface FsRow {
  readonly name: string
  /** What is measured, for people. */
  readonly title: string
  /** Of `/s` and `MiB/s` more is better, of `s` and `ms` less. */
  readonly unit: Unit
}

/** Where a scenario is played. */
export interface Place {
  readonly name: 'mount' | 'plain'
  /** Empty at first, for this scenario alone; removed with all that is in it. */
  readonly directory: string
  /** The same directory as another node has it; of a plain directory, itself. Undefined where there is no second mount. */
  readonly other: string | undefined
}

/** By the names of rows. */
export type Values = Readonly<Record<string, number>>

export interface FsProbe {
  /** Measures once. What a round leaves behind, the next one finds. */
  round(): Promise<Values>
}

/** Rows that are measured by one piece of work. */
export interface Scenario {
  readonly rows: readonly FsRow[]
  /** For being opened, and for each round. What takes longer is ended by force, and has failed. */
  readonly limitMs: number
  /** Throws `RowSkipped` where it cannot be measured here. */
  open(place: Place, stage: FsStage): Promise<FsProbe>
}

/** How many times slower than the other value: 1 is as fast. */
export function timesSlower(unit: Unit, value: number, other: number): number {
  return unit === 's' || unit === 'ms' ? value / other : other / value
}

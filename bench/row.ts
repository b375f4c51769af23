import type { Sample } from './sample.js'
import type { Stage } from './stage.js'

/** A row whose processes are running, and whose data is in place. */
export interface Probe {
  /** Measures for about so long, or one fixed amount of work that is much. What a round leaves behind, the next one finds. */
  round(budgetMs: number): Promise<Sample>
}

/** One line of the table. */
export interface Row {
  readonly name: string
  /** `us`: microseconds for one operation, less is better. `MiB/s`: more is better. */
  readonly unit: 'us' | 'MiB/s'
  /** The row it is held against: what the machine can do, or another consistency. Null for what is only held against. */
  readonly limit: string | null
  /** Throws `RowSkipped` where it cannot be measured here. */
  open(stage: Stage): Promise<Probe>
}

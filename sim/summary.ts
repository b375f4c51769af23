import type { SimReport } from '../src/testing/sim-runner.js'

/** Adds up the reports of many seeds. */
export class Summary {
  readonly #faults = new Map<string, number>()
  readonly #counts = new Map<string, number>()
  readonly #failed: number[] = []
  #seeds = 0
  #operations = 0
  #acknowledged = 0

  add(report: SimReport): void {
    this.#seeds += 1
    this.#operations += report.operations
    this.#acknowledged += report.acknowledged
    if (!report.ok) this.#failed.push(report.seed)
    addAll(this.#faults, report.faults)
    addAll(this.#counts, report.counts)
  }

  get hasFailed(): boolean {
    return this.#failed.length > 0
  }

  /** Plain data. */
  get document(): Readonly<Record<string, unknown>> {
    return {
      seeds: this.#seeds,
      failed: this.#failed,
      operations: this.#operations,
      acknowledged: this.#acknowledged,
      faults: Object.fromEntries(this.#faults),
      counts: Object.fromEntries(this.#counts),
    }
  }

  get text(): string {
    const faults = linesOf(this.#faults)
    const counts = linesOf(this.#counts)
    return [
      `${this.#seeds} seeds, ${this.#operations} operations, ${this.#acknowledged} writes acknowledged`,
      ...(faults.length === 0 ? ['no faults'] : ['faults:', ...faults]),
      ...(counts.length === 0 ? [] : ['and:', ...counts]),
      this.hasFailed ? `FAILED: seeds ${this.#failed.join(', ')}` : 'all passed',
    ].join('\n')
  }
}

function addAll(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [kind, count] of Object.entries(counts)) sums.set(kind, (sums.get(kind) ?? 0) + count)
}

function linesOf(sums: ReadonlyMap<string, number>): readonly string[] {
  return [...sums].sort().map(([kind, count]) => `  ${kind.padEnd(14)} ${count}`)
}

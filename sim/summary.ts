import type { SimReport } from '../src/testing/sim-runner.js'

/** Adds up the reports of many seeds. */
export class Summary {
  readonly #faults = new Map<string, number>()
  readonly #failed: number[] = []
  #seeds = 0
  #operations = 0
  #acknowledged = 0

  add(report: SimReport): void {
    this.#seeds += 1
    this.#operations += report.operations
    this.#acknowledged += report.acknowledged
    if (!report.ok) this.#failed.push(report.seed)
    for (const [kind, count] of Object.entries(report.faults)) {
      this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count)
    }
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
    }
  }

  get text(): string {
    const faults = [...this.#faults].sort().map(([kind, count]) => `  ${kind.padEnd(12)} ${count}`)
    return [
      `${this.#seeds} seeds, ${this.#operations} operations, ${this.#acknowledged} writes acknowledged`,
      ...(faults.length === 0 ? ['no faults'] : ['faults:', ...faults]),
      this.hasFailed ? `FAILED: seeds ${this.#failed.join(', ')}` : 'all passed',
    ].join('\n')
  }
}

/** One line on a terminal that shows how many of how many are done. Where stderr is no terminal, nothing at all. */
export class CountProgress implements Disposable {
  readonly #label: string
  readonly #unit: string
  #isDrawn = false

  /** `unit`: of what is counted, in the plural. */
  constructor(label: string, unit: string) {
    this.#label = label
    this.#unit = unit
  }

  update(done: number, total: number): void {
    if (!process.stderr.isTTY) return
    this.#isDrawn = true
    process.stderr.write(`\r${this.#label}: ${done} of ${total} ${this.#unit}\x1b[K`)
  }

  /** Removes the line. */
  [Symbol.dispose](): void {
    if (this.#isDrawn) process.stderr.write('\r\x1b[K')
  }
}

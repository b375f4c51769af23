/**
 * Work side by side, at most so much of it at a time. After a failure nothing new begins; `end` waits for all that had
 * begun, so that nothing goes on behind the back of whoever handles the failure.
 */
export class Pipeline {
  readonly #runningMax: number
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly reason: unknown } | undefined

  constructor(runningMax: number) {
    this.#runningMax = runningMax
  }

  /** Resolves when the work has begun. Throws what earlier work has failed with. */
  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#runningMax) await Promise.race(this.#running)
    if (this.#failure !== undefined) throw this.#failure.reason
    const running = this.#run(work).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Resolves when all work has ended. Throws the first failure. */
  async end(): Promise<void> {
    await this.settle()
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (reason) {
      this.#failure ??= { reason }
    }
  }
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/** Promises that are settled together. */
export class Waiters {
  #waiting: Waiter[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  resolve(): void {
    for (const { resolve } of this.#take()) resolve()
  }

  reject(reason: Error): void {
    for (const { reject } of this.#take()) reject(reason)
  }

  #take(): readonly Waiter[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }
}

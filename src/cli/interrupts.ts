const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Signal = (typeof signals)[number]

/** What shells give for a process that died of a signal: this and its number. */
const statusOf: Readonly<Record<Signal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

/** Turns the signals that ask a process to stop into an `AbortSignal`. The second one kills, as it does by default. */
export class Interrupts implements Disposable {
  readonly #controller = new AbortController()
  readonly #listener = (name: Signal): void => this.#interrupt(name)

  static listen(): Interrupts {
    const interrupts = new Interrupts()
    for (const name of signals) process.on(name, interrupts.#listener)
    return interrupts
  }

  private constructor() {
    // `listen` does the work.
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    for (const name of signals) process.removeListener(name, this.#listener)
  }

  #interrupt(name: Signal): void {
    if (this.signal.aborted) {
      process.removeAllListeners(name)
      process.kill(process.pid, name)
      return
    }
    process.exitCode = statusOf[name]
    this.#controller.abort(new Error(`interrupted by ${name}`))
  }
}

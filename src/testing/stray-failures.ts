/**
 * Collects what nobody catches: rejected promises without a handler, and errors thrown from microtasks. For as long as
 * it is open, other listeners of the process (a test runner's) do not see them: they belong to the simulation.
 */
export class StrayFailures implements Disposable {
  readonly #restores: (() => void)[] = []
  #first: { readonly reason: unknown } | undefined

  static collect(): StrayFailures {
    const strays = new StrayFailures()
    strays.#divert('unhandledRejection')
    strays.#divert('uncaughtException')
    return strays
  }

  get first(): { readonly reason: unknown } | undefined {
    return this.#first
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restores) restore()
  }

  #divert(event: 'unhandledRejection' | 'uncaughtException'): void {
    const others = process.listeners(event as 'uncaughtException')
    const collect = (reason: unknown): void => {
      this.#first ??= { reason }
    }
    process.removeAllListeners(event)
    process.on(event, collect)
    this.#restores.push(() => {
      process.removeListener(event, collect)
      for (const other of others) process.on(event as 'uncaughtException', other)
    })
  }
}

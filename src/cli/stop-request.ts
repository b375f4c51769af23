import { withResolvers } from '../io/deadline.js'

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * Waits for somebody to ask this process to stop: by a signal, or, where a parent process holds a channel to it, by
 * any message, or by its end, which is also the parent's. A second signal does what the signal does by default.
 */
export class StopRequest implements Disposable {
  readonly #request = withResolvers<string>()
  #signals = 0
  #isMade = false
  readonly #onSignal = (name: NodeJS.Signals): void => {
    this.#signals += 1
    this.make(name)
    if (this.#signals === 1) return
    process.removeAllListeners(name)
    process.kill(process.pid, name)
  }
  readonly #onMessage = (): void => this.make('the parent process asks for it')
  readonly #onParentGone = (): void => this.make('the parent process is gone')

  static listen(): StopRequest {
    const stop = new StopRequest()
    for (const name of signals) process.on(name, stop.#onSignal)
    process.on('message', stop.#onMessage)
    process.on('disconnect', stop.#onParentGone)
    return stop
  }

  private constructor() {
    // `listen` does the work.
  }

  /** Resolves with why. */
  get requested(): Promise<string> {
    return this.#request.promise
  }

  get isMade(): boolean {
    return this.#isMade
  }

  /** Asks from within. */
  make(why: string): void {
    this.#isMade = true
    this.#request.resolve(why)
  }

  [Symbol.dispose](): void {
    for (const name of signals) process.removeListener(name, this.#onSignal)
    process.removeListener('message', this.#onMessage)
    process.removeListener('disconnect', this.#onParentGone)
  }
}

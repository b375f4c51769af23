import type { Call } from './operations.js'

/** A call whose signal is made when it is asked for. */
export class PendingCall implements Call {
  #controller: AbortController | undefined
  #state: 'running' | 'interrupted' = 'running'

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#state === 'interrupted') this.#controller.abort()
    return this.#controller.signal
  }

  interrupt(): void {
    this.#state = 'interrupted'
    this.#controller?.abort()
  }
}

export const backoffMsMin = 200
export const backoffMsMax = 30_000

/** When to try again what failed: after 200 ms, then twice as long each time, up to half a minute. */
export class Backoff {
  #delayMs = backoffMsMin
  #until = Infinity

  /** When it is to be tried again, on the clock that said `now`; `Infinity` where nothing waits. */
  get until(): number {
    return this.#until
  }

  get isWaiting(): boolean {
    return this.#until < Infinity
  }

  /** It failed. A time that was set before stands. */
  failed(now: number): void {
    if (this.isWaiting) return
    this.#until = now + this.#delayMs
    this.#delayMs = Math.min(this.#delayMs * 2, backoffMsMax)
  }

  succeeded(): void {
    this.#delayMs = backoffMsMin
  }

  /** Answers whether something waited, and the time has come. */
  expire(now: number): boolean {
    return this.isWaiting && this.#until <= now && this.tryAgain()
  }

  /** Somebody will not wait. Answers whether something waited. */
  tryAgain(): boolean {
    const waited = this.isWaiting
    this.#until = Infinity
    return waited
  }
}

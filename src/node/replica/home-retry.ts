import type { Clock, Timer } from '../../io/clock.js'
import type { Session } from '../session/session.js'

/** How long after a refusal the home is asked again, for the first time and at the most. */
const retryMsMin = 250
const retryMsMax = 30_000

/**
 * After the home, or a node on the way to it, could not serve a region: asks it again for whoever asks next, and by itself
 * after a while, ever more slowly, since copies may be in use that nobody asks for: what was in the way may be so no more.
 */
export class HomeRetry {
  readonly #clock: Clock
  readonly #again: (session: Session, link: number) => void
  /** Where what was said could not be served: whom the next lock asks again, as one of whom nothing is known. */
  #refusal: { readonly session: Session; readonly link: number } | undefined
  #timer: Timer | undefined
  #waitMs = retryMsMin

  /** `again`: the way to the home begins anew. */
  constructor(clock: Clock, again: (session: Session, link: number) => void) {
    this.#clock = clock
    this.#again = again
  }

  /** The region could not be served, once more. */
  refused(session: Session, link: number): void {
    this.#refusal = { session, link }
    this.#waitMs = Math.min(retryMsMax, this.#waitMs * 2)
    this.#timer = this.#clock.after(this.#waitMs, () => {
      this.askNow()
    })
  }

  /** Asks again, where there was a refusal, and its session lives. */
  askNow(): void {
    const refusal = this.#refusal
    if (refusal?.session.loss === undefined && refusal !== undefined) {
      this.#again(refusal.session, refusal.link)
    }
  }

  /** The way to the home begins anew. */
  begun(): void {
    // Where it begins in another session, or on a way that was found again, nothing has been refused yet.
    if (this.#refusal === undefined) this.#waitMs = retryMsMin
    this.forget()
  }

  /** There is no way to the home by which to ask. */
  forget(): void {
    this.#refusal = undefined
    this.stop()
  }

  /** Nothing is asked by itself any more. */
  stop(): void {
    this.#timer?.cancel()
  }
}

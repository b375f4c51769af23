import type { Clock, Timer } from './clock.js'
import { checkObject, checkSignal } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'

/** What everything that waits takes. */
export interface WaitOptions {
  /** Ends the wait with `aborted`. */
  readonly signal?: AbortSignal
  /** Ends the wait with `timeout`. Milliseconds, more than 0; 30,000 unless told. */
  readonly timeoutMs?: number
}

export const defaultTimeoutMs = 30_000
export const timeoutMsMax = 2 ** 31 - 1

export function timeoutOf(options: WaitOptions): number {
  checkObject(options, 'options')
  const { timeoutMs = defaultTimeoutMs } = options
  checkSignal(options.signal)
  if (!(timeoutMs > 0) || timeoutMs > timeoutMsMax) {
    throw new KhazanaError(
      'invalid-argument',
      `timeoutMs is a number of milliseconds over 0 and up to ${timeoutMsMax}, not ${timeoutMs}`,
    )
  }
  return timeoutMs
}

/** The same wait at any later moment, with what is left of its time: at least a millisecond, so that it ends by itself. Throws as `timeoutOf`. */
export function waitFrom(
  clock: Clock,
  options: WaitOptions,
): () => WaitOptions & { readonly timeoutMs: number } {
  const until = clock.now() + timeoutOf(options)
  return () => ({ ...options, timeoutMs: Math.max(1, until - clock.now()) })
}

/** Of the time that somebody waits, the share that whoever is asked may take. */
const peerShare = 0.9

/**
 * Whole milliseconds that another one may take who is asked: less than the asker waits, so that it has given up, and says why, by the time that
 * the asker would give up on it. Throws as `timeoutOf`.
 */
export function peerMs(options: WaitOptions): number {
  return Math.ceil(timeoutOf(options) * peerShare)
}

/** A wait of this site has come to its end by time. Whatever else says `timeout` was told so by others, or says more. */
export class Expired extends KhazanaError {
  constructor(what: string, timeoutMs: number) {
    super('timeout', `${what}: not possible within ${Math.round(timeoutMs)} ms`)
  }
}

/** The end of a wait: by time or by the caller. `stop` it when the wait is over. */
export class Deadline {
  readonly #timer: Timer
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: () => void

  private constructor(
    clock: Clock,
    what: string,
    options: WaitOptions,
    expired: (error: KhazanaError) => void,
  ) {
    const timeoutMs = timeoutOf(options)
    const { signal } = options
    this.#signal = signal
    this.#onAbort = () => {
      this.stop()
      expired(abortError(signal, what))
    }
    this.#timer = clock.after(timeoutMs, () => {
      this.stop()
      expired(new Expired(what, timeoutMs))
    })
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** `what` names the wait in the error. Throws `aborted` at once where the signal has fired. */
  static start(
    clock: Clock,
    what: string,
    options: WaitOptions,
    expired: (error: KhazanaError) => void,
  ): Deadline {
    timeoutOf(options)
    if (options.signal?.aborted === true) throw abortError(options.signal, what)
    return new Deadline(clock, what, options, expired)
  }

  stop(): void {
    this.#timer.cancel()
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}

function abortError(signal: AbortSignal | undefined, what: string): KhazanaError {
  return new KhazanaError('aborted', `${what}: given up by the caller`, { cause: signal?.reason })
}

/** The promise's outcome, unless the deadline comes first; the promise is then left to itself. */
export async function within<T>(
  clock: Clock,
  what: string,
  options: WaitOptions,
  promise: Promise<T>,
): Promise<T> {
  const { promise: outcome, resolve, reject } = withResolvers<T>()
  const deadline = Deadline.start(clock, what, options, reject)
  promise.then(resolve, reject)
  try {
    return await outcome
  } finally {
    deadline.stop()
  }
}

export interface Resolvers<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

export function withResolvers<T>(): Resolvers<T> {
  let resolve: (value: T) => void = () => undefined
  let reject: (reason: unknown) => void = () => undefined
  const promise = new Promise<T>((onValue, onReason) => {
    resolve = onValue
    reject = onReason
  })
  return { promise, resolve, reject }
}

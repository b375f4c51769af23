import type { Clock } from '../io/clock.js'
import { timeoutOf, within } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { KhazanaError } from '../stdx/errors.js'

const pauseMsMin = 50
const pauseMsMax = 1_000

export interface RepeatedOptions {
  /** Names the wait in errors. */
  readonly what: string
  readonly wait: WaitOptions
  /** What one attempt may take, at most. Milliseconds. */
  readonly attemptMs: number
  /** Whether the next attempt may go better, and does no harm. */
  readonly mayRepeat: (error: KhazanaError) => boolean
}

/**
 * Tries until it succeeds, or the caller's time is over: then it throws `unreachable` where the last attempt did, else
 * `timeout`. What may not be repeated is thrown as it is.
 */
export async function repeated<T>(
  clock: Clock,
  { what, wait, attemptMs, mayRepeat }: RepeatedOptions,
  attempt: (options: WaitOptions) => Promise<T>,
): Promise<T> {
  const endsAt = clock.now() + timeoutOf(wait)
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
    // Fractions of a millisecond may be lost in the sum.
    const timeoutMs = Math.max(0.001, Math.min(attemptMs, endsAt - clock.now()))
    try {
      return await attempt({ ...wait, timeoutMs })
    } catch (error) {
      if (!(error instanceof KhazanaError) || !mayRepeat(error)) throw error
      if (clock.now() + pauseMs >= endsAt) throw lastOf(what, error)
    }
    await pause(clock, what, pauseMs, wait.signal)
  }
}

/** The way to the store failed, or the store was silent: what does no harm when it is done twice may be tried again. */
export function isOfTheWay({ code }: KhazanaError): boolean {
  return code === 'unreachable' || code === 'timeout' || code === 'outcome-unknown'
}

function lastOf(what: string, cause: KhazanaError): KhazanaError {
  const code = cause.code === 'unreachable' ? 'unreachable' : 'timeout'
  return new KhazanaError(code, `${what}: not possible in time: ${cause.message}`, { cause })
}

async function pause(
  clock: Clock,
  what: string,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const over = new Promise<void>((resolve) => clock.after(delayMs, resolve))
  await within(clock, what, signal === undefined ? {} : { signal }, over)
}

import type { WaitOptions } from '../io/deadline.js'
import { checkObject, checkSignal } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { sharedAbortController } from '../stdx/shared-abort.js'

export function closedError(): KhazanaError {
  return new KhazanaError('closed', 'the coordinator, or this watch of it, was closed')
}

/** Runs it with the caller's options, and ends it by `closing` too, with `closed`. */
export async function untilClosed<T>(
  closing: AbortSignal,
  options: WaitOptions,
  run: (options: WaitOptions) => Promise<T>,
): Promise<T> {
  checkObject(options, 'options')
  checkSignal(options.signal)
  if (closing.aborted) throw closedError()
  const ending = sharedAbortController()
  const close = (): void => ending.abort(closedError())
  const abort = (): void => ending.abort(options.signal?.reason)
  closing.addEventListener('abort', close)
  options.signal?.addEventListener('abort', abort)
  if (options.signal?.aborted === true) abort()
  try {
    return await run({ ...options, signal: ending.signal })
  } catch (error) {
    const isOurs = error instanceof KhazanaError && error.code === 'aborted' && isClosed(error.cause)
    throw isOurs ? closedError() : error
  } finally {
    closing.removeEventListener('abort', close)
    options.signal?.removeEventListener('abort', abort)
  }
}

function isClosed(reason: unknown): boolean {
  return reason instanceof KhazanaError && reason.code === 'closed'
}

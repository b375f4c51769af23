import type { Endpoint } from '../io/network.js'
import type { World } from '../io/world.js'
import { KhazanaError } from '../stdx/errors.js'
import { formatEndpoint } from './endpoint-text.js'
import { pause } from './pause.js'
import { backoffMs } from './session/backoff.js'

/** How long a node that is to be joined may be missing: it may have been started in the same moment. */
export const contactMsMax = 10_000
/** One attempt to connect; where no machine answers, none would end by itself in that time. */
const attemptMsMax = 3000

/**
 * Resolves when somebody accepts connections at the endpoint. Says so, once, where that takes more than one attempt. Throws
 * `unreachable` where nobody has in `contactMsMax`, `aborted`, and `invalid-argument`.
 */
export async function whenAnyoneListens(
  { clock, network, random, logger }: World,
  endpoint: Endpoint,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const where = formatEndpoint(endpoint)
  const until = clock.now() + contactMsMax
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted)
      throw new KhazanaError('aborted', 'joining: given up by the caller', { cause: signal.reason })
    const leftMs = Math.max(1, until - clock.now())
    try {
      const connection = await network.connect(endpoint, { timeoutMs: Math.min(attemptMsMax, leftMs) })
      connection.destroy()
      return
    } catch (reason) {
      const cause = KhazanaError.from(reason, 'unreachable')
      if (cause.code !== 'unreachable') throw cause
      const pauseMs = backoffMs(attempt, random)
      if (clock.now() + pauseMs >= until) throw nobodyThere(where, cause)
      if (attempt === 1) logger.log('info', `waiting for a node at ${where}`, { upToMs: contactMsMax })
      await pause(clock, pauseMs, signal)
    }
  }
}

function nobodyThere(where: string, cause: KhazanaError): KhazanaError {
  const seconds = contactMsMax / 1000
  return new KhazanaError(
    'unreachable',
    `no node answers at ${where}, for ${seconds} s: start it first, or correct --join`,
    { cause },
  )
}

import type { Coordinator } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import { pause } from '../pause.js'
import type { CoordinatorDesk } from './coordinator-desk.js'

/** Between two questions. Milliseconds. */
const askEveryMs = 5000
/** What one may take. Milliseconds. */
const answerMs = 5000
/** A key that nobody puts: whether it is found does not matter. */
const key = 'check'

export interface CoordinatorCheckOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly coordinator: Pick<Coordinator, 'get'>
  /** The way to the one that the founder keeps; undefined where this node has no other, or is the founder. */
  readonly desk: Pick<CoordinatorDesk, 'ask'> | undefined
  /** Ends it. */
  readonly signal: AbortSignal
}

/**
 * Says in the log where the coordinator does not answer, or is another one than that of the cluster's founder, and when it does: nothing rests on it before the
 * first region with replicas, and whoever has mistyped its address should not have to wait for that. Never rejects.
 */
export async function checkCoordinator(options: CoordinatorCheckOptions): Promise<void> {
  const { clock, logger, coordinator, signal } = options
  for (let failures = 0; !signal.aborted;) {
    try {
      await coordinator.get(key, { timeoutMs: answerMs, signal })
      if (failures > 0) logger.log('info', 'the coordinator answers')
      break
    } catch (reason) {
      const { code, message } = KhazanaError.from(reason)
      if (code === 'aborted' || code === 'closed') return
      if (failures === 0)
        logger.log('warn', `the coordinator does not answer: ${consequence}`, { code, reason: message })
      failures += 1
    }
    await pause(clock, askEveryMs, signal)
  }
  await findAnother(options)
}

const consequence = 'until it does, regions with replicas are not served by this node, nor made'

/** The founder may be down, or not have heard of this node: it is asked again. */
async function findAnother({ clock, logger, desk, signal }: CoordinatorCheckOptions): Promise<void> {
  while (desk !== undefined && !signal.aborted) {
    try {
      await desk.ask({ kind: 'get', key }, { timeoutMs: answerMs, signal })
      const what =
        'the founder of the cluster keeps its coordinator itself: start this node with --coordinator embedded'
      logger.log('error', what)
      return
    } catch (reason) {
      // As it should be.
      if (KhazanaError.from(reason).code === 'unsupported') return
    }
    await pause(clock, askEveryMs, signal)
  }
}

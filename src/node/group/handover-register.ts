import type { Coordinator } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { HandoverDecision } from '../home/handover-decision.js'
import { pause } from '../pause.js'
import { backoffMs } from '../session/backoff.js'

/** How long one question to the coordinator may take. */
const answerMs = 2000
const keyPrefix = 'handover/'

export interface HandoverRegisterOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly coordinator: Coordinator
  /** Ends all that waits. */
  readonly signal: AbortSignal
}

/**
 * What has been decided of attempts to hand a region from one log to another (docs/adr/0024-change-of-replicas.md): for each a key of the coordinator, which
 * is put once. So whoever comes first decides, and all find the same.
 */
export class HandoverRegister {
  readonly #options: HandoverRegisterOptions

  constructor(options: HandoverRegisterOptions) {
    this.#options = options
  }

  /** Decides, unless it is decided: answers with how it is. Again and again until it is known; undefined where nobody wants to know any more. Never rejects. */
  async decide(
    attempt: string,
    wanted: HandoverDecision,
    isWanted: () => boolean,
  ): Promise<HandoverDecision | undefined> {
    const { clock, random, signal, logger } = this.#options
    for (let round = 1; !signal.aborted && isWanted(); round++) {
      try {
        return await this.#decide(attempt, wanted)
      } catch (reason) {
        const { code, message } = KhazanaError.from(reason)
        if (code === 'bad-format')
          logger.log('error', 'a decision at the coordinator cannot be read', { attempt, reason: message })
        await pause(clock, backoffMs(round, random), signal)
      }
    }
    return undefined
  }

  async #decide(attempt: string, wanted: HandoverDecision): Promise<HandoverDecision> {
    const { coordinator, signal } = this.#options
    const key = keyPrefix + attempt
    const wait = { timeoutMs: answerMs, signal }
    const value = new TextEncoder().encode(wanted)
    const outcome = await coordinator.transact(
      { conditions: [{ kind: 'absent', key }], puts: [{ key, value }] },
      wait,
    )
    if (outcome.kind === 'applied') return wanted
    const { found } = await coordinator.get(key, wait)
    // It was forgotten in between: then nobody needs to know, and it is asked again.
    if (found === undefined) throw new KhazanaError('busy', 'the decision is being forgotten')
    return decisionOf(found.value)
  }

  /** Nobody will ask any more. Never rejects: what stays behind where it fails is a key of some bytes. */
  async forget(attempt: string): Promise<void> {
    const { coordinator, logger, signal } = this.#options
    try {
      await coordinator.transact({ deletes: [keyPrefix + attempt] }, { timeoutMs: answerMs, signal })
    } catch (reason) {
      const { message } = KhazanaError.from(reason)
      logger.log('info', 'a decision that nobody needs stays at the coordinator', {
        attempt,
        reason: message,
      })
    }
  }
}

/** Throws `bad-format`. */
function decisionOf(value: Uint8Array): HandoverDecision {
  const text = new TextDecoder().decode(value)
  if (text === 'go' || text === 'stay') return text
  throw new KhazanaError('bad-format', 'a decision at the coordinator is neither go nor stay')
}

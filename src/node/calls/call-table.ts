import type { Clock } from '../../io/clock.js'
import { isErrorCode, KhazanaError } from '../../stdx/errors.js'
import type { Call, Failure, Response, Result } from '../../wire/message.js'
import { peerMs, within, withResolvers } from '../../io/deadline.js'
import type { Resolvers, WaitOptions } from '../../io/deadline.js'
import type { Session } from '../session/session.js'

/** Requests that one peer has not answered yet; more are refused as `busy`. */
export const callsOpenMax = 10_000

/**
 * Requests to one peer and their answers. Over when the session is: what is open then has an unknown outcome, unless the
 * peer is known not to have heard of it.
 */
export class CallTable {
  readonly #clock: Clock
  readonly #session: Session
  readonly #open = new Map<number, Resolvers<Result>>()
  #id = 0

  constructor(clock: Clock, session: Session) {
    this.#clock = clock
    this.#session = session
  }

  /** The peer's answer. `pages`: what the call says that goes along. Throws the peer's error, `timeout`, `aborted`, `outcome-unknown`. */
  async call(call: Call, options: WaitOptions, pages: readonly Uint8Array[] = []): Promise<Result> {
    if (this.#session.loss !== undefined) throw this.#session.loss.error
    if (this.#open.size >= callsOpenMax)
      throw new KhazanaError('busy', 'too many requests wait for this node')
    const id = ++this.#id
    const answer = withResolvers<Result>()
    this.#open.set(id, answer)
    try {
      this.#session.send({ kind: 'request', id, waitMs: peerMs(options), call }, pages)
      return await within(this.#clock, call.op, options, answer.promise)
    } finally {
      this.#open.delete(id)
    }
  }

  /** Whether any waits for its answer. */
  get isOpen(): boolean {
    return this.#open.size > 0
  }

  onAnswer(message: Response | Failure): void {
    const answer = this.#open.get(message.id)
    if (answer === undefined) return
    this.#open.delete(message.id)
    if (message.kind === 'response') answer.resolve(message.result)
    else
      answer.reject(new KhazanaError(isErrorCode(message.code) ? message.code : 'internal', message.message))
  }

  /** What the peer has not heard of fails with the error itself. */
  lost(error: KhazanaError, outcome: 'unheard' | 'unknown'): void {
    for (const answer of this.#open.values()) {
      answer.reject(outcome === 'unheard' ? error : unknownOutcome(error))
    }
    this.#open.clear()
  }
}

function unknownOutcome(cause: KhazanaError): KhazanaError {
  return new KhazanaError('outcome-unknown', 'the connection was lost before the answer came', { cause })
}

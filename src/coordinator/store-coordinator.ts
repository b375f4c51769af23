import type { Clock } from '../io/clock.js'
import type { WaitOptions } from '../io/deadline.js'
import { KhazanaError } from '../stdx/errors.js'
import { sharedAbortController } from '../stdx/shared-abort.js'
import type {
  Coordinator,
  Entry,
  Found,
  Lease,
  LeaseId,
  Outcome,
  Revision,
  Transaction,
  Watch,
} from './coordinator.js'
import {
  checkKey,
  checkLease,
  checkPrefix,
  checkRevision,
  checkTransaction,
  checkTtl,
  watchesMax,
} from './limits.js'
import { isOfTheWay, repeated } from './repeated.js'
import type { AnswerTo, Request, StoreAccess } from './request.js'
import { StoreWatch } from './store-watch.js'
import { closedError, untilClosed } from './until-closed.js'

export interface StoreCoordinatorOptions {
  readonly clock: Clock
  readonly access: StoreAccess
  /** How long the store may take to answer before it is asked once more. Milliseconds; 2,000 unless told. */
  readonly attemptMs?: number
  /** How long a watch may hear nothing at all before it begins anew. Milliseconds; 4,000 unless told. */
  readonly silenceMs?: number
}

const attemptMsDefault = 2_000
const silenceMsDefault = 4_000

/**
 * What all coordinators have in common, whatever the store behind them: arguments are checked, what can be repeated without harm is, and
 * what cannot ends as `outcome-unknown`. A watch is a place in the history of the store, not a connection: it asks from there on, again and
 * again. So nothing is missed or told twice however often the way to the store breaks, and there is no buffer beyond one answer:
 * who reads slowly is waited for, by the store's history.
 */
export class StoreCoordinator implements Coordinator {
  readonly #options: StoreCoordinatorOptions
  readonly #watches = new Set<StoreWatch>()
  readonly #closing = sharedAbortController()

  constructor(options: StoreCoordinatorOptions) {
    this.#options = options
  }

  async get(key: string, options: WaitOptions = {}): Promise<Found<Entry | undefined>> {
    checkKey(key)
    return this.#repeated({ kind: 'get', key }, options)
  }

  async list(prefix: string, options: WaitOptions = {}): Promise<Found<readonly Entry[]>> {
    checkPrefix(prefix)
    return this.#repeated({ kind: 'list', prefix }, options)
  }

  async transact(transaction: Transaction, options: WaitOptions = {}): Promise<Outcome> {
    checkTransaction(transaction)
    const { clock, access } = this.#options
    return this.#until(options, (wait) =>
      repeated(
        clock,
        { what: 'coordinator: transact', wait, attemptMs: Infinity, mayRepeat: isUnheard },
        async (attempt) => {
          try {
            return await access.ask({ kind: 'transact', transaction }, attempt)
          } catch (error) {
            throw error instanceof KhazanaError ? doubtful(error) : error
          }
        },
      ),
    )
  }

  async grantLease(ttlMs: number, options: WaitOptions = {}): Promise<Lease> {
    checkTtl(ttlMs)
    return this.#repeated({ kind: 'grant', ttlMs }, options)
  }

  async keepAlive(lease: LeaseId, options: WaitOptions = {}): Promise<'alive' | 'ended'> {
    checkLease(lease)
    return this.#repeated({ kind: 'keep-alive', lease }, options)
  }

  async revoke(lease: LeaseId, options: WaitOptions = {}): Promise<void> {
    checkLease(lease)
    await this.#repeated({ kind: 'revoke', lease }, options)
  }

  watch(prefix: string, from: Revision): Watch {
    checkPrefix(prefix)
    checkRevision(from)
    if (this.#closing.signal.aborted) throw closedError()
    if (this.#watches.size >= watchesMax) {
      throw new KhazanaError('busy', `a coordinator has at most ${watchesMax} watches at a time: close some`)
    }
    const watch = new StoreWatch({
      clock: this.#options.clock,
      silenceMs: this.#options.silenceMs ?? silenceMsDefault,
      source: this.#options.access.follow(prefix),
      from,
      closed: () => this.#watches.delete(watch),
    })
    this.#watches.add(watch)
    return watch
  }

  close(): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    for (const watch of this.#watches) watch.close()
    this.#options.access.close()
  }

  /** What does no harm when it is done twice. */
  #repeated<R extends Request>(request: R, options: WaitOptions): Promise<AnswerTo<R>> {
    const { clock, access, attemptMs = attemptMsDefault } = this.#options
    return this.#until(options, (wait) =>
      repeated(
        clock,
        { what: `coordinator: ${request.kind}`, wait, attemptMs, mayRepeat: isOfTheWay },
        (attempt) => access.ask(request, attempt),
      ),
    )
  }

  #until<T>(options: WaitOptions, run: (options: WaitOptions) => Promise<T>): Promise<T> {
    return untilClosed(this.#closing.signal, options, run)
  }
}

function isUnheard(error: KhazanaError): boolean {
  return error.code === 'unreachable'
}

/** The store may have heard of it, and still do it. */
function doubtful(error: KhazanaError): KhazanaError {
  if (!['timeout', 'aborted', 'protocol-error'].includes(error.code)) return error
  const message = `coordinator: no answer to a transaction, which may or may not have happened: ${error.message}`
  return new KhazanaError('outcome-unknown', message, { cause: error })
}

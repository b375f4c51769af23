import type { Clock, Timer } from '../io/clock.js'
import { within, withResolvers } from '../io/deadline.js'
import type { Resolvers, WaitOptions } from '../io/deadline.js'
import { unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { LeaseId } from './coordinator.js'
import { CoordinatorState } from './coordinator-state.js'
import type { Answer, AnswerTo, ChangesRequest, Request } from './request.js'
import type { StateBug } from './state-bug.js'
import { stateLimits } from './state-terms.js'
import type { RequestId, StateChange, StateEffect, StateEvent, StateLimits } from './state-terms.js'
import { loadState, saveChange } from './stored-state.js'
import type { CoordinatorStorage } from './stored-state.js'

export interface CoordinatorServerOptions {
  readonly clock: Clock
  readonly storage: CoordinatorStorage
  readonly limits?: Partial<StateLimits>
  /** A fault that is planted, to see that it is found. */
  readonly bug?: StateBug | undefined
}

/**
 * The store of the `embedded` coordinator, at work: feeds the state machine, makes durable what it says, keeps the timers of leases.
 * It serves one process, or whoever sends requests to that process.
 */
export class CoordinatorServer {
  readonly #clock: Clock
  readonly #storage: CoordinatorStorage
  readonly #state: CoordinatorState
  readonly #open = new Map<RequestId, Resolvers<Answer>>()
  readonly #timers = new Map<LeaseId, Timer>()
  #lastId: RequestId = 0
  /** Why it serves no more. */
  #end: KhazanaError | undefined

  /** Reads what is stored, and gives every lease a whole time to live. Throws `bad-format`. */
  static start(options: CoordinatorServerOptions): CoordinatorServer {
    const server = new CoordinatorServer(options)
    server.#perform(server.#state.start(options.clock.now()))
    return server
  }

  private constructor({ clock, storage, limits, bug }: CoordinatorServerOptions) {
    this.#clock = clock
    this.#storage = storage
    this.#state = new CoordinatorState({ ...stateLimits, ...limits }, loadState(storage), bug)
  }

  /**
   * What came of the request. A wait that ends before takes nothing back. Throws `unreachable` after `close`; `timeout`, `aborted`; what the
   * state says; and `outcome-unknown` where the disk has failed meanwhile, and `storage-failed` from then on.
   */
  async ask<R extends Request | ChangesRequest>(request: R, options: WaitOptions): Promise<AnswerTo<R>> {
    if (this.#end !== undefined) throw this.#end
    const id = ++this.#lastId
    const answered = withResolvers<Answer>()
    this.#open.set(id, answered)
    this.#step({ kind: 'asked', id, request })
    const timer =
      request.kind === 'changes' ? this.#clock.after(request.waitMs, () => this.#waited(id)) : undefined
    try {
      // The state answers each request with what belongs to its kind.
      return (await within(
        this.#clock,
        `coordinator: ${request.kind}`,
        options,
        answered.promise,
      )) as AnswerTo<R>
    } finally {
      timer?.cancel()
      this.#waited(id)
      this.#open.delete(id)
    }
  }

  /** What is under way becomes durable or not; nobody hears of it any more. Idempotent. */
  close(): void {
    this.#stop(new KhazanaError('unreachable', 'the coordinator is closed'))
  }

  #waited(id: RequestId): void {
    if (this.#end === undefined && this.#open.has(id)) this.#step({ kind: 'waited', id })
  }

  #step(event: StateEvent): void {
    this.#perform(this.#state.step(this.#clock.now(), event))
  }

  #perform(effects: readonly StateEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'answer':
          this.#open.get(effect.id)?.resolve(effect.answer)
          break
        case 'fail':
          this.#open.get(effect.id)?.reject(effect.error)
          break
        case 'persist':
          void this.#persist(effect.change)
          break
        case 'arm':
          this.#timers.get(effect.lease)?.cancel()
          this.#timers.set(
            effect.lease,
            this.#clock.after(effect.afterMs, () => this.#due(effect.lease)),
          )
          break
        case 'disarm':
          this.#timers.get(effect.lease)?.cancel()
          this.#timers.delete(effect.lease)
          break
        default:
          unreachable(effect)
      }
    }
  }

  #due(lease: LeaseId): void {
    this.#timers.delete(lease)
    this.#step({ kind: 'lease-due', lease })
  }

  async #persist(change: StateChange): Promise<void> {
    const event = await this.#saved(change)
    if (this.#end === undefined) this.#step(event)
  }

  async #saved(change: StateChange): Promise<StateEvent> {
    try {
      await saveChange(this.#storage, change)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'no-space' && error.code !== 'busy') this.#stop(error)
      return { kind: 'not-persisted', error }
    }
    return { kind: 'persisted' }
  }

  #stop(end: KhazanaError): void {
    if (this.#end !== undefined) return
    this.#end = end
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    for (const { reject } of this.#open.values()) {
      const message = `the coordinator stopped before it answered: ${end.message}`
      reject(new KhazanaError('outcome-unknown', message, { cause: end }))
    }
  }
}

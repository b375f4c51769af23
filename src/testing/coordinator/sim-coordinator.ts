import type { Coordinator } from '../../coordinator/coordinator.js'
import { CoordinatorServer } from '../../coordinator/coordinator-server.js'
import type { StateLimits } from '../../coordinator/state-terms.js'
import type { AnswerTo, ChangesRequest, Request, StoreAccess } from '../../coordinator/request.js'
import { ServedAccess } from '../../coordinator/served-access.js'
import type { StateBug } from '../../coordinator/state-bug.js'
import type { CoordinatorStorage } from '../../coordinator/stored-state.js'
import { StoreCoordinator } from '../../coordinator/store-coordinator.js'
import type { Clock } from '../../io/clock.js'
import { within, withResolvers } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { EventOwner } from '../event-owner.js'
import type { Scheduler } from '../scheduler.js'
import { MemoryStorage } from './memory-storage.js'

export interface SimCoordinatorOptions {
  readonly scheduler: Scheduler
  readonly random: Prng
  /** One way, in virtual milliseconds; 0.2 to 2 unless told. */
  readonly latencyMsMin?: number
  readonly latencyMsMax?: number
  /** Of making a change durable; 0.5 to 5 unless told. */
  readonly flushMsMin?: number
  readonly flushMsMax?: number
  /** The share of requests, and of answers, that nobody ever hears of; 0 unless told. */
  readonly lossRate?: number
  readonly limits?: Partial<StateLimits>
  readonly bug?: StateBug | undefined
}

/** Of what is on its way behind a cut. */
const heldRate = 0.5
/** Short, since messages get lost here that a connection would bring. */
const silenceMs = 1_000

/**
 * A coordinator somewhere in a simulated world, like an etcd that runs elsewhere: it has latency, loses messages, can be cut off, and
 * can be started again, with what was durable. Its store is the real one of the embedded coordinator.
 */
export class SimCoordinator {
  readonly #options: SimCoordinatorOptions
  readonly #random: Prng
  readonly #records = new MemoryStorage()
  /** Which start of the store may write: none of before. */
  #incarnation = 0
  #server: CoordinatorServer | undefined
  #cuts = 0
  readonly #held: (() => void)[] = []

  constructor(options: SimCoordinatorOptions) {
    this.#options = options
    this.#random = options.random
    this.start()
  }

  /** For a process of the world, with its clock. */
  clientOf(owner: EventOwner | undefined, clock: Clock): Coordinator {
    return new StoreCoordinator({ clock, access: this.accessOf(owner, clock), silenceMs })
  }

  /** The same for a node, which makes a coordinator of it itself. */
  accessOf(owner: EventOwner | undefined, clock: Clock): StoreAccess {
    return new ServedAccess((request, wait) => this.#ask(owner, clock, request, wait))
  }

  /** Nobody reaches it, and no answer comes out, until what is returned is called. */
  cutOff(): () => void {
    this.#cuts++
    let isCut = true
    return () => {
      if (!isCut) return
      isCut = false
      if (--this.#cuts > 0) return
      for (const send of this.#held.splice(0)) send()
    }
  }

  /** Like kill -9: what is being made durable is so when the store starts again, or lost. */
  stop(): void {
    this.#server?.close()
    this.#server = undefined
  }

  start(): void {
    const { scheduler, limits = {}, bug } = this.#options
    if (this.#server !== undefined) return
    const storage = this.#storageOf(++this.#incarnation)
    this.#server = CoordinatorServer.start({ clock: schedulerClock(scheduler), storage, limits, bug })
  }

  #storageOf(incarnation: number): CoordinatorStorage {
    const { flushMsMin = 0.5, flushMsMax = 5, scheduler } = this.#options
    return {
      list: (prefix) => this.#records.list(prefix),
      commit: async (group) => {
        const flushMs = this.#random.between(flushMsMin, flushMsMax)
        await scheduler.delay(undefined, flushMs, 'coordinator flush')
        if (incarnation === this.#incarnation) await this.#records.commit(group)
      },
    }
  }

  async #ask<R extends Request | ChangesRequest>(
    owner: EventOwner | undefined,
    clock: Clock,
    request: R,
    wait: WaitOptions,
  ): Promise<AnswerTo<R>> {
    const { promise, resolve, reject } = withResolvers<AnswerTo<R>>()
    // Whoever has died hears nothing.
    const back = (run: () => void): void => this.#carry(owner, 'coordinator answer', run)
    this.#carry(undefined, 'coordinator request', () => {
      const server = this.#server
      if (server === undefined) {
        back(() => reject(new KhazanaError('unreachable', 'the coordinator does not run')))
        return
      }
      // That the asking end gives up is no news to this end.
      const served = server.ask(request, wait.timeoutMs === undefined ? {} : { timeoutMs: wait.timeoutMs })
      served.then(
        (answer) => back(() => resolve(answer)),
        (error: unknown) => back(() => reject(error)),
      )
    })
    return within(clock, `coordinator: ${request.kind}`, wait, promise)
  }

  #latencyMs(): number {
    const { latencyMsMin = 0.2, latencyMsMax = 2 } = this.#options
    return this.#random.between(latencyMsMin, latencyMsMax)
  }

  /** Behind a cut, what is on its way is lost, or waits, as connections do. */
  #carry(owner: EventOwner | undefined, label: string, arrive: () => void): void {
    if (this.#random.unit() < (this.#options.lossRate ?? 0)) return
    this.#options.scheduler.schedule(owner, this.#latencyMs(), label, () => {
      if (this.#cuts === 0) arrive()
      else if (this.#random.unit() < heldRate) this.#held.push(() => this.#carry(owner, label, arrive))
    })
  }
}

/** True time. */
export function schedulerClock(scheduler: Scheduler): Clock {
  return {
    now: () => scheduler.now(),
    wallTime: () => scheduler.now(),
    after: (delayMs, run) => scheduler.schedule(undefined, Math.max(0, delayMs), 'coordinator timer', run),
  }
}

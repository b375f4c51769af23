import type { Clock } from '../../io/clock.js'
import type { KhazanaError } from '../../stdx/errors.js'
import { Deadline, withResolvers } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Engine } from './engine.js'
import type { LockDesk } from './lock-desk.js'

/** Somebody for whom a replica is to come to rest. */
export interface Suspension {
  /** `isQuiet` may have changed. */
  readonly stepped: () => void
  /** It is over: another protocol has begun. The error tells that not all that was unlocked here was at the home by then. */
  readonly switched: (loss: KhazanaError | undefined) => void
}

/** What has to come to rest: a replica. */
export interface Resting {
  readonly clock: Clock
  readonly desk: () => LockDesk
  /** Of the protocol that is in force. */
  readonly engine: () => Engine
  /** Undefined while the replica is in use. */
  readonly closed: () => KhazanaError | undefined
  readonly hasOpenLocks: () => boolean
  /** Asks the home again, where it had refused. */
  readonly askAgain: () => void
}

/**
 * How a replica comes to rest: while anybody wants it, no lock is granted; once none is open, the manager is told to finish
 * what it has under way; and all who want it hear of every step towards it.
 */
export class Rest {
  readonly #replica: Resting
  /** Those for whom the replica is to come to rest. */
  readonly #suspensions = new Map<object, Suspension>()
  /** Whether the manager has been told to. */
  #isTold = false

  constructor(replica: Resting) {
    this.#replica = replica
  }

  /** See `Replica.suspend`. */
  suspend(who: object, suspension: Suspension): void {
    this.#suspensions.set(who, suspension)
    this.#replica.desk().park()
    this.stepped()
  }

  /** Whether anybody waits for the replica to come to rest. */
  get isWanted(): boolean {
    return this.#suspensions.size > 0
  }

  /** See `Replica.isQuiet`. */
  get isQuiet(): boolean {
    return this.#replica.closed() !== undefined || (this.#isTold && this.isAllTold)
  }

  /** Whether the home has all that was unlocked here. */
  get isAllTold(): boolean {
    const { commits, isQuiet } = this.#replica.engine()
    return commits.openCommits === 0 && isQuiet
  }

  /** See `Replica.resume`. */
  resume(who: object): void {
    this.#suspensions.delete(who)
    if (this.#replica.closed() !== undefined || this.#suspensions.size > 0) return
    if (this.#isTold) this.#replica.engine().step({ kind: 'resume' })
    this.#isTold = false
    this.#replica.desk().unpark()
  }

  /** Nobody wants it any more, and the manager is no more. Answers who did, to be told. */
  end(): readonly Suspension[] {
    const suspensions = [...this.#suspensions.values()]
    this.#suspensions.clear()
    this.#isTold = false
    return suspensions
  }

  /** A lock or a commit has ended, or the manager was told something. On the way of every lock: cheap where nobody waits. */
  stepped(): void {
    if (this.#suspensions.size === 0 || this.#replica.engine().isPerforming) return
    const isAtRest = !this.#replica.hasOpenLocks() && !this.#replica.desk().isHandingOut
    if (!this.#isTold && isAtRest && this.#replica.closed() === undefined) {
      this.#isTold = true
      this.#replica.engine().step({ kind: 'quiesce' })
    }
    for (const { stepped } of [...this.#suspensions.values()]) stepped()
  }

  /** See `Replica.sync`. */
  async sync(options: WaitOptions): Promise<void> {
    const { clock, closed, askAgain } = this.#replica
    const gone = closed()
    if (gone !== undefined) throw gone
    const outcome = withResolvers<void>()
    const deadline = Deadline.start(clock, 'sync', options, outcome.reject)
    const who = {}
    try {
      askAgain()
      this.suspend(who, {
        stepped: () => {
          const error = closed()
          if (error !== undefined) outcome.reject(error)
          else if (this.isQuiet) outcome.resolve()
        },
        switched: (loss) => {
          if (loss === undefined) outcome.resolve()
          else outcome.reject(loss)
        },
      })
      await outcome.promise
    } finally {
      deadline.stop()
      this.resume(who)
    }
  }
}

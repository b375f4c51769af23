import type { NodeId } from '../../address/identity.js'
import type { Condition, Coordinator, LeaseId, Revision } from '../../coordinator/coordinator.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { NodeLease } from '../../membership/node-lease.js'
import type { NodeLeaseEffect, NodeLeaseEvent } from '../../membership/node-lease.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'

/** Of the lease's time, what one question to the coordinator may take. */
const answerShare = 1 / 3
/** Between two lines of the log about a coordinator that does not answer, which is asked several times a second. Milliseconds. */
const sayEveryMs = 30_000

/** Under which a node's life is kept: whoever takes its place makes sure that it is absent. */
export function lifeKey(node: NodeId): string {
  return `node/${node}`
}

export interface LeaseKeeperOptions {
  readonly self: NodeId
  readonly incarnation: number
  readonly clock: Clock
  readonly logger: Logger
  readonly coordinator: Coordinator
  /** Milliseconds. */
  readonly leaseMs: number
  /** The lease is held, anew: what the coordinator says must be read again. */
  readonly held: () => void
  /** The lease that is held lasts longer. */
  readonly renewed: () => void
  /** What rests on the lease has ended: `validUntil` is past. */
  readonly lapsed: () => void
}

/** Keeps this node's lease at the coordinator, for as long as anything here needs one: performs what `NodeLease` decides. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  readonly #lease: NodeLease
  readonly #stopped = sharedAbortController()
  #timer: Timer | undefined
  #endTimer: Timer | undefined
  #isStarted = false
  #isResting = false
  #modified: Revision | undefined
  /** In a row. */
  #failures = 0
  /** On this node's clock. */
  #sayAt = -Infinity

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
    this.#lease = new NodeLease(options.leaseMs)
  }

  /** What rests on the lease may be done while this node's clock shows less. */
  get validUntil(): number {
    return this.#lease.validUntil
  }

  /** That this node's key is as it put it last: what only a primary that lives may do rests on it. Undefined before the first lease. */
  get lives(): Condition | undefined {
    if (this.#modified === undefined) return undefined
    return { kind: 'unchanged', key: lifeKey(this.#options.self), modified: this.#modified }
  }

  /** The revision at which this node's key was put under the lease that it holds; undefined without one. */
  get key(): number | undefined {
    return this.isHeld ? this.#modified : undefined
  }

  get isHeld(): boolean {
    return this.#options.clock.now() < this.validUntil
  }

  /** Tells of a lease that is past, before anything is done that rests on it: no timer need have come. */
  look(): void {
    if (this.#isStarted) this.#step({ kind: 'look', now: this.#options.clock.now() })
  }

  /** Idempotent. */
  start(): void {
    if (this.#isStarted && !this.#isResting) return
    this.#isStarted = true
    this.#isResting = false
    this.#step({ kind: 'start', now: this.#options.clock.now() })
  }

  /** The lease is left to end by itself, and no other is asked for, until `start`. */
  rest(): void {
    if (!this.#isStarted) return
    this.#step({ kind: 'rest', now: this.#options.clock.now() })
    this.#isResting = true
  }

  /** The lease is left to end by itself. */
  stop(error: KhazanaError): void {
    this.#timer?.cancel()
    this.#endTimer?.cancel()
    this.#stopped.abort(error)
  }

  #step(event: NodeLeaseEvent): void {
    if (this.#stopped.signal.aborted) return
    for (const effect of this.#lease.step(event)) this.#perform(effect)
  }

  #perform(effect: NodeLeaseEffect): void {
    const { clock, logger, held, renewed, lapsed } = this.#options
    switch (effect.kind) {
      case 'register':
        return void this.#register()
      case 'renew':
        return void this.#renew(effect.lease as LeaseId)
      case 'held':
        logger.log('info', 'this node has a lease', { lease: effect.lease })
        this.#watchEnd()
        return held()
      case 'extended':
        return renewed()
      case 'lapsed':
        logger.log('warn', 'this node has lost its lease: what others may take over is not served')
        return lapsed()
      case 'alarm':
        this.#timer?.cancel()
        this.#timer = clock.after(Math.max(0, effect.at - clock.now()), () => {
          this.#step({ kind: 'alarm', now: clock.now() })
        })
        return
      default:
        unreachable(effect)
    }
  }

  /** So that what rests on the lease stops in time also where nothing else happens. */
  #watchEnd(): void {
    const { clock } = this.#options
    this.#endTimer?.cancel()
    this.#endTimer = clock.after(Math.max(0, this.validUntil - clock.now()), () => {
      this.look()
      if (this.isHeld) this.#watchEnd()
    })
  }

  /** Never rejects. */
  async #register(): Promise<void> {
    const { self, incarnation, clock, coordinator, leaseMs } = this.#options
    const askedAt = clock.now()
    try {
      const { id, ttlMs } = await coordinator.grantLease(leaseMs, this.#wait())
      const key = lifeKey(self)
      const value = new TextEncoder().encode(JSON.stringify({ incarnation }))
      // An earlier attempt that is still on its way must not bind the key to a lease that nobody keeps.
      const { found } = await coordinator.get(key, this.#wait())
      const before: Condition =
        found === undefined ? { kind: 'absent', key } : { kind: 'unchanged', key, modified: found.modified }
      const outcome = await coordinator.transact(
        { conditions: [before], puts: [{ key, value, lease: id }] },
        this.#wait(),
      )
      if (outcome.kind !== 'applied') throw new KhazanaError('busy', `the key ${key} has changed meanwhile`)
      this.#modified = outcome.revision
      this.#answered()
      this.#step({ kind: 'registered', now: clock.now(), lease: id, ttlMs, askedAt })
    } catch (reason) {
      this.#failed('a lease was not had', reason)
    }
  }

  /** Never rejects. */
  async #renew(lease: LeaseId): Promise<void> {
    const { clock, coordinator } = this.#options
    const askedAt = clock.now()
    try {
      const answer = await coordinator.keepAlive(lease, this.#wait())
      const now = clock.now()
      this.#answered()
      if (answer === 'alive') this.#step({ kind: 'renewed', now, lease, askedAt })
      else this.#step({ kind: 'ended', now, lease })
    } catch (reason) {
      this.#failed('the lease was not renewed', reason)
    }
  }

  #answered(): void {
    this.#failures = 0
    this.#sayAt = -Infinity
  }

  #failed(what: string, reason: unknown): void {
    const { clock, logger } = this.#options
    const { code, message } = KhazanaError.from(reason)
    if (this.#stopped.signal.aborted) return
    this.#failures += 1
    if (clock.now() >= this.#sayAt) {
      logger.log('warn', what, { code, reason: message, attempts: this.#failures })
      this.#sayAt = clock.now() + sayEveryMs
    }
    this.#step({ kind: 'failed', now: clock.now() })
  }

  #wait(): { readonly timeoutMs: number; readonly signal: AbortSignal } {
    return { timeoutMs: this.#options.leaseMs * answerShare, signal: this.#stopped.signal }
  }
}

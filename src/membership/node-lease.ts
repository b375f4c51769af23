import { unreachable } from '../stdx/assert.js'
import { clockDriftMax } from '../stdx/clock-drift.js'

/** What the lease is told. All times are milliseconds of this node's clock. */
export type NodeLeaseEvent =
  | { readonly kind: 'start'; readonly now: number }
  /** The coordinator has granted a lease of `ttlMs`, which was asked for at `askedAt`, and holds this node's key under it. */
  | {
      readonly kind: 'registered'
      readonly now: number
      readonly lease: string
      readonly ttlMs: number
      readonly askedAt: number
    }
  /** The lease lives on: so said the answer to what was asked at `askedAt`. */
  | { readonly kind: 'renewed'; readonly now: number; readonly lease: string; readonly askedAt: number }
  /** The coordinator says that there is no such lease any more. */
  | { readonly kind: 'ended'; readonly now: number; readonly lease: string }
  /** What was asked last had no answer, or none that counts. */
  | { readonly kind: 'failed'; readonly now: number }
  | { readonly kind: 'alarm'; readonly now: number }
  /** It is wanted no more: it is left to end by itself, until `start`. */
  | { readonly kind: 'rest'; readonly now: number }
  /** Before anything is done that rests on it. */
  | { readonly kind: 'look'; readonly now: number }

export type NodeLeaseEffect =
  /** Ask for a lease, and put this node's key under it: `registered` or `failed` follows. */
  | { readonly kind: 'register' }
  /** `renewed`, `ended` or `failed` follows. */
  | { readonly kind: 'renew'; readonly lease: string }
  /** From now on, and as long as `validUntil` is in the future. What was decided before must be looked at anew. */
  | { readonly kind: 'held'; readonly lease: string }
  /** The same lease, for longer. */
  | { readonly kind: 'extended' }
  /** This node has no lease: whatever needs one has stopped already, as `validUntil` is past. */
  | { readonly kind: 'lapsed' }
  /** Of several, the last counts. */
  | { readonly kind: 'alarm'; readonly at: number }

/** Of the lease's time, what passes between two renewals: some may be lost, and what rests on it is for others to renew in turn. */
const renewShare = 1 / 5
/**
 * Of the lease's time, what passes before the first renewal: what was granted to others just before the lease was had is as long as a lease, and nothing
 * may rest on the lease before it covers that, too.
 */
const firstRenewShare = 0.03
/** Of the lease's time, the pause after an attempt that failed. */
const retryShare = 1 / 12

/**
 * This node's lease at the coordinator (DESIGN 7, P4): who has none serves nothing that another node may take over. It counts from before it asked,
 * and its own milliseconds as too many by `clockDriftMax`. So `validUntil` has passed, whatever the process was doing meanwhile, before the coordinator lets
 * the lease end; to look at the clock is enough, and no timer has to come in time.
 *
 * A lease that is past is given up for good, although the coordinator may have it still: the answer to a renewal may bring it back to life there, and here
 * what rests on it has been stopped. A new one begins with everything looked at anew.
 */
export class NodeLease {
  readonly #ttlMs: number
  #lease: string | undefined
  #leaseMs = 0
  #validUntil = -Infinity
  #isAsking = false
  #isResting = false

  /** `ttlMs`: what is asked for; a coordinator may grant more. */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs
  }

  /** What needs the lease may be done while the clock shows less. */
  get validUntil(): number {
    return this.#validUntil
  }

  step(event: NodeLeaseEvent): readonly NodeLeaseEffect[] {
    const effects = this.#lapse(event.now)
    switch (event.kind) {
      case 'start':
        this.#isResting = false
        return [...effects, ...this.#ask()]
      case 'rest':
        this.#isResting = true
        return effects
      case 'alarm':
        return [...effects, ...this.#ask()]
      case 'look':
        return [...effects, ...(effects.length > 0 ? this.#ask() : [])]
      case 'registered':
        return [...effects, ...this.#onRegistered(event)]
      case 'renewed':
        return [...effects, ...this.#onRenewed(event)]
      case 'ended':
        this.#isAsking = false
        // Of an earlier one it is no news.
        return event.lease === this.#lease
          ? [...effects, ...this.#drop(), ...this.#ask()]
          : [...effects, ...this.#ask()]
      case 'failed':
        this.#isAsking = false
        return [...effects, { kind: 'alarm', at: event.now + this.#ttlMs * retryShare }]
      default:
        return unreachable(event)
    }
  }

  #ask(): NodeLeaseEffect[] {
    if (this.#isAsking || this.#isResting) return []
    this.#isAsking = true
    return this.#lease === undefined ? [{ kind: 'register' }] : [{ kind: 'renew', lease: this.#lease }]
  }

  #onRegistered({
    now,
    lease,
    ttlMs,
    askedAt,
  }: Extract<NodeLeaseEvent, { kind: 'registered' }>): NodeLeaseEffect[] {
    this.#isAsking = false
    const validUntil = validity(askedAt, ttlMs)
    // It took too long: it would be past before it began.
    if (validUntil <= now) return this.#ask()
    this.#lease = lease
    this.#leaseMs = ttlMs
    this.#validUntil = validUntil
    return [
      { kind: 'held', lease },
      { kind: 'alarm', at: now + ttlMs * firstRenewShare },
    ]
  }

  #onRenewed({ now, lease, askedAt }: Extract<NodeLeaseEvent, { kind: 'renewed' }>): NodeLeaseEffect[] {
    this.#isAsking = false
    if (lease !== this.#lease) return this.#ask()
    this.#validUntil = Math.max(this.#validUntil, validity(askedAt, this.#leaseMs))
    return [{ kind: 'extended' }, this.#nextRenewal(Math.min(askedAt, now))]
  }

  #nextRenewal(askedAt: number): NodeLeaseEffect {
    return { kind: 'alarm', at: askedAt + this.#leaseMs * renewShare }
  }

  /** Before anything else is made of an event: that time has passed comes first. */
  #lapse(now: number): NodeLeaseEffect[] {
    return this.#lease === undefined || now < this.#validUntil ? [] : this.#drop()
  }

  #drop(): NodeLeaseEffect[] {
    this.#lease = undefined
    this.#validUntil = -Infinity
    return [{ kind: 'lapsed' }]
  }
}

function validity(askedAt: number, ttlMs: number): number {
  return askedAt + ttlMs * (1 - clockDriftMax)
}

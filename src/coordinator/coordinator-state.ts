import { assert, present, unreachable } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Condition, Entry, KeyChange, LeaseId, Outcome, Revision, Transaction } from './coordinator.js'
import { History } from './history.js'
import type { Answer, ChangesRequest, Request } from './request.js'
import type { StateBug } from './state-bug.js'
import type {
  RequestId,
  StateChange,
  StateEffect,
  StateEvent,
  StateLimits,
  StoredLease,
  StoredState,
} from './state-terms.js'

interface LiveLease extends StoredLease {
  /** By the time that `step` is told. */
  endsAt: number
  /** `ending`: its end waits, or is being made durable. `to-end`: the disk has refused that, and it is tried again. */
  phase: 'alive' | 'ending' | 'to-end'
  readonly keys: Set<string>
}

type Write =
  | { readonly kind: 'transact'; readonly id: RequestId; readonly transaction: Transaction }
  | { readonly kind: 'grant'; readonly id: RequestId; readonly ttlMs: number }
  | { readonly kind: 'end'; readonly lease: LeaseId; readonly id: RequestId | undefined }

interface Underway {
  readonly write: Write
  readonly change: StateChange
  readonly answer: Answer
}

/** How long the end of a lease waits where the disk has refused it. */
const endAgainMs = 1_000

/**
 * The store of a coordinator, pure: no clock, no promise. Changes are made one at a time: decided on what is durable, made durable, and only then in force, told and
 * answered. So whatever is read is durable, and reads need not wait.
 *
 *   asked ──> queue ──decide──> persist ──persisted──> apply ──> answer, news to those who wait
 *
 * A lease ends by a change like any other. Time is what `step` is told, in milliseconds, and matters for leases alone: the timer of a
 * lease that was kept alive meanwhile goes off in vain.
 *
 * Rejected: to decide on what is not durable yet, so that one flush serves many changes. Reads would have to wait for flushes
 * then, and a refused one would take back what others rest on; and changes are rare here.
 */
export class CoordinatorState {
  readonly #limits: StateLimits
  readonly #bug: StateBug | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #leases = new Map<LeaseId, LiveLease>()
  readonly #history: History
  readonly #queue: Write[] = []
  readonly #waiting = new Map<RequestId, ChangesRequest>()
  #underway: Underway | undefined
  #revision: Revision
  #nextLease: number
  #entryBytes = 0

  constructor(limits: StateLimits, stored: StoredState, bug?: StateBug) {
    this.#limits = limits
    this.#bug = bug
    this.#revision = stored.revision
    this.#nextLease = stored.nextLease
    this.#history = new History(limits, stored.revision)
    for (const lease of stored.leases) {
      this.#leases.set(lease.id, { ...lease, endsAt: Infinity, phase: 'alive', keys: new Set() })
    }
    for (const entry of stored.entries) this.#put(entry)
  }

  /** Before anything else: all leases live on for a whole time to live. */
  start(nowMs: number): StateEffect[] {
    return [...this.#leases.values()].map((lease) => this.#renew(lease, nowMs))
  }

  step(nowMs: number, event: StateEvent): StateEffect[] {
    switch (event.kind) {
      case 'asked':
        return this.#asked(nowMs, event.id, event.request)
      case 'waited':
        return this.#waited(event.id)
      case 'lease-due':
        return this.#due(nowMs, event.lease)
      case 'persisted':
        return this.#persisted(nowMs)
      case 'not-persisted':
        return this.#notPersisted(event.error)
      default:
        return unreachable(event)
    }
  }

  #asked(nowMs: number, id: RequestId, request: Request | ChangesRequest): StateEffect[] {
    const answer = (value: Answer): StateEffect[] => [{ kind: 'answer', id, answer: value }]
    switch (request.kind) {
      case 'get':
        return answer({ found: this.#entries.get(request.key), revision: this.#revision })
      case 'list':
        return answer({ found: this.#list(request.prefix), revision: this.#revision })
      case 'keep-alive': {
        const lease = this.#leases.get(request.lease)
        if (lease?.phase !== 'alive') return answer('ended')
        if (this.#bug === 'ignore-renewal') return answer('alive')
        return [this.#renew(lease, nowMs), ...answer('alive')]
      }
      case 'changes':
        return this.#changes(id, request)
      case 'transact':
        return this.#enqueue({ kind: 'transact', id, transaction: request.transaction })
      case 'grant':
        return this.#enqueue({ kind: 'grant', id, ttlMs: request.ttlMs })
      case 'revoke':
        return this.#enqueue({ kind: 'end', id, lease: request.lease })
      default:
        return unreachable(request)
    }
  }

  #list(prefix: string): Entry[] {
    const found = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix))
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  #changes(id: RequestId, request: ChangesRequest): StateEffect[] {
    const isSkipping = this.#bug === 'skip-a-revision' && request.from <= this.#revision
    const from = (request.from + (isSkipping ? 1 : 0)) as Revision
    const answer = this.#since({ ...request, from })
    if (answer !== undefined) return [{ kind: 'answer', id, answer }]
    if (this.#waiting.size >= this.#limits.waitingMax) {
      return [fail(id, 'busy', `${this.#waiting.size} requests wait for changes: end watches`)]
    }
    this.#waiting.set(id, request)
    return []
  }

  #since({ prefix, from }: ChangesRequest): Answer | undefined {
    const { first } = this.#history
    if (this.#bug === 'forget-compaction' && from < first) return this.#history.since(prefix, first)
    return this.#history.since(prefix, from)
  }

  #waited(id: RequestId): StateEffect[] {
    const request = this.#waiting.get(id)
    if (request === undefined) return []
    this.#waiting.delete(id)
    const next = this.#history.nextAfter(request.from)
    return [{ kind: 'answer', id, answer: { kind: 'news', news: [], next } }]
  }

  #due(nowMs: number, id: LeaseId): StateEffect[] {
    const lease = this.#leases.get(id)
    if (lease === undefined || lease.phase === 'ending') return []
    if (lease.phase === 'alive' && nowMs < lease.endsAt) {
      return [{ kind: 'arm', lease: id, afterMs: lease.endsAt - nowMs }]
    }
    lease.phase = 'ending'
    return this.#enqueue({ kind: 'end', lease: id, id: undefined })
  }

  #enqueue(write: Write): StateEffect[] {
    const { id } = write
    // The ends of leases are bounded by the number of leases.
    if (id !== undefined && this.#queue.length >= this.#limits.queuedMax) {
      return [fail(id, 'busy', `${this.#queue.length} changes wait for their turn: try again later`)]
    }
    this.#queue.push(write)
    return this.#goOn()
  }

  /** Decides what is first in the queue, until something is to be made durable. */
  #goOn(): StateEffect[] {
    const effects: StateEffect[] = []
    while (this.#underway === undefined) {
      const write = this.#queue.shift()
      if (write === undefined) break
      effects.push(...this.#decide(write))
    }
    return effects
  }

  #decide(write: Write): StateEffect[] {
    switch (write.kind) {
      case 'transact':
        return this.#transact(write, write.transaction)
      case 'grant': {
        if (this.#leases.size >= this.#limits.leasesMax) {
          return [fail(write.id, 'busy', `there are ${this.#leases.size} leases: end some`)]
        }
        const granted = { id: String(this.#nextLease) as LeaseId, ttlMs: write.ttlMs }
        return this.#begin(write, { granted, nextLease: this.#nextLease + 1 }, granted)
      }
      case 'end': {
        const lease = this.#leases.get(write.lease)
        if (lease === undefined) return answerTo(write, 'ended')
        lease.phase = 'ending'
        const keys = this.#bug === 'keys-outlive-the-lease' ? [] : [...lease.keys]
        const deletes = keys.map((key) => ({ kind: 'delete' as const, key }))
        const revision = this.#revisionAfter(deletes)
        return this.#begin(write, { ended: lease.id, keys: deletes, revision }, 'ended')
      }
      default:
        return unreachable(write)
    }
  }

  #transact(write: Write & { readonly kind: 'transact' }, transaction: Transaction): StateEffect[] {
    const { conditions = [], puts = [], deletes = [] } = transaction
    const refused: Outcome = { kind: 'refused', revision: this.#revision }
    if (this.#bug !== 'ignore-conditions' && !conditions.every((one) => this.#holds(one))) {
      return answerTo(write, refused)
    }
    const isGone = (lease: LeaseId | undefined): boolean => lease !== undefined && !this.#leases.has(lease)
    if (this.#bug !== 'accept-an-ended-lease' && puts.some(({ lease }) => isGone(lease))) {
      return answerTo(write, { kind: 'no-lease' })
    }
    const there = deletes.filter((key) => this.#entries.has(key))
    const revision = (this.#revision + (puts.length + there.length > 0 ? 1 : 0)) as Revision
    const keys: KeyChange[] = there.map((key) => ({ kind: 'delete', key }))
    for (const { key, value, lease } of puts) {
      keys.push({ kind: 'put', entry: { key, value, modified: revision, lease } })
    }
    if (keys.length === 0) return answerTo(write, { kind: 'applied', revision })
    const excess = this.#excessOf(keys)
    if (excess !== undefined) return [fail(write.id, 'no-space', excess)]
    return this.#begin(write, { keys, revision }, { kind: 'applied', revision })
  }

  #holds(condition: Condition): boolean {
    const entry = this.#entries.get(condition.key)
    if (condition.kind === 'absent') return entry === undefined
    if (this.#bug === 'compare-existence') return entry !== undefined
    return entry?.modified === condition.modified
  }

  /** Words on why there is no room for the change; undefined where there is. */
  #excessOf(keys: readonly KeyChange[]): string | undefined {
    let count = this.#entries.size
    let bytes = this.#entryBytes
    for (const change of keys) {
      const before = this.#entries.get(change.kind === 'put' ? change.entry.key : change.key)
      count += (change.kind === 'put' ? 1 : 0) - (before === undefined ? 0 : 1)
      bytes +=
        (change.kind === 'put' ? sizeOf(change.entry) : 0) - (before === undefined ? 0 : sizeOf(before))
    }
    // What makes it smaller is always possible.
    const { keysMax, entryBytesMax } = this.#limits
    if (count > keysMax && count > this.#entries.size) return `the coordinator has room for ${keysMax} keys`
    if (bytes > entryBytesMax && bytes > this.#entryBytes) {
      return `the coordinator has room for ${entryBytesMax} bytes of keys and values`
    }
    return undefined
  }

  #revisionAfter(keys: readonly KeyChange[]): Revision {
    return (keys.length === 0 ? this.#revision : this.#revision + 1) as Revision
  }

  #begin(write: Write, parts: Partial<StateChange>, answer: Answer): StateEffect[] {
    assert(this.#underway === undefined, 'one change at a time')
    const change = {
      revision: this.#revision,
      nextLease: this.#nextLease,
      keys: [],
      granted: undefined,
      ended: undefined,
      ...parts,
    }
    this.#underway = { write, change, answer }
    const early = this.#bug === 'answer-before-durable' ? answerTo(write, answer) : []
    return [...early, { kind: 'persist', change }]
  }

  #persisted(nowMs: number): StateEffect[] {
    const { write, change, answer } = present(this.#underway, 'what is persisted was under way')
    this.#underway = undefined
    const effects = this.#apply(nowMs, change)
    if (this.#bug !== 'answer-before-durable') effects.push(...answerTo(write, answer))
    return [...effects, ...this.#news(), ...this.#goOn()]
  }

  #notPersisted(error: KhazanaError): StateEffect[] {
    const { write } = present(this.#underway, 'what is not persisted was under way')
    this.#underway = undefined
    const effects: StateEffect[] = write.id === undefined ? [] : [{ kind: 'fail', id: write.id, error }]
    if (write.kind === 'end') effects.push(...this.#endLater(write.lease))
    return [...effects, ...this.#goOn()]
  }

  /** Somebody may have heard that it has ended: so it is not alive again. */
  #endLater(id: LeaseId): StateEffect[] {
    const lease = this.#leases.get(id)
    if (lease === undefined) return []
    lease.phase = 'to-end'
    return [{ kind: 'arm', lease: id, afterMs: endAgainMs }]
  }

  #apply(nowMs: number, change: StateChange): StateEffect[] {
    const effects: StateEffect[] = []
    this.#nextLease = change.nextLease
    if (change.granted !== undefined) {
      const lease: LiveLease = { ...change.granted, endsAt: 0, phase: 'alive', keys: new Set() }
      this.#leases.set(lease.id, lease)
      effects.push(this.#renew(lease, nowMs))
    }
    for (const one of change.keys) {
      if (one.kind === 'put') this.#put(one.entry)
      else this.#delete(one.key)
    }
    if (change.ended !== undefined) {
      this.#leases.delete(change.ended)
      effects.push({ kind: 'disarm', lease: change.ended })
    }
    if (change.revision > this.#revision) {
      this.#revision = change.revision
      const isSilent = this.#bug === 'end-in-silence' && change.ended !== undefined
      this.#history.add(change.revision, isSilent ? [] : change.keys)
    }
    return effects
  }

  #put(entry: Entry): void {
    this.#delete(entry.key)
    this.#entries.set(entry.key, entry)
    this.#entryBytes += sizeOf(entry)
    if (entry.lease !== undefined) this.#leases.get(entry.lease)?.keys.add(entry.key)
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#entryBytes -= sizeOf(entry)
    if (entry.lease === undefined || this.#bug === 'never-unbind') return
    this.#leases.get(entry.lease)?.keys.delete(key)
  }

  #renew(lease: LiveLease, nowMs: number): StateEffect {
    lease.endsAt = nowMs + lease.ttlMs
    return { kind: 'arm', lease: lease.id, afterMs: lease.ttlMs }
  }

  #news(): StateEffect[] {
    const effects: StateEffect[] = []
    for (const [id, request] of this.#waiting) {
      const answer = this.#since(request)
      if (answer === undefined) continue
      this.#waiting.delete(id)
      effects.push({ kind: 'answer', id, answer })
    }
    return effects
  }
}

function answerTo(write: Write, answer: Answer): StateEffect[] {
  return write.id === undefined ? [] : [{ kind: 'answer', id: write.id, answer }]
}

function fail(id: RequestId, code: 'busy' | 'no-space', message: string): StateEffect {
  return { kind: 'fail', id, error: new KhazanaError(code, message) }
}

function sizeOf({ key, value }: Entry): number {
  return key.length + value.length
}

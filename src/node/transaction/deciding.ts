import type { Address } from '../../address/address.js'
import type { Timer } from '../../io/clock.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import { unreachable } from '../../stdx/assert.js'
import type { TransactionId, TransactionOutcome, TransactionTag } from '../../wire/transaction-message.js'
import type { HomedRegion } from '../home/homed-region.js'
import type { RegionLog, RegionPlace } from '../home/region-log.js'
import type { RegionRecord } from '../home/region-record.js'
import { pause } from '../pause.js'
import { backoffMs } from '../session/backoff.js'
import { Decider } from './decider.js'
import type { DeciderEffect, DeciderEvent } from './decider.js'
import type { TransactionPart } from './gathering.js'
import { noteRecord } from './note.js'
import type { NotedRegion } from './note.js'
import { isSure } from './transaction-environment.js'
import type { TransactionEnvironment } from './transaction-environment.js'
import { callMs, gatheringMs, refusalMs } from './transaction-limits.js'

/** One transaction at the home of the region that decides: performs what `Decider` says. */
export class Deciding {
  readonly region: HomedRegion
  readonly #environment: TransactionEnvironment
  readonly #id: TransactionId
  readonly #decider: Decider
  readonly #closing = sharedAbortController()
  /** Nobody will speak of it any more. */
  readonly #over: () => void
  #parts: readonly TransactionPart[] = []
  #others: readonly NotedRegion[] = []
  #note: RegionPlace | undefined
  #log: RegionLog | undefined
  #timer: Timer | undefined
  /** Why the decision could not be made durable. */
  #failure: KhazanaError | undefined

  constructor(environment: TransactionEnvironment, region: HomedRegion, id: TransactionId, over: () => void) {
    this.#environment = environment
    this.region = region
    this.#id = id
    this.#over = over
    this.#decider = new Decider(environment.bug)
  }

  /** The time begins in which it must be decided. */
  start(): void {
    this.#timer = this.#environment.clock.after(gatheringMs, () => {
      this.step({ kind: 'time-over' })
    })
  }

  get outcome(): TransactionOutcome {
    return this.#decider.outcome
  }

  /** Which has the decision, or will: the region may be in another by the time that it is forgotten. */
  get log(): RegionLog {
    return this.#log ?? this.region.log
  }

  get isAwaited(): boolean {
    return this.#decider.isAwaited
  }

  /** What was written in this region is all here. */
  own(parts: readonly TransactionPart[], { regions }: TransactionTag): void {
    this.#parts = parts
    this.#others = regions.slice(1).map(({ address, generation }) => ({ address, generation }))
    this.step({ kind: 'own-ready', others: this.#others.map(({ address }) => address) })
  }

  /** A decision that is on the disk already. What this answers begins to tell of it. */
  resume(note: RegionRecord, others: readonly NotedRegion[]): () => void {
    this.#note = { address: note.descriptor.address, space: note.space }
    this.#log = this.region.log
    this.#others = others
    const effects = this.#decider.resume(others.map(({ address }) => address))
    return () => {
      this.#perform(effects)
    }
  }

  step(event: DeciderEvent): void {
    if (!this.#closing.signal.aborted) this.#perform(this.#decider.step(event))
  }

  /** Nothing is said, or decided, any more. */
  close(): void {
    this.#closing.abort(new KhazanaError('closed', 'the region is not served here any more'))
    this.#timer?.cancel()
  }

  #perform(effects: readonly DeciderEffect[]): void {
    if (this.outcome === 'aborted') this.#remember()
    if (this.outcome === 'committed') this.#timer?.cancel()
    for (const effect of effects) {
      if (this.#closing.signal.aborted) return
      switch (effect.kind) {
        case 'decide':
          this.#decide()
          break
        case 'end-own':
          this.#endOwn(effect.outcome)
          break
        case 'tell':
          void this.#tell(effect.region, effect.outcome)
          break
        case 'forget':
          void this.#forget()
          break
        default:
          unreachable(effect)
      }
    }
  }

  /** That it came to nothing is known for as long as anybody could still be on the way to make something of it. */
  #remember(): void {
    if (this.#timer !== undefined) this.#timer.cancel()
    this.#timer = this.#environment.clock.after(refusalMs, this.#over)
  }

  #decide(): void {
    const { node, takeSpace, numbers } = this.#environment
    const { descriptor, log, place } = this.region
    this.#log = log
    const note = { kind: 'decided', id: this.#id, region: descriptor.address, others: this.#others } as const
    const record = noteRecord(note, descriptor, node, takeSpace())
    this.#note = { address: record.descriptor.address, space: record.space }
    const pages = this.#parts.flatMap((part) => part.pages)
    const decision = { place: this.#note, change: { record, own: () => ({ puts: numbers() }) } }
    log.submitAll([{ place, change: { pages } }, decision], (failure) => {
      if (failure === undefined) this.step({ kind: 'decided' })
      else {
        this.#failed(failure)
        if (isSure(failure)) this.#failure = failure
        this.step({ kind: 'not-decided', isSure: isSure(failure) })
      }
    })
  }

  #failed(failure: KhazanaError): void {
    if (failure.code === 'storage-failed') this.#environment.storageFailed(failure)
  }

  #endOwn(outcome: 'committed' | 'aborted' | 'unknown'): void {
    const parts = this.#parts
    this.#parts = []
    const failure = this.#failure ?? failureOf(outcome)
    for (const { done } of parts) done(failure)
  }

  /** Never rejects. */
  async #tell(address: Address, outcome: 'committed' | 'aborted'): Promise<void> {
    const { clock, random, call } = this.#environment
    const { signal } = this.#closing
    const generation = this.#others.find((other) => other.address === address)?.generation ?? 0
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await call(
          { op: 'conclude', address, generation, id: this.#id, outcome },
          { timeoutMs: callMs, signal },
        )
        this.step({ kind: 'told', region: address })
        return
      } catch (reason) {
        const { code } = KhazanaError.from(reason)
        if (code === 'no-such-region') this.step({ kind: 'told', region: address })
        // That it came to nothing, the other one finds out by itself.
        if (code === 'no-such-region' || outcome === 'aborted') return
      }
      await pause(clock, backoffMs(attempt, random), signal)
    }
  }

  /** Never rejects. */
  async #forget(): Promise<void> {
    const { clock, random, doubtEnded } = this.#environment
    const { signal } = this.#closing
    const note = this.#note
    for (let attempt = 1; !signal.aborted && note !== undefined; attempt++) {
      try {
        await this.log.commit(note, { record: 'ended' })
        break
      } catch (reason) {
        const failure = KhazanaError.from(reason)
        if (!isSure(failure)) {
          this.#failed(failure)
          return
        }
      }
      await pause(clock, backoffMs(attempt, random), signal)
    }
    if (signal.aborted) return
    this.#over()
    doubtEnded(this.region, [])
  }
}

/** What those hear who wrote; undefined: it is durable. */
export function failureOf(outcome: 'committed' | 'aborted' | 'unknown'): KhazanaError | undefined {
  switch (outcome) {
    case 'committed':
      return undefined
    case 'aborted':
      return new KhazanaError(
        'context-broken',
        'what was to be released together was not, as some of it could not be: nothing of it happened, lock again',
      )
    case 'unknown':
      return new KhazanaError('outcome-unknown', 'the log failed before it said what became of the release')
    default:
      return unreachable(outcome)
  }
}

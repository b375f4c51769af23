import type { Address } from '../../address/address.js'
import type { PageIndex } from '../../address/page.js'
import { waitFrom, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import { KhazanaError } from '../../stdx/errors.js'
import type {
  TransactionCall,
  TransactionId,
  TransactionResult,
  TransactionTag,
} from '../../wire/transaction-message.js'
import type { HomedRegion } from '../home/homed-region.js'
import type { RegionLog } from '../home/region-log.js'
import type { RegionRecord } from '../home/region-record.js'
import { Deciding } from './deciding.js'
import { Gathering } from './gathering.js'
import type { TransactionPart } from './gathering.js'
import { noteOf } from './note.js'
import type { Note } from './note.js'
import { Participating } from './participating.js'
import type { TransactionEnvironment } from './transaction-environment.js'
import { transactionsMax } from './transaction-limits.js'

type Key = string

/** Between two looks at whether a region has anything to do with a transaction. */
const lookMs = 10

/**
 * What is released together in regions homed here (docs/adr/0023-released-together.md). Where all of it comes to one log, it is one commit of
 * that. Else each region is a party by itself, which one of them decides for: whether two are homed at one node makes no difference.
 */
export class Transactions {
  readonly #environment: TransactionEnvironment
  /** By the transaction, where all of it is here; else by that and the region. */
  readonly #gatherings = new Map<Key, Gathering>()
  readonly #deciding = new Map<Key, Deciding>()
  readonly #participating = new Map<Key, Participating>()
  /** What begins when others can be talked to. */
  readonly #loaded: (() => void)[] = []

  constructor(environment: TransactionEnvironment) {
    this.#environment = environment
  }

  /** What was written under one of the contexts. Tells its end when that of all is known. */
  take(part: TransactionPart, tag: TransactionTag): void {
    const { region } = part
    const { address, generation } = region.descriptor
    const own = tag.regions.find((each) => each.address === address && each.generation === generation)
    if (own === undefined) {
      part.done(new KhazanaError('invalid-argument', 'what is released together does not name the region'))
      return
    }
    const apart = keyOf(tag.id, address)
    const whole = wholeKey(tag.id)
    // As the first of its parts has found it.
    const isBegun = this.#gatherings.has(whole) || this.#gatherings.has(apart)
    const isWhole = isBegun ? this.#gatherings.has(whole) : this.#isAllHere(tag, region.log)
    if (isWhole) this.#gather(whole, part, tag, partsOf(tag))
    else this.#gather(apart, part, tag, own.parts)
  }

  /** What waits in the region rests on what has failed. */
  regionFailed(region: HomedRegion, failure: KhazanaError): void {
    for (const gathering of [...this.#gatherings.values()]) if (gathering.has(region)) gathering.fail(failure)
    for (const each of this.#deciding.values()) if (each.region === region) each.step({ kind: 'own-failed' })
    for (const each of this.#participating.values()) {
      if (each.region === region) each.step({ kind: 'failed' })
    }
  }

  isInDoubt(region: HomedRegion, page: PageIndex): boolean {
    for (const each of this.#participating.values()) {
      if (each.region === region && each.doubts.has(page)) return true
    }
    return false
  }

  /** Whether others wait for the region to say, or it waits itself to hear, what becomes of one. */
  isUnderWay(region: HomedRegion): boolean {
    for (const each of this.#deciding.values()) if (each.region === region && each.isAwaited) return true
    for (const each of this.#participating.values()) if (each.region === region) return true
    return false
  }

  // ---- the disk ----------------------------------------------------------------------------------------------------

  /** What was found in the log about regions that are homed here from now on. Nothing is asked or told before `begin`. Throws `bad-format`. */
  load(notes: Iterable<RegionRecord>, log: RegionLog): void {
    for (const record of notes) {
      const note = noteOf(record)
      const region = this.#environment.find(note.region)
      if (region?.log !== log) {
        this.#loadLeftover(note, record, log)
        continue
      }
      if (note.kind === 'decided') {
        this.#loaded.push(this.#newDeciding(region, note.id).resume(record, note.others))
        continue
      }
      const { id, decider } = note
      const participating = this.#newParticipating(region, { id, decider, parts: [], note: record })
      this.#loaded.push(() => {
        participating.begin()
      })
    }
  }

  /** A region goes to another log, or node, only when all have been told what was decided in it: what is left of that is of no use. */
  #loadLeftover({ kind }: Note, { descriptor: { address }, space }: RegionRecord, log: RegionLog): void {
    if (kind === 'prepared') {
      this.#environment.logger.log('error', 'a transaction is about a region that is not here', {})
      return
    }
    this.#loaded.push(() => {
      log.submit({ address, space }, { record: 'ended' }, () => undefined)
    })
  }

  /** Others can be talked to. */
  begin(): void {
    for (const begin of this.#loaded.splice(0)) begin()
  }

  /** For checkers: what is under way, one line each. When nothing is on the way any more there is nothing. */
  leftovers(): string[] {
    const { node } = this.#environment
    const deciding = [...this.#deciding].filter(([, each]) => each.isAwaited).map(([key]) => `decides ${key}`)
    const waiting = [...this.#participating.keys()].map((key) => `waits in ${key}`)
    const gathering = [...this.#gatherings.keys()].map((key) => `gathers ${key}`)
    return [...deciding, ...waiting, ...gathering].map((what) => `node ${node} still ${what}`)
  }

  /** Resolves when nobody waits for the region, and it for nobody. Throws `timeout`, `aborted`. */
  async whenOver(region: HomedRegion, options: WaitOptions): Promise<void> {
    const { clock } = this.#environment
    const wait = waitFrom(clock, options)
    while (this.isUnderWay(region)) {
      const soon = new Promise<void>((resolve) => clock.after(lookMs, resolve))
      await within(clock, 'releasing several locks together', wait(), soon)
    }
  }

  /** Regions of that log are not served here any more. */
  close(log: RegionLog): void {
    for (const [key, gathering] of this.#gatherings) {
      if (!gathering.isIn(log)) continue
      gathering.close()
      this.#gatherings.delete(key)
    }
    closeAll(this.#deciding, log)
    closeAll(this.#participating, log)
  }

  /** Nothing is said or asked any more. */
  stop(): void {
    for (const each of this.#gatherings.values()) each.close()
    for (const each of this.#deciding.values()) each.close()
    for (const each of this.#participating.values()) each.close()
  }

  // ---- other homes -------------------------------------------------------------------------------------------------

  /** For the region, which is homed here. Throws `timeout`. */
  async serve(region: HomedRegion, call: TransactionCall, wait: WaitOptions): Promise<TransactionResult> {
    return call.op === 'vote' ? this.#onVote(region, call) : this.#onConclusion(region, call, wait)
  }

  #onVote(
    region: HomedRegion,
    { id, by, vote }: Extract<TransactionCall, { op: 'vote' }>,
  ): TransactionResult {
    let deciding = this.#deciding.get(keyOf(id, region.descriptor.address))
    if (deciding === undefined && this.#deciding.size < transactionsMax) {
      deciding = this.#newDeciding(region, id)
      deciding.start()
    }
    deciding?.step({ kind: 'vote', by, vote })
    return { op: 'vote', outcome: deciding?.outcome ?? 'open' }
  }

  async #onConclusion(
    region: HomedRegion,
    { id, outcome }: Extract<TransactionCall, { op: 'conclude' }>,
    wait: WaitOptions,
  ): Promise<TransactionResult> {
    const participating = this.#participating.get(keyOf(id, region.descriptor.address))
    if (participating !== undefined) {
      participating.step({ kind: 'outcome', outcome })
      await within(this.#environment.clock, 'conclude', wait, participating.whenOver())
    }
    return { op: 'conclude' }
  }

  // ---- parts -------------------------------------------------------------------------------------------------------

  #isAllHere({ regions }: TransactionTag, log: RegionLog): boolean {
    return regions.every(({ address, generation }) => {
      const region = this.#environment.find(address)
      return region?.log === log && region.descriptor.generation === generation
    })
  }

  #gather(key: Key, part: TransactionPart, tag: TransactionTag, count: number): void {
    let gathering = this.#gatherings.get(key)
    if (gathering === undefined) {
      if (this.#gatherings.size + this.#participating.size >= transactionsMax) {
        part.done(new KhazanaError('busy', 'too many releases of several contexts are under way: try again'))
        return
      }
      const { clock } = this.#environment
      const whole = (parts: readonly TransactionPart[]): void => {
        this.#gatherings.delete(key)
        if (key === wholeKey(tag.id)) this.#commitHere(parts)
        else this.#begin(part.region, parts, tag)
      }
      const failed = (): void => {
        this.#gatherings.delete(key)
        if (key !== wholeKey(tag.id)) this.#giveUp(part.region, tag)
      }
      gathering = new Gathering({ count, clock, whole, failed })
      this.#gatherings.set(key, gathering)
    }
    gathering.add(part)
  }

  #commitHere(parts: readonly TransactionPart[]): void {
    const changes = parts.map(({ region, pages }) => ({ place: region.place, change: { pages } }))
    parts[0]?.region.log.submitAll(changes, (failure) => {
      for (const { done } of parts) done(failure)
    })
  }

  /** All that was written in the region is here. */
  #begin(region: HomedRegion, parts: readonly TransactionPart[], tag: TransactionTag): void {
    const { id, regions } = tag
    const { address } = region.descriptor
    const [first] = regions
    if (first === undefined || first.address === address) {
      const known = this.#deciding.get(keyOf(id, address))
      if (known === undefined && this.#deciding.size >= transactionsMax) {
        const error = new KhazanaError(
          'busy',
          'too many releases of several contexts are under way: try again',
        )
        for (const { done } of parts) done(error)
        return
      }
      const deciding = known ?? this.#newDeciding(region, id)
      if (known === undefined) deciding.start()
      deciding.own(parts, tag)
      return
    }
    const decider = { address: first.address, generation: first.generation }
    this.#newParticipating(region, { id, decider, parts, note: undefined }).begin()
  }

  /** Not all that was written in the region will be here: whoever decides need not wait. */
  #giveUp(region: HomedRegion, { id, regions }: TransactionTag): void {
    const [first] = regions
    if (first === undefined) return
    const { address, generation } = first
    const by = region.descriptor.address
    const call = { op: 'vote', address, generation, id, by, vote: 'not' } as const
    // Where it does not hear, its time ends.
    this.#environment.call(call, {}).catch(() => undefined)
  }

  #newDeciding(region: HomedRegion, id: TransactionId): Deciding {
    const key = keyOf(id, region.descriptor.address)
    const deciding: Deciding = new Deciding(this.#environment, region, id, () => {
      if (this.#deciding.get(key) === deciding) this.#deciding.delete(key)
    })
    this.#deciding.set(key, deciding)
    return deciding
  }

  #newParticipating(
    region: HomedRegion,
    what: ConstructorParameters<typeof Participating>[2],
  ): Participating {
    const key = keyOf(what.id, region.descriptor.address)
    const participating: Participating = new Participating(this.#environment, region, what, () => {
      if (this.#participating.get(key) === participating) this.#participating.delete(key)
    })
    this.#participating.set(key, participating)
    return participating
  }
}

function closeAll(all: Map<Key, { readonly log: RegionLog; close(): void }>, log: RegionLog): void {
  for (const [key, each] of all) {
    if (each.log !== log) continue
    each.close()
    all.delete(key)
  }
}

function wholeKey(id: TransactionId): Key {
  return id.toString(16)
}

function keyOf(id: TransactionId, region: Address): Key {
  return `${id.toString(16)}/${region.toString(16)}`
}

function partsOf({ regions }: TransactionTag): number {
  return regions.reduce((sum, { parts }) => sum + parts, 0)
}

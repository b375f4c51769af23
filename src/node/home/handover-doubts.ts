import type { Address } from '../../address/address.js'
import type { Clock } from '../../io/clock.js'
import { withResolvers } from '../../io/deadline.js'
import type { Resolvers } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { formatAddress } from '../../address/address.js'
import type { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { HandoverMark } from '../../wire/group-message.js'
import { pause } from '../pause.js'
import type { RegionMessage } from '../region-message.js'
import { backoffMs } from '../session/backoff.js'
import type { HandoverDecision } from './handover-decision.js'
import type { HomeGroup } from './home-group.js'
import type { RegionKeeping } from './homed-region.js'
import type { OwnRecords } from './region-log.js'
import type { RegionRecord } from './region-record.js'

export interface HandoverDoubtsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Decides that the region stays, unless it is decided. As `HandoverRegister.decide`. */
  readonly decide: (attempt: string, isWanted: () => boolean) => Promise<HandoverDecision | undefined>
  /** Whether the log is this node's to write: of a home group, in this very reign of it. */
  readonly isOpen: (group: HomeGroup | undefined) => boolean
  /** Records of this node alone that go with what makes the region one of that log. */
  readonly ownRecords: (record: RegionRecord, group: HomeGroup | undefined) => OwnRecords
  /** It is this node's to serve, as is durable. */
  readonly arrived: (record: RegionRecord, kept: RegionKeeping) => void
  /** It is decided, however. */
  readonly settled: (region: Address) => void
}

interface Doubt {
  readonly record: RegionRecord
  readonly mark: HandoverMark
  readonly kept: RegionKeeping
  readonly settled: Resolvers<void>
}

/**
 * Regions that a log of this node has with a mark, after a restart or a takeover: whether they are served from there is to be found out
 * (docs/adr/0024-change-of-replicas.md). Nobody who could still be about to hand them over is heard once it is decided that they stay.
 */
export class HandoverDoubts {
  readonly #options: HandoverDoubtsOptions
  readonly #doubts = new Set<Doubt>()
  readonly #closing = sharedAbortController()

  constructor(options: HandoverDoubtsOptions) {
    this.#options = options
  }

  /** Of what is kept at this node alone: resolved by `start`. */
  add(record: RegionRecord, mark: HandoverMark, kept: RegionKeeping): void {
    this.#doubts.add({ record, mark, kept, settled: withResolvers<void>() })
  }

  /** Goes on with what a restart has interrupted. */
  start(): void {
    for (const doubt of this.#doubts) if (doubt.kept.group === undefined) void this.#resolve(doubt)
  }

  /** The same at once: of a group that this node leads from now on, or of what was given up here. */
  resolve(record: RegionRecord, mark: HandoverMark, kept: RegionKeeping): void {
    const doubt = { record, mark, kept, settled: withResolvers<void>() }
    this.#doubts.add(doubt)
    void this.#resolve(doubt)
  }

  /** Whoever leads the group next finds out. */
  closeGroup(name: string): void {
    for (const doubt of [...this.#doubts]) if (doubt.kept.group?.name === name) this.#end(doubt)
  }

  close(error: KhazanaError): void {
    this.#closing.abort(error)
  }

  /** Of this node alone. */
  *records(): Generator<RegionRecord> {
    for (const { record, kept } of this.#doubts) if (kept.group === undefined) yield record
  }

  /** Whether the log of this node alone has something of a region that begins there. */
  hasLeftover(address: Address): boolean {
    for (const { descriptor } of this.records()) if (descriptor.address === address) return true
    return false
  }

  /** Resolves when it is known whether the region that has the address is served here; undefined where there is no doubt. */
  settled(address: Address): Promise<void> | undefined {
    for (const { record, settled } of this.#doubts) {
      const { address: start, size } = record.descriptor
      if (address >= start && address < start + BigInt(size)) return settled.promise
    }
    return undefined
  }

  /** Whether the message is for the home that this node may be. */
  isFor({ region, generation }: Pick<RegionMessage, 'region' | 'generation'>): boolean {
    for (const { record } of this.#doubts) {
      const { descriptor } = record
      if (descriptor.address === region && descriptor.generation === generation) return true
    }
    return false
  }

  #end(doubt: Doubt): void {
    if (!this.#doubts.delete(doubt)) return
    doubt.settled.resolve()
    this.#options.settled(doubt.record.descriptor.address)
  }

  /** Never rejects. */
  async #resolve(doubt: Doubt): Promise<void> {
    const { clock, random, decide, logger } = this.#options
    const { mark, record } = doubt
    const { signal } = this.#closing
    const isWanted = (): boolean => !signal.aborted && this.#doubts.has(doubt)
    const decision = await decide(mark.attempt, isWanted)
    if (decision === undefined) return
    const isHere = (decision === 'go') === (mark.side === 'to')
    logger.log('info', 'a change of replicas that was interrupted is settled', {
      region: formatAddress(record.descriptor.address),
      group: doubt.kept.group?.name ?? 'none',
      here: isHere ? 'yes' : 'no',
    })
    for (let round = 1; isWanted(); round++) {
      if (!this.#isThere(doubt) || (await this.#settle(doubt, isHere))) this.#end(doubt)
      else await pause(clock, backoffMs(round, random), signal)
    }
  }

  /** Another region may have its address by now. */
  #isThere({ record, mark, kept }: Doubt): boolean {
    const { group } = kept
    if (!this.#options.isOpen(group)) return false
    if (group === undefined) return true
    return group.recordOf(record.descriptor.address)?.handover?.attempt === mark.attempt
  }

  /** False where it is to be tried again. */
  #settle({ record, kept }: Doubt, isHere: boolean): Promise<boolean> {
    const { ownRecords, arrived } = this.#options
    const { group, log, space } = kept
    const place = { address: record.descriptor.address, space }
    const after = { ...record, handover: undefined }
    const change = isHere
      ? { record: after, own: () => ownRecords(after, group) }
      : { record: 'ended' as const }
    return new Promise((resolve) => {
      log.submit(place, change, (failure) => {
        // In this turn: the group may be led by another in the next.
        if (failure === undefined && isHere) arrived(after, kept)
        resolve(failure === undefined)
      })
    })
  }
}

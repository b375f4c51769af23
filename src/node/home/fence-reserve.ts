import type { Address } from '../../address/address.js'
import { fenceCountMax } from '../../address/fence.js'
import type { FenceMark } from '../../address/fence.js'
import type { MetadataPut } from '../../store/store.js'
import type { KhazanaError } from '../../stdx/errors.js'
import { addressKey, decodeRecord, encodeRecord } from './stored-descriptor.js'

/** Counts that each start of the node may give in each era of each region without writing anything: 2^19 starts have some. */
const startCounts = 2 ** 24
/** How far a root replica may count beyond what it says that it has. */
const blockCounts = 2 ** 20

const recordFormat = 1

interface StoredFences {
  readonly format: number
  readonly generation: number
  readonly era: number
  /** The start of the node in which it was written. */
  readonly incarnation: number
  /** No count above this was given in that start. */
  readonly limit: number
}

export interface FenceReserveOptions {
  readonly address: Address
  readonly generation: number
  /** Counts the starts of the node. */
  readonly incarnation: number
  /** What was written last, in whatever era. */
  readonly stored: Uint8Array | undefined
  /** Makes it durable, then calls `done`, or with the error. */
  readonly write: (put: MetadataPut, done: (failure: KhazanaError | undefined) => void) => void
}

/** The key of the one record of a region here: it means nothing in another era, or for another region at the address. */
export function fencesKey(address: Address): string {
  return addressKey('fences/', address)
}

/**
 * Which fences the root replica of a region may give, so that after a crash the next one begins above them. Every start of the node
 * has counts of its own in an era, by its number, so that mostly nothing is ever written. A region that uses half of them up has as many more
 * set aside for this start, which is durable before they are given; those of later starts are then that much higher.
 */
export class FenceReserve {
  readonly #options: FenceReserveOptions
  #era: number | undefined
  /** Counts up to this were given to a root replica. */
  #given = 0
  /** Counts up to this may be, in this start. */
  #durable = 0
  #isWriting = false

  constructor(options: FenceReserveOptions) {
    this.#options = options
  }

  /** For a root replica that begins in the era: counts of its own. Throws `bad-format`. */
  begin(era: number): FenceMark {
    if (era !== this.#era) this.#enter(era)
    const used = this.#given
    return { used, limit: this.limitFor(used) }
  }

  /** How far the newest root replica may count, which has counted up to `used`. */
  limitFor(used: number): number {
    this.#given = Math.max(this.#given, Math.min(this.#durable, used + blockCounts))
    if (this.#durable - this.#given <= startCounts / 2) this.#setAside()
    return this.#given
  }

  #enter(era: number): void {
    const { address, generation, incarnation, stored } = this.#options
    const record =
      stored && (decodeRecord(fencesKey(address), stored, recordFormat) as unknown as StoredFences)
    const isOurs = record?.generation === generation && record.era === era
    const [limit, start] = isOurs ? [record.limit, record.incarnation] : [0, 0]
    this.#era = era
    this.#given = Math.min(fenceCountMax, limit + Math.max(0, incarnation - start - 1) * startCounts)
    this.#durable = incarnation > start ? Math.min(fenceCountMax, this.#given + startCounts) : this.#given
  }

  #setAside(): void {
    const { address, generation, incarnation, write } = this.#options
    const era = this.#era
    const limit = Math.min(fenceCountMax, this.#durable + startCounts)
    if (this.#isWriting || limit === this.#durable || era === undefined) return
    this.#isWriting = true
    const record: StoredFences = { format: recordFormat, generation, era, incarnation, limit }
    write({ key: fencesKey(address), value: encodeRecord(record) }, (failure) => {
      this.#isWriting = false
      // Where it failed it is tried again, when more is asked for.
      if (failure === undefined && era === this.#era) this.#durable = limit
    })
  }
}

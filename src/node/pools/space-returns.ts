import { addressFrom, parseAddress, formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { Store } from '../../store/store.js'

const keyPrefix = 'return/'
/** Until the next attempt, at first and at most. */
const retryMsMin = 250
const retryMsMax = 60_000
/** Returned at a time. */
const widthMax = 8

interface Return {
  readonly address: Address
  readonly generation: number
}

export interface SpaceReturnsOptions {
  readonly store: Pick<Store, 'list' | 'commit'>
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Tells the node whose pool the address is part of; resolves when that has taken it back, or knows nothing of it any more.
   * Throws where it cannot be found, or does not answer.
   */
  readonly giveBack: (address: Address, generation: number) => Promise<void>
}

/**
 * Address space of regions that were unreserved here and is another node's to reserve again: that node is told, again and again
 * until it has heard, across restarts of this one (paper 3.5, P5). Until then nobody reserves it, which is no harm.
 */
export class SpaceReturns {
  readonly #options: SpaceReturnsOptions
  readonly #open = new Map<Address, Return>()
  #isAtWork = false
  #retry: Timer | undefined
  #retryMs = retryMsMin
  #isStopped = false

  constructor(options: SpaceReturnsOptions) {
    this.#options = options
  }

  /** Reads what is to be returned. Throws `bad-format`. */
  load(): void {
    for (const [key, value] of this.#options.store.list(keyPrefix)) {
      const address = parseAddress(key.slice(keyPrefix.length))
      const generation = Number(new TextDecoder().decode(value))
      if (!Number.isSafeInteger(generation)) {
        throw new KhazanaError('bad-format', `record ${key} cannot be read`)
      }
      this.#open.set(address, { address, generation })
    }
  }

  start(): void {
    void this.#work()
  }

  stop(): void {
    this.#isStopped = true
    this.#retry?.cancel()
  }

  /** Whether the region was unreserved here, which its address's node may not know yet. */
  has(address: Address): boolean {
    return this.#open.has(address)
  }

  get count(): number {
    return this.#open.size
  }

  /** What makes the intent durable: to be part of the commit that ends the region. */
  intent(address: Address, generation: number): MetadataPut {
    return { key: keyOf(address), value: new TextEncoder().encode(String(generation)) }
  }

  /** The region has ended, and the intent is durable. */
  begin(address: Address, generation: number): void {
    this.#open.set(address, { address, generation })
    void this.#work()
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    if (this.#isAtWork || this.#isStopped || this.#retry !== undefined || this.#open.size === 0) return
    this.#isAtWork = true
    const tried = [...this.#open.values()]
    let next = 0
    /** Whether none failed. */
    const oneAfterTheOther = async (): Promise<boolean> => {
      let isDone = true
      for (let one = tried[next++]; one !== undefined && !this.#isStopped; one = tried[next++]) {
        if (!(await this.#try(one))) isDone = false
      }
      return isDone
    }
    const outcomes = await Promise.all(Array.from({ length: widthMax }, oneAfterTheOther))
    this.#isAtWork = false
    if (outcomes.includes(false)) this.#tryLater()
    else {
      this.#retryMs = retryMsMin
      void this.#work()
    }
  }

  #tryLater(): void {
    if (this.#isStopped) return
    this.#retry = this.#options.clock.after(this.#retryMs, () => {
      this.#retry = undefined
      void this.#work()
    })
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2)
  }

  async #try({ address, generation }: Return): Promise<boolean> {
    const { giveBack, store, logger } = this.#options
    try {
      await giveBack(address, generation)
      await store.commit({ deletes: [keyOf(address)] })
      this.#open.delete(address)
      return true
    } catch (reason) {
      const { code, message, stack } = KhazanaError.from(reason)
      if (code !== 'closed') {
        logger.log('info', 'address space could not be returned yet', {
          address: formatAddress(address),
          code,
          reason: code === 'internal' ? stack : message,
        })
      }
      return false
    }
  }
}

function keyOf(address: Address): string {
  return keyPrefix + formatAddress(addressFrom(address))
}

/** The node that said it has a region whose address space it was asked to take back: it is not the one. */
export function notInMyPools(node: NodeId): KhazanaError {
  return new KhazanaError('unsupported', `the address is in no pool of node ${node}`)
}

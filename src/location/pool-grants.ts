import type { Address } from '../address/address.js'
import type { NodeId } from '../address/identity.js'
import { KhazanaError } from '../stdx/errors.js'
import type { PoolEntry } from '../wire/message.js'
import { sliceOf } from './address-slice.js'
import { OrderedRanges } from './ordered-ranges.js'

/** What a node gets at least when it asks for address space (paper 3.1). */
export const poolBytesMin = 1n << 30n

/** What this node has granted as cluster manager: all of it, for ever. It grows upwards, so that nothing is given twice. */
export class PoolGrants {
  readonly #self: NodeId
  readonly #entries = new OrderedRanges<PoolEntry>()

  constructor(self: NodeId) {
    this.#self = self
  }

  /**
   * The next grant for the node, with room for `size` bytes; it counts once `add` has been told, which must be after it is
   * durable. Throws `no-space`.
   */
  next(node: NodeId, size: bigint): PoolEntry {
    const slice = sliceOf(this.#self)
    const last = this.#entries.last()
    const start = last === undefined ? slice.start : last.start + last.size
    const units = (size + poolBytesMin - 1n) / poolBytesMin
    const bytes = (units === 0n ? 1n : units) * poolBytesMin
    if (start + bytes > slice.end) {
      throw new KhazanaError('no-space', `no ${bytes} bytes of address space are left to grant at this node`)
    }
    return { start: start as Address, size: bytes, node }
  }

  add(entry: PoolEntry): void {
    this.#entries.add(entry)
  }

  find(address: Address): PoolEntry | undefined {
    return this.#entries.find(address)
  }
}

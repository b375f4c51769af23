import { readAddress, writeAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { viewOf } from './fields.js'

const slotBytes = 16

/** A page as a list of addresses, each in a slot of its own; 0 is none. A view of the page's bytes. */
export class Slots {
  readonly count: number
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#view = viewOf(bytes)
    this.count = Math.floor(bytes.length / slotBytes)
  }

  get(slot: number): Address | undefined {
    const address = readAddress(this.#view, slot * slotBytes)
    return address === 0n ? undefined : address
  }

  set(slot: number, address: Address | undefined): void {
    writeAddress(this.#view, slot * slotBytes, address ?? (0n as Address))
  }

  /** The first that is empty, from `from` on. */
  free(from = 0): number | undefined {
    for (let slot = from; slot < this.count; slot++) if (this.get(slot) === undefined) return slot
    return undefined
  }

  /** All that are not empty. */
  *all(): Generator<{ readonly slot: number; readonly address: Address }> {
    for (let slot = 0; slot < this.count; slot++) {
      const address = this.get(slot)
      if (address !== undefined) yield { slot, address }
    }
  }
}

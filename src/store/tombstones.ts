import type { Tombstone } from './log-record.js'
import { recordBytes } from './record-codec.js'

/**
 * The records that say that something is gone. Each must stay in the log while anything that it speaks of may still be
 * found there, that is, while a segment as old as itself exists: else an old record would come back to life at the next
 * open. The cleaner carries them along.
 */
export class Tombstones {
  readonly #bySlot = new Map<number, Tombstone[]>()
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  add(tombstone: Tombstone, slot: number): void {
    const there = this.#bySlot.get(slot)
    if (there === undefined) this.#bySlot.set(slot, [tombstone])
    else there.push(tombstone)
    this.#count++
    this.#bytes += recordBytes(tombstone)
  }

  in(slot: number): readonly Tombstone[] {
    return this.#bySlot.get(slot) ?? []
  }

  /**
   * Forgets those of the slot that do not satisfy `isNeeded`; the bytes of log that no longer count.
   */
  sweep(slot: number, isNeeded: (tombstone: Tombstone) => boolean): number {
    const there = this.#bySlot.get(slot)
    if (there === undefined) return 0
    const kept = there.filter(isNeeded)
    if (kept.length === there.length) return 0
    let bytes = 0
    for (const tombstone of there) bytes += recordBytes(tombstone)
    for (const tombstone of kept) bytes -= recordBytes(tombstone)
    this.#count -= there.length - kept.length
    this.#bytes -= bytes
    if (kept.length === 0) this.#bySlot.delete(slot)
    else this.#bySlot.set(slot, kept)
    return bytes
  }

  slots(): number[] {
    return [...this.#bySlot.keys()]
  }
}

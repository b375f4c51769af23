import type { ParcelId } from '../../consistency/contract.js'
import { assert, present } from '../../stdx/assert.js'

/** Bytes that a manager handles by number. Never changed once made. */
export interface Parcel {
  readonly kind: 'page' | 'patch'
  readonly bytes: Uint8Array
}

/** The parcels of one manager: those of the step that is being performed, and those that it keeps. */
export class ParcelTable {
  readonly #parcels = new Map<ParcelId, Parcel>()
  readonly #kept = new Set<ParcelId>()
  #last = 0

  /** Gives the parcel a number, for as long as the step takes unless it is kept. */
  add(parcel: Parcel): ParcelId {
    this.#last += 1
    const id = this.#last as ParcelId
    this.#parcels.set(id, parcel)
    return id
  }

  get(id: ParcelId): Parcel {
    return present(
      this.#parcels.get(id),
      'a manager speaks of parcels that it was given, and keeps those it needs',
    )
  }

  keep(id: ParcelId): void {
    assert(this.#parcels.has(id), 'a parcel is kept in the step that brings it')
    this.#kept.add(id)
  }

  forget(id: ParcelId): void {
    this.#kept.delete(id)
    this.#parcels.delete(id)
  }

  /** The step that brought these has been performed. */
  sweep(ids: readonly ParcelId[]): void {
    for (const id of ids) if (!this.#kept.has(id)) this.#parcels.delete(id)
  }

  clear(): void {
    this.#parcels.clear()
    this.#kept.clear()
  }
}

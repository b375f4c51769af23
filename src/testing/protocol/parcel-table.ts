import type { ParcelId } from '../../consistency/contract.js'
import { applyPatch } from '../../wire/patch.js'
import { demand } from './contract-violation.js'

/** What a parcel holds. */
export interface Parcel {
  readonly kind: 'page' | 'patch'
  readonly bytes: Uint8Array
}

/** The parcels that one site's driver keeps for its manager. */
export class ParcelTable {
  readonly #owner: string
  /** Of the event whose effects are being performed. */
  readonly #passing = new Map<ParcelId, Parcel>()
  readonly #kept = new Map<ParcelId, Parcel>()
  #last = 0

  /** `owner`: a site's name, for complaints. */
  constructor(owner: string) {
    this.#owner = owner
  }

  /** Kept ones. */
  get keptCount(): number {
    return this.#kept.size
  }

  /** Numbers parcels that come with an event. */
  admit(parcels: readonly Parcel[]): ParcelId[] {
    return parcels.map((parcel) => {
      const id = ++this.#last as ParcelId
      this.#passing.set(id, parcel)
      return id
    })
  }

  get(id: ParcelId): Parcel {
    const parcel = this.#passing.get(id) ?? this.#kept.get(id)
    demand(parcel !== undefined, `${this.#owner} uses parcel ${id}, which is not known, or was forgotten`)
    return parcel
  }

  keep(id: ParcelId): void {
    this.#kept.set(id, this.get(id))
  }

  forget(id: ParcelId): void {
    demand(this.#kept.delete(id), `${this.#owner} forgets parcel ${id}, which it does not keep`)
  }

  /** The effects of the event have been performed. */
  endEvent(): void {
    this.#passing.clear()
  }
}

/** A new page: `frame` as changed by the parcel. */
export function changedBy(frame: Uint8Array, parcel: Parcel): Uint8Array {
  if (parcel.kind === 'page') return parcel.bytes.slice()
  const changed = frame.slice()
  applyPatch(changed, parcel.bytes)
  return changed
}

import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { PageIndex, PageRange, Version } from '../address/page.js'

/**
 * What the old and the new home of a region say to each other while it moves (docs/adr/0016-homes-move.md). `transfer` names one
 * attempt: the old home never gives a number twice.
 */
export type TransferCall =
  /** Old to new: get ready to be the home, under this descriptor. Replaces an earlier attempt. */
  | {
      readonly op: 'adopt'
      readonly transfer: number
      readonly descriptor: RegionDescriptor
      readonly allocated: readonly PageRange[]
      readonly floor: number
    }
  /** Old to new, with the bytes of each page as payloads. Answered when they are durable. */
  | {
      readonly op: 'adopt-pages'
      readonly address: Address
      readonly transfer: number
      readonly pages: readonly TransferredPage[]
    }
  /** Old to new: it is decided, you are the home. Answered when that is durable; said again until then. */
  | ({ readonly op: 'activate' } & TransferSign)
  /** Old to new: it is decided, you are not. */
  | ({ readonly op: 'discard' } & TransferSign)
  /** New to old: what has been decided? */
  | ({ readonly op: 'transfer-state' } & TransferSign)

/** Which attempt is meant, and what the region would be after it. */
export interface TransferSign {
  readonly address: Address
  readonly generation: number
  readonly era: number
  readonly transfer: number
}

export interface TransferredPage {
  readonly page: PageIndex
  readonly version: Version
}

/** `wait`: nothing yet. */
export type TransferState = 'wait' | 'activate' | 'discard'

export type TransferResult =
  | { readonly op: 'adopt' | 'adopt-pages' | 'activate' | 'discard' }
  | { readonly op: 'transfer-state'; readonly state: TransferState }

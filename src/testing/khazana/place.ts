import type { Address } from '../../address/address.js'
import type { Cell } from './cell.js'
import type { Pledge } from './pledge.js'

/** A key, the region that holds it, and what may be relied on there. */
export interface Place {
  readonly region: Address
  readonly pageSize: number
  readonly cell: Cell
  readonly pledge: Pledge
}

import type { Brand } from '../stdx/brand.js'
import { KhazanaError } from '../stdx/errors.js'

/** What pages are grouped by on disk: one incarnation of a region, to the layer above. 0 to 2^48 - 1; never reused. */
export type SpaceId = Brand<number, 'SpaceId'>

export const spaceIdMax = 2 ** 48 - 1

export function spaceId(value: number): SpaceId {
  if (!Number.isInteger(value) || value < 0 || value > spaceIdMax) {
    throw new KhazanaError('invalid-argument', `a space is a whole number from 0 to 2^48 - 1, not ${value}`)
  }
  return value as SpaceId
}

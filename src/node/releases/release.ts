import type { Address } from '../../address/address.js'
import type { ReleaseCall } from '../../wire/message.js'

/** What is to be given back: storage of a range, or a whole region. `generation` names the reservation, so that a later region at the address is never meant. */
export type Release =
  | {
      readonly op: 'free'
      readonly address: Address
      readonly generation: number
      readonly offset: number
      readonly length: number
    }
  | { readonly op: 'unreserve'; readonly address: Address; readonly generation: number }

/** A part of a region. `generation`: 0 where whichever region begins there is meant. */
export interface RegionPart {
  readonly address: Address
  readonly generation: number
  readonly offset: number
  readonly length: number
}

/** What the call asks for, without how. */
export function releaseOf(call: ReleaseCall): Release {
  const { address, generation } = call
  if (call.op === 'unreserve') return { op: 'unreserve', address, generation }
  const { offset, length } = call
  return { op: 'free', address, generation, offset, length }
}

export function isSameRelease(a: Release, b: Release): boolean {
  if (a.op !== b.op || a.address !== b.address || a.generation !== b.generation) return false
  if (a.op !== 'free' || b.op !== 'free') return true
  return a.offset === b.offset && a.length === b.length
}

/** Whether the release would undo what is done to that part before it. */
export function concerns(release: Release, part: RegionPart): boolean {
  if (release.address !== part.address) return false
  if (part.generation !== 0 && release.generation !== part.generation) return false
  if (release.op === 'unreserve') return true
  return release.offset < part.offset + part.length && part.offset < release.offset + release.length
}

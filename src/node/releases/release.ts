import type { Address } from '../../address/address.js'
import type { ReleaseCall } from '../../wire/message.js'

/** What is to be given back: storage of a range, or a whole region. `generation` names the reservation, so that a later region at the address is never meant. */
export type Release = WithoutKeep<ReleaseCall>

/** Of each kind of call by itself. */
type WithoutKeep<C> = C extends ReleaseCall ? Omit<C, 'keep'> : never

/** A part of a region. `generation`: 0 where whichever region begins there is meant. */
export interface RegionPart {
  readonly address: Address
  readonly generation: number
  readonly offset: number
  readonly length: number
}

/** What the call asks for, without how. */
export function releaseOf(call: ReleaseCall): Release {
  const { keep: _keep, ...release } = call
  return release
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

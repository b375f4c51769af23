import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { Prng } from '../../stdx/prng.js'
import type { ReleaseState } from '../../wire/message.js'

/** A region that a program was given, from when it had it to when it asked for its end. */
export interface LoggedRegion {
  readonly address: Address
  /** Bytes. */
  readonly size: number
  /** Which of those that begin there, one after the other. */
  readonly generation: number
  readonly by: string
  isLive: boolean
  /** A program was told that its end has come, or will. */
  hasEnded: boolean
}

/** What programs were given of the address space: no byte of it to two at a time, and what they have can be found. */
export class SpaceLog {
  readonly #regions: LoggedRegion[] = []
  /** How often each was done, and successfully. */
  readonly counts = { reserved: 0, found: 0, 'found nothing': 0, unreserved: 0, pending: 0, moved: 0 }

  /** A program was given the region: why that cannot be, where it cannot. */
  reserved({ address, size, generation }: RegionDescriptor, by: string): string | undefined {
    this.counts.reserved += 1
    const end = address + BigInt(size)
    const other = this.live.find((one) => address < one.address + BigInt(one.size) && one.address < end)
    this.#regions.push({ address, size, generation, by, isLive: true, hasEnded: false })
    if (other === undefined) return undefined
    const [mine, theirs] = [formatAddress(address), formatAddress(other.address)]
    return `${by} was given ${mine}, ${size} bytes, of which ${other.by} has ${theirs}, ${other.size} bytes`
  }

  /** Its end is asked for: it may be given to another one from now on, and to its program again only by a new reserve. */
  unreserving(region: LoggedRegion): void {
    region.isLive = false
  }

  /** What a program was told of its end. */
  unreserved(region: LoggedRegion, state: ReleaseState): void {
    region.hasEnded = true
    this.counts[state === 'done' ? 'unreserved' : 'pending'] += 1
  }

  /** What must be no more when all is at rest. */
  get ended(): readonly LoggedRegion[] {
    return this.#regions.filter(({ hasEnded }) => hasEnded)
  }

  get live(): readonly LoggedRegion[] {
    return this.#regions.filter(({ isLive }) => isLive)
  }

  /** Undefined where there is none. */
  draw(random: Prng): LoggedRegion | undefined {
    const { live } = this
    return live.length === 0 ? undefined : random.pick(live)
  }
}

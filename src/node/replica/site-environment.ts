import type { SiteId } from '../../address/identity.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { PageMemory } from '../page-memory.js'
import type { Session } from '../session/session.js'

/** What all replicas of one site share. */
export interface SiteEnvironment {
  readonly clock: Clock
  readonly logger: Logger
  readonly frames: PageMemory
  readonly buffers: { take(bytes: number): Uint8Array; give(buffer: Uint8Array): void }
  /** Bytes that all locks together may hold in memory. */
  readonly lockMemory: LockMemory
  /** The live session with a peer. */
  session(peer: SiteId): Session | undefined
  /** The home says that the region is no more. */
  gone(descriptor: RegionDescriptor): void
}

/** Counts the memory that locks hold, so that they never need more than there is. */
export class LockMemory {
  readonly bytesMax: number
  #used = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get used(): number {
    return this.#used
  }

  /** False where the bytes are not to be had now. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.bytesMax) return false
    this.#used += bytes
    return true
  }

  give(bytes: number): void {
    this.#used -= bytes
  }
}

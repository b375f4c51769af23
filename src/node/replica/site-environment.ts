import type { SiteId } from '../../address/identity.js'
import type { RegionAttributes, RegionDescriptor } from '../../address/descriptor.js'
import type { ConflictTest, MergeFunction } from '../../consistency/contract.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { PageMemory } from '../page-memory.js'
import type { SessionPost } from './session-post.js'
import type { Session } from '../session/session.js'

/** What all replicas of one site share. */
export interface SiteEnvironment {
  readonly clock: Clock
  readonly logger: Logger
  readonly frames: PageMemory
  readonly buffers: { take(bytes: number): Uint8Array; give(buffer: Uint8Array): void }
  /** Bytes that all locks together may hold in memory. */
  readonly lockMemory: LockMemory
  /** To peers, in order and at their pace. */
  readonly post: SessionPost
  readonly plugins: RegisteredFunctions
  /** Whether it is a node, whose parent in a region is the region's home; a client's is its node. */
  readonly isNode: boolean
  /** The live session with a peer. */
  readonly session: (peer: SiteId) => Session | undefined
  /** The same, where rights may be had by it. */
  readonly parentSession: (peer: SiteId) => Session | undefined
  /** A session with the peer would be of use, and there is none. */
  want(peer: SiteId): void
  /** Whether a token could be handed straight to another node now. */
  canReach(sibling: SiteId): boolean
  /** The home says that the region is no more. */
  gone(descriptor: RegionDescriptor): void
}

/** What applications have registered. Undefined where the region names none; both throw `unsupported`. */
export interface RegisteredFunctions {
  conflictTestOf(attributes: RegionAttributes): ConflictTest | undefined
  mergeFunctionOf(attributes: RegionAttributes): MergeFunction | undefined
}

/** Counts the memory that locks hold, so that they never need more than there is. */
export class LockMemory {
  /** May be lowered below what is used: then there is nothing to be had until enough locks have ended. */
  bytesMax: number
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

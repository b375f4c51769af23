import type { PluginOptions } from '../consistency/plugins.js'
import type { StoreAccess } from '../coordinator/request.js'
import type { ClusterId } from '../address/identity.js'
import type { GroupBug } from '../membership/home-group/group-bug.js'
import type { Endpoint } from '../io/network.js'
import type { KhazanaError } from '../stdx/errors.js'
import type { StoreLimits } from '../store/store.js'
import type { World } from '../io/world.js'
import type { MendBug } from './group/mend-bug.js'
import type { HandoverBug } from './home/handover-bug.js'
import type { MoveBug } from './home/move-bug.js'
import type { TransactionBug } from './transaction/transaction-bug.js'
import type { SpaceBug } from './pools/space-bug.js'
import type { ReleaseBug } from './releases/release-bug.js'

export interface NodeOptions extends PluginOptions {
  readonly world: World
  /** The node's directory: made where it is missing. */
  readonly directory: string
  /** For people; `node-<id>` unless told. */
  readonly name?: string
  /** Where to accept nodes and clients over TCP; nowhere unless told. Port 0: any, and the same one ever after. */
  readonly listen?: Endpoint
  /** Where to accept clients of this machine; nowhere unless told. */
  readonly socketPath?: string
  /** Gives the start up with `aborted`, where it still waits for a node to join. */
  readonly signal?: AbortSignal
  /** Any node of the cluster to join; a new directory founds a cluster unless told. */
  readonly join?: Endpoint
  /** Bytes of RAM for page frames; 256 MiB unless told. */
  readonly memoryBytesMax?: number
  /** Bytes on disk; 8 GiB unless told. */
  readonly diskBytesMax?: number
  /** Bounds of the store beside `diskBytesMax`; for small disks, and tests. */
  readonly storeLimits?: Omit<StoreLimits, 'diskBytesMax'>
  /** How long a silent peer keeps its rights. Milliseconds; 3,000 unless told. */
  readonly leaseMs?: number
  /** How long a session with another node must have been of no use to be let go. Milliseconds; 60,000 unless told. */
  readonly sessionIdleMs?: number
  /**
   * Moves regions that are homed here to the nodes that use them most, by far, and for some time: see docs/operations.md. Not done
   * unless told.
   */
  readonly autoMigrate?: boolean
  /**
   * Bytes of pages in a second, at least 1 MiB, that nodes are sent at most which are to be members of home groups that this node leads; 64 MiB
   * unless told.
   */
  readonly restoreBytesPerSecond?: number
  /**
   * How long after one round of it the next begins of reading all pages on the disk, so that damage is found before it does harm. Milliseconds from 100 to 2^31 - 1, or 0:
   * never; a day unless told.
   */
  readonly scrubEveryMs?: number
  /**
   * The way to an external coordinator for the cluster, the node's own to close; without one the founder of the cluster keeps it. The same at all nodes,
   * from the founding of the cluster on.
   */
  readonly coordinator?: (cluster: ClusterId) => StoreAccess
  /** A fault of home groups, to see that it is found. Never set outside tests. */
  readonly groupBug?: GroupBug | undefined
  /** Listen in the open without TLS. */
  readonly insecure?: boolean
  /** The disk has failed for good: nothing can be written any more, and the node should be closed. May come repeatedly. */
  readonly storageFailed?: (error: KhazanaError) => void
  /** The node has left its cluster, and closes. */
  readonly left?: () => void
  /** Start on a damaged log with what is intact of it. */
  readonly acceptDamage?: boolean
  /** A fault in how homes move, to see that it is found: for tests of tests. */
  readonly moveBug?: MoveBug | undefined
  /** A fault of how several contexts are released together, to see that it is found. */
  readonly transactionBug?: TransactionBug | undefined
  readonly spaceBug?: SpaceBug | undefined
  readonly mendBug?: MendBug | undefined
  readonly handoverBug?: HandoverBug | undefined
  readonly releaseBug?: ReleaseBug | undefined
}

export const memoryBytesDefault = 256 * 1024 * 1024
export const memoryBytesMin = 4 * 1024 * 1024
export const diskBytesDefault = 8 * 1024 * 1024 * 1024
export const leaseMsDefault = 3000
export const sessionIdleMsDefault = 60_000
export const restoreBytesPerSecondDefault = 64 * 1024 * 1024
export const restoreBytesPerSecondMin = 1024 * 1024
export const scrubEveryMsDefault = 24 * 60 * 60 * 1000
export const scrubEveryMsMin = 100
export const scrubEveryMsMax = 2 ** 31 - 1

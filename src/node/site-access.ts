import type { RegionDescriptor } from '../address/descriptor.js'
import type { NodeId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import type { Call, Result } from '../wire/message.js'
import type { WaitOptions } from '../io/deadline.js'
import type { Random } from '../io/random.js'
import type { ReplicaSet } from './replica-set.js'
import type { Replica } from './replica/replica.js'
import type { Watched } from './watch/own-watches.js'
import type { Watch, WatchOptions } from './watch/watch.js'

/** What the public API stands on: a node in this process, or a connection to one. The same to its users. */
export interface SiteAccess {
  /** `node`: this process is one. `client`: it is connected to one. */
  readonly kind: 'node' | 'client'
  /** Carries the operation out, wherever it must be. Throws its errors, `timeout`, `aborted`, `unreachable`, `closed`. */
  call(call: Call, options: WaitOptions): Promise<Result>
  /** The node that this process is, or is connected to. */
  readonly node: NodeId
  /** To look whether there is a replica already. */
  readonly replicas: Pick<ReplicaSet, 'get'>
  /** This site's replica of the region. */
  replica(descriptor: RegionDescriptor): Replica
  /** The changes of a range, from the moment on in which this resolves. Throws as `call` does, and `busy`. */
  watch(watched: Watched, options: WatchOptions): Promise<Watch>
  readonly clock: Clock
  readonly random: Random
  /** Resolves after so many milliseconds. */
  pause(ms: number): Promise<void>
  /** Ends all that is open here. Idempotent. */
  close(): Promise<void>
}

import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Logger } from '../io/logger.js'
import type { KhazanaError } from '../stdx/errors.js'
import type { RegionMessage } from './region-message.js'
import type { RegionSwitches } from './region-switches.js'
import type { Relay } from './relay.js'
import type { RelayedClients } from './relayed-clients.js'
import type { Replica } from './replica/replica.js'
import type { ReplicaRole } from './replica/role.js'
import type { SessionPost } from './replica/session-post.js'

/** What is known of regions at a site, and how more comes to be known. */
export interface RegionKnowledge {
  /** What this node knows of the region, homed here or elsewhere. */
  readonly describe: (region: Address) => RegionDescriptor | undefined
  /** A newer descriptor than the one this site has. */
  readonly learned: (descriptor: RegionDescriptor) => void
  /**
   * Makes the replica for a region that a peer speaks of and this site has none of yet. Undefined where nothing is known of
   * it; throws `unsupported` where what it names is not registered here.
   */
  readonly find: (region: Address) => Replica | undefined
  /**
   * Learns of a region that a client speaks of and this site knows nothing of, or not the newest, so that `find` then knows.
   * Rejects where it cannot be learned.
   */
  readonly learn: (region: Address) => Promise<RegionDescriptor>
  /** Whether the message is for the home that this site may become: it waits until that is decided. */
  readonly isAwaited: (message: RegionMessage) => boolean
  /** Whether it is still to be decided whether this site becomes the region's home. */
  readonly mayArrive: (region: Address) => boolean
  /** Whether this node keeps a copy of the region for a home group, under that reservation, and is not its home at the moment. */
  readonly isBacked?: (region: Address, generation: number) => boolean
  /** Whether the address is this node's to give. Where it is not, a region may have gone from here to where nobody here knows of. */
  readonly hasSpace?: (region: Address) => boolean
  /** Whoever was taken for the region's home says that it is not: it is to be looked for. */
  readonly unserved?: (home: NodeId) => void
  /** A message of the site's manager has come to the region's home, which this site is. */
  readonly served?: (descriptor: RegionDescriptor, site: SiteId) => void
}

export interface RegionRouterOptions extends RegionKnowledge {
  /** Undefined for a client. */
  readonly self: NodeId | undefined
  readonly logger: Logger
  readonly post: SessionPost
  readonly relay: Relay
  readonly relayed: RelayedClients
  readonly switches: RegionSwitches
  /** The replicas of this site. */
  readonly regions: {
    get(region: Address): Replica | undefined
    open(descriptor: RegionDescriptor, role: ReplicaRole): Replica
    close(replica: Replica, error: KhazanaError): void
    /** The home says that there is no such region. */
    gone(descriptor: RegionDescriptor): void
  }
}

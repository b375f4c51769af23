import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { isNode } from '../../address/identity.js'
import type { SiteId } from '../../address/identity.js'
import type { Checksum } from '../../io/storage.js'
import type { ReplicaSet } from '../../node/replica-set.js'
import type { Replica } from '../../node/replica/replica.js'
import type { PageBelief, RegionBelief, Right, SiteSnapshot } from '../directory-agreement.js'

/** A live site, as the checker looks into it. */
export interface WatchedSite {
  readonly name: string
  readonly replicas: ReplicaSet
  /** For a client: the name of the node through which it reaches all others. */
  readonly gateway?: string
  /** Undefined for a client. */
  readonly incarnation: number | undefined
  /** Whether rights from before this site's last crash may still be in use. */
  readonly isInGrace: () => boolean
}

/**
 * What all live sites believe of their `crew` regions at this instant. Left out is what is at rest under an earlier era than the one that
 * the home has begun, whose rights are void. So is a region whose home is down or waits for the leases of its
 * earlier life: what is believed of it then is void, but its holders need not have heard so yet. No write can become
 * part of such a region, and reads of it still see what is durable.
 */
export function snapshotsOf(sites: readonly WatchedSite[], checksum: Checksum): SiteSnapshot[] {
  const homes = new Map<string, WatchedSite>()
  for (const site of sites)
    if (site.incarnation !== undefined && !site.isInGrace()) homes.set(site.name, site)
  const eras = erasOf(sites)
  return sites.map((site) => ({
    site: site.name,
    leaseValid: true,
    regions: regionsOf(site, homes, eras, checksum),
  }))
}

/** The newest era of each region that a home has begun, as far as any site has heard: the home may be one that is just starting. */
function erasOf(sites: readonly WatchedSite[]): ReadonlyMap<Address, number> {
  const eras = new Map<Address, number>()
  for (const { replicas } of sites) {
    for (const { descriptor } of replicas.all()) {
      const { address, era } = descriptor
      eras.set(address, Math.max(era, eras.get(address) ?? 0))
    }
  }
  return eras
}

function regionsOf(
  site: WatchedSite,
  homes: ReadonlyMap<string, WatchedSite>,
  eras: ReadonlyMap<Address, number>,
  checksum: Checksum,
): Map<string, RegionBelief> {
  const regions = new Map<string, RegionBelief>()
  for (const replica of site.replicas.all()) {
    const { address, home, era } = replica.descriptor
    if (replica.isQuiet && era < (eras.get(address) ?? 0)) continue
    // Only there is a right known to all above it.
    if (!isCrew(replica)) continue
    // A site without a valid lease can use nothing: it has no say.
    if (!homes.has(`node-${home}`) || !replica.isValid()) continue
    const { role } = replica
    const parent = role.kind === 'home' ? undefined : nameOf(site, role.parent)
    const pages = new Map<number, PageBelief>()
    for (const page of replica.pages()) pages.set(page, beliefOf(site, replica, page, checksum))
    regions.set(formatAddress(address), { parent, pages })
  }
  return regions
}

function isCrew({ descriptor: { attributes } }: Replica): boolean {
  return attributes.protocol === 'crew' && attributes.conflicts === ''
}

function beliefOf(
  site: WatchedSite,
  replica: Replica,
  page: Parameters<Replica['inspect']>[0],
  checksum: Checksum,
): PageBelief {
  const view = replica.inspect(page)
  const children = new Map<string, Right>()
  for (const [child, right] of view.children) children.set(nameOf(site, child), right)
  const bytes = view.unsettled || view.right === 'none' ? undefined : replica.frameBytes(page)
  const isNewest = replica.role.kind === 'copy' || ![...view.children.values()].includes('exclusive')
  const digest = bytes === undefined || !isNewest ? undefined : checksum(bytes, 0).toString(16)
  return { right: view.right, version: view.version, digest, children }
}

/** Clients are named by themselves: the numbers that nodes give them mean nothing elsewhere. */
function nameOf(site: WatchedSite, peer: SiteId): string {
  if (isNode(peer)) return `node-${peer}`
  return site.replicas.session(peer)?.peer.name ?? `lost client ${peer} of ${site.name}`
}

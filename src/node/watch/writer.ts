import { clientSiteMin, isNode, relayOf } from '../../address/identity.js'
import type { NodeId, SiteId } from '../../address/identity.js'
import type { Writer } from './watch.js'

/** A site, as the home calls it, in words that mean the same everywhere. */
export function writerOf(site: SiteId, home: NodeId): Writer {
  if (isNode(site)) return { node: site }
  const { node, client } = relayOf(site) ?? { node: home, client: site }
  return { node, client: client - clientSiteMin }
}

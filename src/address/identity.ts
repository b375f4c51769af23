import type { Brand } from '../stdx/brand.js'
import { KhazanaError } from '../stdx/errors.js'

/** Any participant that keeps replicas: a node, or a client of a node. Unique at the site that uses the number. */
export type SiteId = Brand<number, 'SiteId'>

/** A node of the cluster: 1 (the founder) to `nodeIdMax`, given by the founder, kept for life. */
export type NodeId = SiteId & Brand<number, 'NodeId'>

export const nodeIdMax = 2 ** 20 - 1
export const founder = 1 as NodeId

/** Clients are numbered by their own node, above all nodes. The number means nothing to any other node. */
export const clientSiteMin = 2 ** 20
export const clientSiteMax = 2 ** 32 - 1

/** A client of another node, as the home of a region knows it: see `relayedSite`. */
export const siteIdMax = (nodeIdMax + 1) * 2 ** 32 - 1

/** What a home calls the client of another node that relays for it. */
export function relayedSite(node: NodeId, client: SiteId): SiteId {
  return (node * 2 ** 32 + client) as SiteId
}

/** The node that relays for the site, and what it is called there; undefined where it has a session of its own. */
export function relayOf(site: SiteId): { readonly node: NodeId; readonly client: SiteId } | undefined {
  if (site <= clientSiteMax) return undefined
  return { node: Math.floor(site / 2 ** 32) as NodeId, client: (site % 2 ** 32) as SiteId }
}

export function nodeId(value: number): NodeId {
  if (!Number.isInteger(value) || value < 1 || value > nodeIdMax) {
    throw new KhazanaError(
      'invalid-argument',
      `a node id is a whole number from 1 to ${nodeIdMax}, not ${value}`,
    )
  }
  return value as NodeId
}

export function clientSite(value: number): SiteId {
  if (!Number.isInteger(value) || value < clientSiteMin || value > clientSiteMax) {
    throw new KhazanaError('invalid-argument', `not a client's site number: ${value}`)
  }
  return value as SiteId
}

export function isNode(site: SiteId): site is NodeId {
  return site <= nodeIdMax
}

/** A cluster: 32 lower-case hexadecimal digits. */
export type ClusterId = Brand<string, 'ClusterId'>

/** Said by whoever belongs to no cluster. */
export const noCluster = '0'.repeat(32) as ClusterId

export function clusterId(text: string): ClusterId {
  if (!/^[0-9a-f]{32}$/.test(text)) {
    throw new KhazanaError(
      'invalid-argument',
      `a cluster id is 32 hexadecimal digits, not "${text.slice(0, 40)}"`,
    )
  }
  return text as ClusterId
}

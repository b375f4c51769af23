import type { Address } from '../../src/address/address.js'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Node } from '../../src/node/node.js'

/** What must hold of the nodes of a cluster together. */

/** The nodes that take themselves for the home of the region, by their numbers in the cluster. */
export function homesOf(nodes: readonly Node[], address: Address): number[] {
  return nodes.filter(({ home }) => home.find(address) !== undefined).map(({ identity }) => identity.node)
}

/** Who is in the cluster, as the node sees it. */
export function membersAt({ members }: Node): number[] {
  return members.members.map(({ node }) => node)
}

/** The region as the node knows it: a new handle. */
export function regionAt(node: Node, region: { readonly address: Address }): Promise<Region> {
  return new Khazana(node).region(region.address)
}

export async function errorOf(promise: Promise<unknown>): Promise<KhazanaError | undefined> {
  try {
    await promise
    return undefined
  } catch (reason) {
    return KhazanaError.from(reason)
  }
}

/** `no error` where there is none. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await errorOf(promise))?.code ?? 'no error'
}

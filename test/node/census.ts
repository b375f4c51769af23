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

/** Address space that two nodes take for theirs, and regions of two nodes in one place: one line each. */
export function overlaps(nodes: readonly Node[]): string[] {
  return [
    ...overlapsOf('pools', nodes, ({ pools }) => pools.all()),
    ...overlapsOf('regions', nodes, ({ home }) =>
      home.descriptors().map(({ address, size }) => ({ start: address, size: BigInt(size) })),
    ),
  ]
}

interface Range {
  readonly start: bigint
  readonly size: bigint
}

function overlapsOf(
  what: string,
  nodes: readonly Node[],
  rangesOf: (node: Node) => Iterable<Range>,
): string[] {
  const held = nodes
    .flatMap((node) =>
      [...rangesOf(node)].map(({ start, size }) => ({ node: node.name, start, end: start + size })),
    )
    .sort((a, b) => (a.start < b.start ? -1 : 1))
  return held.flatMap((one, index) => {
    const next = held[index + 1]
    if (next === undefined || next.start >= one.end) return []
    return [`${what} of ${one.node} and of ${next.node} overlap at ${next.start.toString(16)}`]
  })
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

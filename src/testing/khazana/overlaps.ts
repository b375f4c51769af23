import type { Node } from '../../node/node.js'

/** Address space that two nodes take for theirs, and regions of two nodes in one place: one line each. */
export function overlaps(nodes: readonly Node[]): string[] {
  return [
    ...overlapsOf('pools', nodes, ({ pools }) => pools.all()),
    ...overlapsOf('regions', nodes, ({ home }) =>
      home.regions.descriptors().map(({ address, size }) => ({ start: address, size: BigInt(size) })),
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

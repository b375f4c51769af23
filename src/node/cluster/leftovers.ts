import type { NodeId } from '../../address/identity.js'

/** What a node still has that others must have before it is out of its cluster. */
export interface Leftovers {
  /** Regions of programs that are homed here. */
  readonly regions: number
  /** Regions of Khazana's own that are: the maps of its address space. */
  readonly maps: number
  /** New homes that have not said that they serve what was handed over to them. */
  readonly newHomes: readonly NodeId[]
  /** Old homes that have not said whether a region is to come here. */
  readonly oldHomes: readonly NodeId[]
  /** Regions that ended here, whose addresses another node has not taken back yet. */
  readonly returns: number
  /** What programs asked this node to free or unreserve, and is not done yet. */
  readonly releases: number
  /** Of each pool of address space the node that it is promised to, which alone may have it. */
  readonly pools: readonly (NodeId | undefined)[]
  /** Who is promised the numbers for new nodes. */
  readonly idsFor: NodeId | undefined
}

/** In words, one for each kind; empty where nothing is left. */
export function leftoversText(left: Leftovers): string[] {
  const promised = left.pools.filter((heir) => heir !== undefined)
  return [
    ...some(left.regions, 'region', 'regions'),
    ...some(left.maps, 'map of its address space', 'maps of its address space'),
    ...waiting('a region that was handed over', left.newHomes),
    ...waiting('whether a region is to come here', left.oldHomes),
    ...some(left.returns, 'address of a region that ended here', 'addresses of regions that ended here'),
    ...some(left.releases, 'release that is pending', 'releases that are pending'),
    ...some(left.pools.length, 'pool of address space', 'pools of address space').map((text) =>
      promised.length === 0 ? text : `${text} (promised to ${nodes(promised)})`,
    ),
    ...(left.idsFor === undefined ? [] : [`numbers for new nodes (promised to ${nodes([left.idsFor])})`]),
  ]
}

function some(count: number, one: string, many: string): string[] {
  if (count === 0) return []
  return [count === 1 ? `1 ${one}` : `${count} ${many}`]
}

function waiting(what: string, on: readonly NodeId[]): string[] {
  return on.length === 0 ? [] : [`${what} (waits for ${nodes(on)})`]
}

function nodes(list: readonly NodeId[]): string {
  const numbers = [...new Set(list)].sort((a, b) => a - b)
  return `${numbers.length === 1 ? 'node' : 'nodes'} ${numbers.join(', ')}`
}

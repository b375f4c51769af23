import type { Address } from '../../src/address/address.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { checkMap } from '../../src/location/address-map/check-map.js'
import { findInMap } from '../../src/location/address-map/find.js'
import type { Reading } from '../../src/location/address-map/page-access.js'
import { MapRegion } from '../../src/node/map/map-region.js'
import { pagesIn } from '../../src/node/map/pool-map.js'
import { rootPagesMax } from '../../src/node/map/root-map.js'
import { rootMapAddress } from '../../src/node/map/system-regions.js'
import type { Node } from '../../src/node/node.js'
import { present } from '../../src/stdx/assert.js'
import type { ScaleRegion } from './cast.js'
import type { ScaleCluster } from './scale-cluster.js'

/** A tree of the address map. */
export interface TreeShape {
  readonly pages: number
  readonly entries: number
  /** Pages from its root to what an address leads to. */
  readonly depth: number
}

export interface MapShape {
  readonly root: TreeShape
  /** Of the map of one pool. */
  readonly pool: TreeShape
}

const wait = { timeoutMs: 10_000 }

/** The tree of the cluster, and that of the pool of a region. Throws where they are damaged, or do not have the region. */
export async function mapShape(cluster: ScaleCluster, { address, home }: ScaleRegion): Promise<MapShape> {
  const manager = present(cluster.live[0], 'the founder runs')
  const [root, subtree] = await shapeOf(manager, rootMapAddress, rootPagesMax, address)
  if (subtree.kind !== 'subtree') throw new Error(`the root of the map has no pool of node ${home}`)
  const node = cluster.node(home)
  const descriptor = homed(node, subtree.map)
  const [pool, entry] = await shapeOf(node, subtree.map, pagesIn(descriptor.size), address)
  if (entry.kind !== 'reserved') throw new Error(`the map of a pool of node ${home} lacks a region`)
  return { root, pool }
}

async function shapeOf(
  node: Node,
  map: Address,
  pagesMax: number,
  address: Address,
): Promise<[TreeShape, Result<ReturnType<typeof findInMap>>]> {
  const region = new MapRegion(() => node.replica(homed(node, map)))
  const { problems, pages, entries } = await region.read(checkMap(pagesMax), wait)
  if (problems.length > 0) throw new Error(`the map is damaged: ${problems.join('; ')}`)
  const way = counted(findInMap(address, pagesMax))
  const found = await region.read(way.reading, wait)
  return [{ pages, entries, depth: way.pages() }, found]
}

type Result<R> = R extends Reading<infer T> ? T : never

/** The reading, with the number of pages that it asks for. */
function counted<T>(reading: Reading<T>): { readonly reading: Reading<T>; readonly pages: () => number } {
  let pages = 0
  const counting = function* (): Reading<T> {
    let next = reading.next()
    while (next.done !== true) {
      pages += 1
      next = reading.next(yield next.value)
    }
    return next.value
  }
  return { reading: counting(), pages: () => pages }
}

function homed(node: Node, map: Address): RegionDescriptor {
  return present(node.home.find(map), 'the map is homed where it is looked for')
}

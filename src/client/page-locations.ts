import { isNode, relayOf } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { PageIndex } from '../address/page.js'
import type { AtHand } from '../node/replica/replica.js'
import type { PageStat, RegionStat } from '../wire/message.js'

/** Where pages of a region are, as `Region.locate` tells it. */
export interface PageLocations {
  /** The region's home, which stores all its pages, as last heard. */
  readonly home: NodeId
  /** The node that this process is, or is connected to. */
  readonly node: NodeId
  /** In order, as long as possible. Pages without storage are in none. */
  readonly runs: readonly PageRun[]
}

/** Consecutive pages of which the same is true. */
export interface PageRun {
  /** Counted from the region's start. */
  readonly first: PageIndex
  /** Pages, at least 1. */
  readonly count: number
  /** The lock on such a page that this process would be granted now by `tryLock`, without a message; `write` is `read`, too. */
  readonly atHand: AtHand
  /** The home first, then by number. */
  readonly holders: readonly PageHolder[]
}

/** A node where a page is, in its own memory or in that of its clients: the processes that are connected to it. */
export interface PageHolder {
  readonly node: NodeId
  /**
   * What the node itself has. `home`: it stores the page; where somebody has it `exclusive`, only there it is certainly the
   * newest. `none`: only clients of it have the page.
   */
  readonly right: 'home' | 'exclusive' | 'shared' | 'none'
  /**
   * How many of its clients have the page, and how. Of a node that is not the home, only where the home knows them: under
   * the protocol `crew`, what its clients have is part of what the node has.
   */
  readonly viaClients: { readonly exclusive: number; readonly shared: number }
}

/** Makes runs of what is told of one page after the other. */
export class RunBuilder {
  readonly #runs: { first: PageIndex; count: number; atHand: AtHand; holders: readonly PageHolder[] }[] = []
  /** Of the last run: what its pages have in common, as text. */
  #sign = ''

  add(
    { descriptor, pages }: Pick<RegionStat, 'descriptor' | 'pages'>,
    atHand: (page: PageIndex) => AtHand,
  ): void {
    for (const stat of pages) this.#addPage(stat, atHand(stat.page), descriptor.home)
  }

  get runs(): readonly PageRun[] {
    return this.#runs
  }

  #addPage(stat: PageStat, atHand: AtHand, home: NodeId): void {
    const sign = `${home} ${atHand} ${stat.owner ?? '-'} ${stat.sharers.join()}`
    const last = this.#runs.at(-1)
    const holders = last !== undefined && sign === this.#sign ? last.holders : holdersOf(stat, home)
    const isMore =
      last !== undefined &&
      last.first + last.count === stat.page &&
      last.atHand === atHand &&
      (last.holders === holders || areSame(last.holders, holders))
    if (isMore) last.count += 1
    else this.#runs.push({ first: stat.page, count: 1, atHand, holders })
    this.#sign = sign
  }
}

interface OpenHolder {
  readonly node: NodeId
  right: PageHolder['right']
  readonly viaClients: { exclusive: number; shared: number }
}

function holdersOf({ owner, sharers }: PageStat, home: NodeId): readonly PageHolder[] {
  const holders = new Map<NodeId, OpenHolder>()
  const at = (node: NodeId): OpenHolder => {
    let holder = holders.get(node)
    if (holder === undefined)
      holders.set(node, (holder = { node, right: 'none', viaClients: { exclusive: 0, shared: 0 } }))
    return holder
  }
  at(home).right = 'home'
  const add = (site: SiteId, right: 'exclusive' | 'shared'): void => {
    // Whoever is no node, nor the client of a named one, is a client of the home.
    if (isNode(site)) at(site).right = right
    else at(relayOf(site)?.node ?? home).viaClients[right] += 1
  }
  if (owner !== undefined) add(owner, 'exclusive')
  for (const site of sharers) add(site, 'shared')
  const rank = ({ node }: PageHolder): number => (node === home ? 0 : node)
  return [...holders.values()].sort((a, b) => rank(a) - rank(b))
}

function areSame(a: readonly PageHolder[], b: readonly PageHolder[]): boolean {
  if (a.length !== b.length) return false
  return a.every((one, index) => {
    const other = b[index]
    return (
      other?.node === one.node &&
      other.right === one.right &&
      other.viaClients.exclusive === one.viaClients.exclusive &&
      other.viaClients.shared === one.viaClients.shared
    )
  })
}

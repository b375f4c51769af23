/** A standing right to a page. */
export type Right = 'none' | 'shared' | 'exclusive'

/** What one site believes of one page. */
export interface PageBelief {
  /** What the site itself holds from its parent; the root of a region holds `exclusive`. */
  readonly right: Right
  readonly version: number
  /** Of the committed bytes it has at this version; undefined where it has none. Uncommitted bytes do not count. */
  readonly digest: string | undefined
  /** What it has handed to its children; a missing one has none. */
  readonly children: ReadonlyMap<string, Right>
}

/** What one site believes of one region. */
export interface RegionBelief {
  /** Where its rights come from: the name of a site, or undefined at the region's home. */
  readonly parent: string | undefined
  readonly pages: ReadonlyMap<number, PageBelief>
}

/** One site at one instant. */
export interface SiteSnapshot {
  /** Unlike that of any other site of the world: a client's site number alone is not. */
  readonly site: string
  /** Whether the site may use its rights, by its own clock. A home's lease on itself is always valid. */
  readonly leaseValid: boolean
  readonly regions: ReadonlyMap<string, RegionBelief>
}

/**
 * What must hold at every instant, also between faults and while messages are on the way; one line for each thing that
 * does not, empty when all does.
 *
 * - At most one site can write a page, and then no other site can read it. What a site can use is what it holds, less
 *   what it has handed on; with a lapsed lease, nothing.
 * - A parent knows of every usable right of its children; it may believe them to hold more than they do, never less.
 *   A parent that does not list the region is not asked: it is down, or waits out the leases of its earlier life.
 * - Copies of one version are the same bytes.
 */
export function disagreements(snapshots: readonly SiteSnapshot[]): readonly string[] {
  const found: string[] = []
  const sites = new Map(snapshots.map((snapshot) => [snapshot.site, snapshot]))
  for (const [where, copies] of pagesOf(snapshots)) {
    const usable = copies.filter(({ snapshot }) => snapshot.leaseValid)
    found.push(...conflicts(where, usable))
    found.push(...differentBytes(where, usable))
    for (const copy of usable) {
      const believed = parentBelief(sites, copy)
      if (believed !== undefined && rank(copy.belief.right) > rank(believed.right)) {
        found.push(
          `${where}: ${copy.snapshot.site} holds ${copy.belief.right}, its parent ${believed.parent} ` +
            `knows of ${believed.right}`,
        )
      }
    }
  }
  return found
}

/**
 * What must hold besides once nothing is on the way and all faults are healed: all leases are valid, parents and children
 * say the same of each other, no right is held by a site that is not there, and whoever holds a right has the newest
 * version.
 */
export function quiescentDisagreements(snapshots: readonly SiteSnapshot[]): readonly string[] {
  const found = [...disagreements(snapshots)]
  const sites = new Map(snapshots.map((snapshot) => [snapshot.site, snapshot]))
  for (const { site, leaseValid } of snapshots) if (!leaseValid) found.push(`${site}: its lease is not valid`)
  for (const [where, copies] of pagesOf(snapshots)) {
    const newest = Math.max(...copies.map(({ belief }) => belief.version))
    for (const copy of copies) {
      const { site } = copy.snapshot
      const { right, version, children } = copy.belief
      if (right !== 'none' && version < newest) {
        found.push(`${where}: ${site} holds ${right} of version ${version}, the newest is ${newest}`)
      }
      const believed = parentBelief(sites, copy)
      if (believed === undefined && copy.parent !== undefined && right !== 'none') {
        found.push(`${where}: ${site} holds ${right}, its parent ${copy.parent} knows nothing of the region`)
      }
      if (believed !== undefined && rank(right) < rank(believed.right)) {
        found.push(
          `${where}: ${site} holds ${right}, its parent ${believed.parent} believes ${believed.right}`,
        )
      }
      for (const [child, childRight] of children) {
        const isThere = copies.some((other) => other.snapshot.site === child)
        if (!isThere && childRight !== 'none') {
          found.push(
            `${where}: ${site} believes that ${child} holds ${childRight}, which knows nothing of the page`,
          )
        }
      }
    }
  }
  return found
}

interface Copy {
  readonly snapshot: SiteSnapshot
  readonly region: string
  readonly parent: string | undefined
  readonly page: number
  readonly belief: PageBelief
}

function pagesOf(snapshots: readonly SiteSnapshot[]): Map<string, Copy[]> {
  const pages = new Map<string, Copy[]>()
  for (const snapshot of snapshots) {
    for (const [region, { parent, pages: beliefs }] of snapshot.regions) {
      for (const [page, belief] of beliefs) {
        const where = `${region} page ${page}`
        const copies = pages.get(where)
        const copy = { snapshot, region, parent, page, belief }
        if (copies === undefined) pages.set(where, [copy])
        else copies.push(copy)
      }
    }
  }
  return pages
}

function rank(right: Right): number {
  return right === 'none' ? 0 : right === 'shared' ? 1 : 2
}

/** What the site may do itself: its right, less what its children have. */
function usableRight({ right, children }: PageBelief): Right {
  let usable = right
  for (const handed of children.values()) {
    if (handed === 'exclusive') return 'none'
    if (handed === 'shared' && usable === 'exclusive') usable = 'shared'
  }
  return usable
}

function conflicts(where: string, copies: readonly Copy[]): string[] {
  const users = copies
    .map((copy) => ({ site: copy.snapshot.site, right: usableRight(copy.belief) }))
    .filter(({ right }) => right !== 'none')
  const writer = users.find(({ right }) => right === 'exclusive')
  if (writer === undefined) return []
  return users
    .filter((user) => user !== writer)
    .map((user) => `${where}: ${writer.site} may write it while ${user.site} may ${verb(user.right)} it`)
}

function verb(right: Right): string {
  return right === 'exclusive' ? 'write' : 'read'
}

function differentBytes(where: string, copies: readonly Copy[]): string[] {
  const found: string[] = []
  const byVersion = new Map<number, { readonly site: string; readonly digest: string }>()
  for (const { snapshot, belief } of copies) {
    if (belief.digest === undefined) continue
    const known = byVersion.get(belief.version)
    if (known === undefined) byVersion.set(belief.version, { site: snapshot.site, digest: belief.digest })
    else if (known.digest !== belief.digest) {
      found.push(
        `${where}: ${known.site} and ${snapshot.site} have different bytes of version ${belief.version}`,
      )
    }
  }
  return found
}

/** What the parent believes that this copy's site holds; undefined at the home, or where the parent cannot tell. */
function parentBelief(
  sites: ReadonlyMap<string, SiteSnapshot>,
  copy: Copy,
): { readonly parent: string; readonly right: Right } | undefined {
  if (copy.parent === undefined) return undefined
  const region = sites.get(copy.parent)?.regions.get(copy.region)
  if (region === undefined) return undefined
  const belief = region.pages.get(copy.page)
  return { parent: copy.parent, right: belief?.children.get(copy.snapshot.site) ?? 'none' }
}

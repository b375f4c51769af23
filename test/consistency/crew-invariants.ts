import assert from 'node:assert/strict'
import type { PageIndex } from '../../src/address/page.js'
import type { PageView } from '../../src/consistency/contract.js'
import type { CrewNetwork } from './crew-network.js'
import { covers } from './crew-section.js'
import type { CrewSite } from './crew-site.js'

type Level = 0 | 1 | 2

const levelOf = { none: 0, shared: 1, exclusive: 2 } as const

/** What must hold at every moment, whatever is on its way and whatever was lost. Throws where it does not. */
export function checkInvariants(network: CrewNetwork, pages: readonly PageIndex[]): void {
  for (const page of pages) {
    const views = new Map(network.sites.map((site) => [site, site.manager.inspect(page)] as const))
    checkExclusion(network, page, views)
    checkSections(network, page, views)
    checkHolds(network, page, views)
    for (const [site, view] of views) checkSite(site, page, view)
    for (const { child, parent, isCarrying } of network.links) {
      const known = views.get(parent)?.children.get(child.id) ?? 'none'
      const held = views.get(child)?.right ?? 'none'
      assert(
        !isCarrying || levelOf[held] <= levelOf[known],
        `${child.name} has page ${page} ${held}, ${parent.name} knows of ${known}`,
      )
    }
  }
}

/** One site may use the page to write, or any number to read, and these have the same bytes. */
function checkExclusion(network: CrewNetwork, page: PageIndex, views: ReadonlyMap<CrewSite, PageView>): void {
  const users = [...views].flatMap(([site, view]) => {
    const level = usable(network, site, views)
    return level === 0 ? [] : [{ site, level, view }]
  })
  const writer = users.find(({ level }) => level === 2)
  const names = users
    .map(({ site, level }) => `${site.name}: ${level === 2 ? 'exclusive' : 'shared'}`)
    .join(', ')
  assert(writer === undefined || users.length === 1, `page ${page} may be used by ${names}`)
  const withBytes = users.filter(({ site }) => site.frames.has(page))
  const first = withBytes[0]
  for (const { site } of withBytes) {
    assert.equal(
      site.frames.get(page),
      first?.site.frames.get(page),
      `${site.name} and ${first?.site.name ?? ''} may both read page ${page}, and see different bytes`,
    )
  }
}

/** How far the site may use the page for itself: what it has not lent, while its lease holds. */
function usable(network: CrewNetwork, site: CrewSite, views: ReadonlyMap<CrewSite, PageView>): Level {
  const view = views.get(site)
  if (view === undefined || !site.isValid || isLeftBehind(network, site, views)) return 0
  let lent: Level = 0
  for (const [child, right] of view.children) {
    // A token on its way between siblings is listed for both; here it counts for whom it is lent to.
    const level = levelOf[right]
    if (level > lent && child !== site.id) lent = level
  }
  const own = levelOf[view.right]
  if (lent === 2) return 0
  // The home of before a crash may have let others write: until grace has ended the home only reads.
  const most: Level = lent === 1 || (site === network.home && network.isInGrace) ? 1 : 2
  return own < most ? own : most
}

/**
 * A site that goes on under a home that has since crashed, itself or through its node: it may read and write, and none
 * of that is acknowledged.
 */
function isLeftBehind(network: CrewNetwork, site: CrewSite, views: ReadonlyMap<CrewSite, PageView>): boolean {
  if (!network.isInGrace || site === network.home) return false
  const { parent, childThinksUp, parentThinksUp } = network.link(site)
  if (childThinksUp && !parentThinksUp) return true
  const [own, above] = [views.get(site), views.get(parent)]
  const isVoid = own !== undefined && above !== undefined && levelOf[own.right] > levelOf[above.right]
  return isVoid || isLeftBehind(network, parent, views)
}

/** Critical sections exclude each other. */
function checkSections(network: CrewNetwork, page: PageIndex, views: ReadonlyMap<CrewSite, PageView>): void {
  const open = network.sites.flatMap((site) => {
    if (!site.isValid || isLeftBehind(network, site, views)) return []
    return [...site.sections].filter((section) => section.state === 'open' && covers(section.range, page))
  })
  assert(
    open.length <= 1 || open.every((section) => section.mode === 'read'),
    `page ${page} is locked by ${open.map((section) => `${section.name} (${section.mode})`).join(' and ')}`,
  )
}

/** What is kept under a hold is what the site has, and nobody else may write. */
function checkHolds(network: CrewNetwork, page: PageIndex, views: ReadonlyMap<CrewSite, PageView>): void {
  for (const site of network.sites) {
    const held = site.holds.get(page)
    if (held === undefined || held.state === 'lost' || !site.isValid) continue
    if (isLeftBehind(network, site, views)) continue
    assert(usable(network, site, views) > 0, `${site.name} holds page ${page}, and must not read it`)
    const known = site.frames.get(page)
    assert(known === undefined || known === held.value, `${site.name} holds page ${page} as it was`)
  }
}

function checkSite(site: CrewSite, page: PageIndex, view: PageView): void {
  const where = `${site.name}, page ${page}`
  const held = [...site.sections].filter(
    ({ state, range }) => (state === 'open' || state === 'granted') && covers(range, page),
  )
  const readers = held.filter(({ mode }) => mode === 'read').length
  assert(view.readers >= readers, `${where}: ${view.readers} readers are known, ${readers} are there`)
  assert(view.writing || readers === held.length, `${where}: a writer is not known`)
  if (site.parent !== undefined && view.right !== 'none') {
    assert(site.frames.has(page), `${where}: a right without bytes`)
    assert(view.version >= 0, `${where}: a right without a version`)
  }
  const needs = held.some(({ mode, state, isGivenUp }) => mode === 'write' && state === 'open' && !isGivenUp)
  const has = site.isValid ? levelOf[view.right] : 2
  assert(
    has >= (needs ? 2 : held.some(({ state }) => state === 'open') ? 1 : 0),
    `${where}: locked without the right`,
  )
}

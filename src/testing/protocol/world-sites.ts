import { nodeId } from '../../address/identity.js'
import type { SiteId } from '../../address/identity.js'
import { present } from '../../stdx/assert.js'
import type { HomeStorage } from './home-storage.js'
import type { Parcel } from './parcel-table.js'
import { ProtocolSite } from './protocol-site.js'
import type { SiteWorld } from './site-world.js'
import { regionAttributesOf } from './world-options.js'
import type { WorldOptions } from './world-options.js'

export const homeName = 'H'

/** Before it all has happened that the wall clock of 2024 could be asked about. */
const wallStartMs = 1_700_000_000_000

/** A message on its way. */
export interface Letter {
  readonly bytes: Uint8Array
  readonly parcels: readonly Parcel[]
  readonly words: string
}

/** The session between a child and the home. Each side learns of its loss by itself. */
export interface Link<M> {
  readonly child: ProtocolSite<M>
  /** Whether messages pass. */
  isCarrying: boolean
  /** Whether the side still takes the session for alive. */
  childThinksUp: boolean
  homeThinksUp: boolean
  readonly toHome: Letter[]
  readonly toChild: Letter[]
}

/** The sites of a world, the home first, and the links of the others to it. */
export class WorldSites<M> {
  readonly all: readonly ProtocolSite<M>[]
  readonly home: ProtocolSite<M>
  readonly links: readonly Link<M>[]

  constructor(all: readonly ProtocolSite<M>[]) {
    this.all = all
    this.home = present(all[0], 'a world has a home')
    this.links = all.slice(1).map((child) => ({
      child,
      isCarrying: false,
      childThinksUp: false,
      homeThinksUp: false,
      toHome: [],
      toChild: [],
    }))
  }

  site(name: string): ProtocolSite<M> {
    return present(
      this.all.find((site) => site.name === name),
      `there is a site ${name}`,
    )
  }

  /** Undefined where there is none. */
  withId(id: SiteId): ProtocolSite<M> | undefined {
    return this.all.find((site) => site.id === id)
  }

  link(child: string): Link<M> {
    return present(
      this.links.find((link) => link.child.name === child),
      `${child} is a child`,
    )
  }
}

/** `world`: what the sites may ask. `pageSize` is in bytes. */
export function makeSites<M>(
  options: WorldOptions<M>,
  pageSize: number,
  storage: HomeStorage,
  world: SiteWorld<M>,
): WorldSites<M> {
  const { protocol, merge, conflicts, children = ['A', 'B', 'C'], clocks } = options
  const attributes = regionAttributesOf(options)
  const sites = [homeName, ...children].map((name, index) => {
    const clock = clocks?.(name) ?? { offsetMs: 0, wallOffsetMs: 0 }
    return new ProtocolSite(
      {
        id: nodeId(index + 1),
        name,
        parent: index === 0 ? undefined : nodeId(1),
        storage: index === 0 ? storage : undefined,
        protocol,
        merge,
        options: { pageSize, attributes, conflicts, merges: merge !== undefined },
        clockOffsetMs: clock.offsetMs,
        wallOffsetMs: clock.wallOffsetMs + wallStartMs,
      },
      world,
    )
  })
  return new WorldSites(sites)
}

/** Of all sites, the home's first. */
export function namesOf<M>({ sites }: { readonly sites: readonly ProtocolSite<M>[] }): string[] {
  return sites.map(({ name }) => name)
}

/** Of all sites but the home. */
export function childNamesOf<M>(world: { readonly sites: readonly ProtocolSite<M>[] }): string[] {
  return namesOf(world).filter((name) => name !== homeName)
}

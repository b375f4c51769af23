import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { relayOf } from '../address/identity.js'
import type { SiteId } from '../address/identity.js'
import type { Replica } from './replica/replica.js'

/** A client of another node in a region homed here. */
export interface RelayedUse {
  readonly era: number
  /** What it says under an earlier link is from before it was refused. */
  linkMin: number
}

/** At a home: the clients of other nodes, with the regions homed here that they have used. */
export class RelayedClients {
  readonly #uses = new Map<SiteId, Map<Address, RelayedUse>>()
  readonly #replica: (region: Address) => Replica | undefined

  constructor(replica: (region: Address) => Replica | undefined) {
    this.#replica = replica
  }

  /** What the client uses of the region, in this era. */
  useOf(child: SiteId, { address, era }: RegionDescriptor): RelayedUse {
    let uses = this.#uses.get(child)
    if (uses === undefined) this.#uses.set(child, (uses = new Map<Address, RelayedUse>()))
    const known = uses.get(address)
    if (known?.era === era) return known
    const use = { era, linkMin: 0 }
    uses.set(address, use)
    return use
  }

  /** The client is gone, and its rights have ended. */
  lost(child: SiteId): void {
    const regions = this.#uses.get(child)?.keys() ?? []
    this.#uses.delete(child)
    for (const region of regions) this.#replica(region)?.childLost(child)
  }

  /** So are all the clients of a node, with the node. */
  nodeLost(node: SiteId): void {
    for (const child of [...this.#uses.keys()]) {
      const relay: SiteId | undefined = relayOf(child)?.node
      if (relay === node) this.lost(child)
    }
  }
}

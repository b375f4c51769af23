import type { Address, Region } from '../../src/index.js'
import { present } from '../../src/stdx/assert.js'
import type { Part } from '../process/part.js'
import { pageBytes, rewrite, writtenRegion } from './working-set.js'

interface HomeActions {
  /** Makes a region here, and writes all of it. */
  reserve(pages: number): Promise<Address>
  /** Makes a region here whose pages are zeros. */
  reserveZeros(pages: number): Promise<Address>
  /** Writes pages anew here, which takes them away from everybody else. */
  rewrite(pages: { readonly region: Address; readonly first: number; readonly count: number }): Promise<void>
}

/** Makes and writes regions at the process that is their home. */
export const homeRegion: Part<undefined, HomeActions> = {
  name: 'home-region',
  create: async (host) => {
    const regions = new Map<Address, Region>()
    let mark = 1
    return {
      reserve: async (pages) => {
        const region = await writtenRegion(host.site, pages)
        regions.set(region.address, region)
        return region.address
      },
      reserveZeros: async (pages) => {
        const region = await host.site.reserve(pages * pageBytes)
        await region.allocate()
        return region.address
      },
      rewrite: async ({ region, first, count }) => {
        mark = (mark + 1) % 256
        await rewrite(present(regions.get(region), 'the region was made here'), first, count, mark)
      },
    }
  },
}

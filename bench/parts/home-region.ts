import type { Address, Region, ReserveOptions } from '../../src/index.js'
import { present } from '../../src/stdx/assert.js'
import type { Part } from '../process/part.js'
import { rewrite, writtenRegion } from './working-set.js'

/** As a region with these settings is by itself, unless told. */
export interface RegionShape extends Pick<ReserveOptions, 'pageSize' | 'consistency' | 'conflicts'> {
  readonly bytes: number
}

interface HomeActions {
  /** Makes a region here, and writes all of it. */
  reserve(shape: RegionShape): Promise<Address>
  /** Makes a region here that is all zeros. */
  reserveZeros(bytes: number): Promise<Address>
  /** Writes all of a region anew here, which takes it away from everybody else. */
  rewrite(region: Address): Promise<void>
}

/** Makes and writes regions at the process that is their home. */
export const homeRegion: Part<undefined, HomeActions> = {
  name: 'home-region',
  create: async (host) => {
    const regions = new Map<Address, Region>()
    let mark = 1
    return {
      reserve: async ({ bytes, ...settings }) => {
        const region = await writtenRegion(host.site, bytes, settings)
        regions.set(region.address, region)
        return region.address
      },
      reserveZeros: async (bytes) => {
        const region = await host.site.reserve(bytes)
        await region.allocate()
        return region.address
      },
      rewrite: async (region) => {
        mark = (mark + 1) % 256
        await rewrite(present(regions.get(region), 'the region was made here'), mark)
      },
    }
  },
}

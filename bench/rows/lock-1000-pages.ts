import type { Address } from '../../src/index.js'
import { homeRegion } from '../parts/home-region.js'
import { pageBytes } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { sampleOf } from '../timing.js'

const pages = 1000
const range = { offset: 0, length: pages * pageBytes }

interface Actions {
  lockAll(): Promise<number>
}

export const lockManyPart: Part<Address, Actions> = {
  name: 'lock-1000-pages',
  create: async (host, address) => {
    const region = await host.site.region(address)
    return {
      lockAll: async () => {
        const start = performance.now()
        const lock = await region.lock('read', range)
        const latency = (performance.now() - start) * 1000
        await lock.unlock()
        return latency
      },
    }
  },
}

/** One lock over a thousand pages that another node has written last. */
export const lock1000Pages: Row = {
  name: 'lock-1000-pages',
  unit: 'us',
  limit: 'tcp-pingpong-4000k',
  open: async (stage) => {
    const { home, other } = await stage.pair()
    const writer = await home.create(homeRegion, undefined)
    const region = await writer.call('reserve', { bytes: range.length })
    const reader = await other.create(lockManyPart, region)
    return {
      round: async (budgetMs): Promise<Sample> => {
        const latencies: number[] = []
        const until = performance.now() + budgetMs
        while (performance.now() < until) {
          await writer.call('rewrite', region)
          latencies.push(await reader.call('lockAll'))
        }
        return sampleOf(latencies)
      },
    }
  },
}

import type { Address } from '../../src/index.js'
import { homeRegion } from '../parts/home-region.js'
import { pageAt, pageBytes } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { sampleOf } from '../timing.js'

/** Pages that the writer writes before the reader reads them. */
const batchPages = 128

interface Actions {
  readAll(): Promise<number[]>
}

export const remoteReadMissPart: Part<Address, Actions> = {
  name: 'remote-read-miss',
  create: async (host, address) => {
    const region = await host.site.region(address)
    const into = new Uint8Array(pageBytes)
    return {
      readAll: async () => {
        const latencies: number[] = []
        for (let page = 0; page < batchPages; page++) {
          const range = pageAt(page)
          const start = performance.now()
          const lock = await region.lock('read', range)
          lock.read(range.offset, pageBytes, into)
          latencies.push((performance.now() - start) * 1000)
          await lock.unlock()
        }
        return latencies
      },
    }
  },
}

/** Lock and read a page that another process on another node, its home, has written last; one after the other. */
export const remoteReadMiss: Row = {
  name: 'remote-read-miss',
  unit: 'us',
  limit: 'tcp-pingpong-4k',
  open: async (stage) => {
    const { home, other } = await stage.pair()
    const writer = await home.create(homeRegion, undefined)
    const region = await writer.call('reserve', { bytes: batchPages * pageBytes })
    const reader = await other.create(remoteReadMissPart, region)
    return {
      round: async (budgetMs): Promise<Sample> => {
        const latencies: number[] = []
        const until = performance.now() + budgetMs
        while (performance.now() < until) {
          await writer.call('rewrite', region)
          latencies.push(...(await reader.call('readAll')))
        }
        return sampleOf(latencies)
      },
    }
  },
}

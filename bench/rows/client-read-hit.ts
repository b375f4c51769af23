import type { Address } from '../../src/index.js'
import { homeRegion } from '../parts/home-region.js'
import { pagesInOrder, workingSetBytes } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { timeBatches } from '../timing.js'
import { readHit } from './read-hit.js'

interface Actions {
  round(budgetMs: number): Promise<Sample>
}

export const clientReadHitPart: Part<Address, Actions> = {
  name: 'client-read-hit',
  create: async (host, address) => {
    const region = await host.site.region(address)
    for (const page of pagesInOrder()) await (await region.lock('read', page)).unlock()
    return { round: async (budgetMs) => timeBatches(budgetMs, readHit(region)) }
  },
}

/** The same hit in a process that is connected to the node, and has read the pages before. */
export const clientReadHit: Row = {
  name: 'client-read-hit',
  unit: 'us',
  limit: 'copy-4k',
  open: async (stage) => {
    const { home, client } = await stage.connected()
    const region = await (
      await home.create(homeRegion, undefined)
    ).call('reserve', { bytes: workingSetBytes })
    const part = await client.create(clientReadHitPart, region)
    return { round: (budgetMs) => part.call('round', budgetMs) }
  },
}

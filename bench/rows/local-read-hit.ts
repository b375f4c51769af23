import { workingSetBytes, writtenRegion } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { timeBatches } from '../timing.js'
import { readHit } from './read-hit.js'

interface Actions {
  round(budgetMs: number): Sample
}

export const localReadHitPart: Part<undefined, Actions> = {
  name: 'local-read-hit',
  create: async (host) => {
    const region = await writtenRegion(host.site, workingSetBytes)
    return { round: (budgetMs) => timeBatches(budgetMs, readHit(region)) }
  },
}

/** Lock, read into a given buffer, unlock: in the process that is the region's home. */
export const localReadHit: Row = {
  name: 'local-read-hit',
  unit: 'us',
  limit: 'copy-4k',
  open: async (stage) => {
    const part = await (await stage.embedded()).create(localReadHitPart, undefined)
    return { round: (budgetMs) => part.call('round', budgetMs) }
  },
}

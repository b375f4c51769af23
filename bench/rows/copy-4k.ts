import type { Part } from '../process/part.js'
import { pageBytes, visitingOrder, workingSetPages } from '../parts/working-set.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { timeBatches } from '../timing.js'

interface Actions {
  round(budgetMs: number): Sample
}

/** Pages of their own buffers, as page frames are, each copied into one and the same buffer. */
export const copyPart: Part<undefined, Actions> = {
  name: 'copy-4k',
  create: async () => {
    const pages = Array.from({ length: workingSetPages }, () => new Uint8Array(pageBytes).fill(1))
    const order = visitingOrder()
    const into = new Uint8Array(pageBytes)
    return {
      round: (budgetMs) =>
        timeBatches(budgetMs, (index) => {
          const page = pages[order[index % workingSetPages] ?? 0]
          if (page !== undefined) into.set(page)
        }),
    }
  },
}

/** Copying a page, from a working set as large as that of the hits. */
export const copy4k: Row = {
  name: 'copy-4k',
  unit: 'us',
  limit: null,
  open: async (stage) => {
    const part = await stage.worker('memory').create(copyPart, undefined)
    return { round: (budgetMs) => part.call('round', budgetMs) }
  },
}

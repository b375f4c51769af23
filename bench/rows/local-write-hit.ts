import { present } from '../../src/stdx/assert.js'
import {
  pageBytes,
  pagesInOrder,
  workingSetBytes,
  workingSetPages,
  writtenRegion,
} from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { median } from '../statistics.js'
import { batchSize } from '../timing.js'

interface Actions {
  round(budgetMs: number): Promise<Sample>
}

export const localWriteHitPart: Part<undefined, Actions> = {
  name: 'local-write-hit',
  create: async (host) => {
    const region = await writtenRegion(host.site, workingSetBytes)
    const pages = pagesInOrder()
    const bytes = new Uint8Array(pageBytes).fill(5)
    let index = 0
    const write = (): Promise<void> => {
      const page = present(pages[index++ % workingSetPages], 'in the set')
      const lock = present(region.tryLock('write', page), 'the page is here')
      lock.write(page.offset, bytes)
      return lock.unlock()
    }
    return {
      round: async (budgetMs) => {
        const perWrite: number[] = []
        const until = performance.now() + budgetMs
        while (performance.now() < until) {
          const unlocked: Promise<void>[] = []
          const start = performance.now()
          for (let count = 0; count < batchSize; count++) unlocked.push(write())
          perWrite.push(((performance.now() - start) * 1000) / batchSize)
          // The next burst finds a disk that has caught up, or it would measure the disk.
          await Promise.all(unlocked)
        }
        return { value: median(perWrite) }
      },
    }
  },
}

/** Lock, write a page, unlock, in bursts: until the write is visible to this process, not until it is durable. */
export const localWriteHit: Row = {
  name: 'local-write-hit',
  unit: 'us',
  limit: 'copy-4k',
  open: async (stage) => {
    const part = await (await stage.embedded()).create(localWriteHitPart, undefined)
    return { round: (budgetMs) => part.call('round', budgetMs) }
  },
}

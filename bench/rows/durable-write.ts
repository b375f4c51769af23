import { present } from '../../src/stdx/assert.js'
import type { Address, Region } from '../../src/index.js'
import { homeRegion } from '../parts/home-region.js'
import {
  pageAt,
  pageBytes,
  pagesInOrder,
  workingSetBytes,
  workingSetPages,
  writtenRegion,
} from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { timeConcurrent, timeEach } from '../timing.js'
import { nameOfReplicatedAppends } from './raw-replicas.js'

const lanes = 64

interface Actions {
  serial(budgetMs: number): Promise<Sample>
  concurrent(budgetMs: number): Promise<Sample>
}

/** In the region at the address, or in one that it makes. */
export const durableWritePart: Part<
  { readonly address: Address } | { readonly minReplicas: number },
  Actions
> = {
  name: 'durable-write',
  create: async (host, where) => {
    const { site } = host
    const region =
      'address' in where
        ? await site.region(where.address)
        : await writtenRegion(site, workingSetBytes, where)
    const pages = pagesInOrder()
    const bytes = new Uint8Array(pageBytes).fill(6)
    return {
      serial: (budgetMs) =>
        timeEach(budgetMs, (index) =>
          write(region, present(pages[index % workingSetPages], 'in the set'), bytes),
        ),
      concurrent: (budgetMs) => timeConcurrent(budgetMs, lanes, (lane) => write(region, pageAt(lane), bytes)),
    }
  },
}

async function write(
  region: Region,
  page: { offset: number; length: number },
  bytes: Uint8Array,
): Promise<void> {
  const lock = region.tryLock('write', page) ?? (await region.lock('write', page))
  lock.write(page.offset, bytes)
  await lock.unlock()
}

/** Lock, write a page, unlock, and wait until it is durable; one after the other. */
export const durableWrite: Row = {
  name: 'durable-write',
  unit: 'us',
  limit: 'append-fdatasync-4k',
  open: async (stage) => {
    const part = await (await stage.embedded()).create(durableWritePart, { minReplicas: 1 })
    return { round: (budgetMs) => part.call('serial', budgetMs) }
  },
}

/** The same with 64 under way, each on a page of its own; for each write. */
export const durableWrite64: Row = {
  name: 'durable-write-64',
  unit: 'us',
  limit: 'append-fdatasync-4k-64',
  open: async (stage) => {
    const part = await (await stage.embedded()).create(durableWritePart, { minReplicas: 1 })
    return { round: (budgetMs) => part.call('concurrent', budgetMs) }
  },
}

/** The same at the home of a region of 2 and of 3 replicas, each a process with a directory of its own; one after the other. */
export const replicatedWrites: readonly Row[] = [
  replicated('durable-write', 2),
  replicated('durable-write', 3),
]
/** The same with 64 under way. */
export const replicatedWrites64: readonly Row[] = [
  replicated('durable-write-64', 2),
  replicated('durable-write-64', 3),
]

function replicated(name: 'durable-write' | 'durable-write-64', minReplicas: 2 | 3): Row {
  const isSerial = name === 'durable-write'
  return {
    name: `${name}-r${minReplicas}`,
    unit: 'us',
    limit: nameOfReplicatedAppends(minReplicas, isSerial ? 'serial' : 'grouped'),
    open: async (stage) => {
      const { home } = await (minReplicas === 2 ? stage.pair() : stage.trio())
      const part = await home.create(durableWritePart, { minReplicas })
      return { round: (budgetMs) => part.call(isSerial ? 'serial' : 'concurrent', budgetMs) }
    },
  }
}

/** One after the other, from a process that is connected to the node over its unix socket. */
export const clientDurableWrite: Row = {
  name: 'client-durable-write',
  unit: 'us',
  limit: 'append-fdatasync-4k',
  open: async (stage) => {
    const { home, client } = await stage.connected()
    const region = await (
      await home.create(homeRegion, undefined)
    ).call('reserve', { bytes: workingSetBytes })
    const part = await client.create(durableWritePart, { address: region })
    return { round: (budgetMs) => part.call('serial', budgetMs) }
  },
}

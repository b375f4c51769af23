import type { Address } from '../../src/address/address.js'
import type { Region } from '../../src/client/region.js'
import { founder } from '../../src/address/identity.js'
import type { NodeId } from '../../src/address/identity.js'
import { sliceOf } from '../../src/location/address-slice.js'
import { expectResult } from '../../src/node/calls/result.js'
import { present } from '../../src/stdx/assert.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Cast, Casting, ScaleRegion } from './cast.js'
import { costOf, sumOf } from './measured.js'
import type { Costs, OperationName } from './measured.js'
import { regionBytes } from './scale-cluster.js'
import type { ScaleCluster } from './scale-cluster.js'

const MiB = 1024 * 1024
/** More than a fresh pool has beside its map: each such region takes a pool of its own. Bytes. */
const poolfulBytes = 1024 * MiB
/** The report of a new pool that has a map follows the first by a second. */
const poolSettleMs = 2500
/** What is so far behind a region that nobody reserved it, and in the same pool. Bytes. */
const behindBytes = 256n * BigInt(MiB)
/** Samples without a rest: they are over before a session of the first is let go. */
const batchMax = 40
/** The same where a sample may take two seconds. */
const slowBatchMax = 8
const whole = { offset: 0, length: regionBytes }

export interface FirstUseNames {
  readonly lookup: OperationName
  readonly whole: OperationName
}

export interface Stage {
  readonly cluster: ScaleCluster
  readonly casting: Casting
  readonly costs: Costs
  readonly progress: (what: string) => void
}

/** Takes samples of nodes that have no session with each other when it begins. */
async function sampled(
  { cluster, casting, progress }: Stage,
  what: string,
  samples: number,
  parts: {
    /** For all of a batch, before any of it is measured. */
    readonly prepare?: (cast: Cast) => Promise<void>
    readonly measure: (cast: Cast) => Promise<void>
  },
): Promise<void> {
  for (let taken = 0; taken < samples;) {
    const batch: Cast[] = []
    while (batch.length < batchMax && taken + batch.length < samples) {
      const cast = casting.draw()
      if (cast === undefined) break
      batch.push(cast)
    }
    if (parts.prepare !== undefined) {
      for (const cast of batch) await parts.prepare(cast)
      await cluster.rest()
    }
    for (const cast of batch) await parts.measure(cast)
    taken += batch.length
    await cluster.rest()
    casting.rested()
  }
  progress(`${what}: ${samples}`)
}

async function lookUp(cluster: ScaleCluster, user: NodeId, address: Address): Promise<string> {
  const answer = await cluster.node(user).call({ op: 'describe', address }, {})
  return expectResult('describe', answer).found.by
}

/** Expects it to fail so. */
async function lookUpInVain(cluster: ScaleCluster, user: NodeId, address: Address): Promise<void> {
  let found: string
  try {
    found = await lookUp(cluster, user, address)
  } catch (reason) {
    if (KhazanaError.from(reason).code === 'no-such-region') return
    throw reason
  }
  throw new Error(`a region was found by ${found} where nobody reserved one`)
}

/** By a handle that the program has. */
async function read(region: Region): Promise<void> {
  const lock = await region.lock('read', whole)
  await lock.unlock()
}

/** At its home: a page that was never written has no bytes to send. */
async function fill(cluster: ScaleCluster, { address, home }: ScaleRegion): Promise<void> {
  const region = await cluster.khazana(home).region(address)
  const lock = await region.lock('write', whole)
  lock.write(0, Uint8Array.of(1))
  await lock.unlock()
}

// ---- reserving ------------------------------------------------------------------------------------------------------

export async function reserves({ cluster, casting, costs, progress }: Stage, samples: number): Promise<void> {
  for (let taken = 0; taken < samples; taken++) {
    const khazana = cluster.khazana(casting.node())
    const cost = await costOf(cluster, async () => {
      const region = await khazana.reserve(regionBytes, { pageSize: regionBytes })
      await region.allocate()
    })
    costs.add('reserve', cost)
  }
  progress(`reserve: ${samples}`)
}

/** Each node once, as what it reports then grows with the pools that it has. */
export async function reservesOfPools(
  { cluster, casting, costs, progress }: Stage,
  samples: number,
): Promise<void> {
  const nodes = casting.nodes.slice(0, samples)
  for (const node of nodes) {
    const khazana = cluster.khazana(node)
    const cost = await costOf(
      cluster,
      async () => {
        await khazana.reserve(poolfulBytes, { pageSize: regionBytes })
      },
      poolSettleMs,
    )
    costs.add('reserve, pool empty', cost)
  }
  progress(`reserve with an empty pool: ${nodes.length}`)
}

// ---- finding and reading --------------------------------------------------------------------------------------------

export const firstUseNames: FirstUseNames = { lookup: 'lookup', whole: 'lookup and read' }

/** A node uses a region that it never heard of, and then again. */
export async function firstUses(stage: Stage, samples: number): Promise<void> {
  const { cluster, costs } = stage
  await sampled(stage, 'first access', samples, {
    prepare: ({ region }) => fill(cluster, region),
    measure: async ({ user, region: { address } }) => {
      const handle = await firstUse(stage, user, address, firstUseNames)
      const again = await costOf(cluster, () => read(handle))
      costs.add('read again', again)
      const lookUpAgain = await costOf(cluster, async () => {
        await lookUp(cluster, user, address)
      })
      costs.add('lookup again', lookUpAgain)
    },
  })
}

async function firstUse(
  { cluster, costs }: Stage,
  user: NodeId,
  address: Address,
  names: FirstUseNames,
): Promise<Region> {
  let handle: Region | undefined
  const lookup = await costOf(cluster, async () => {
    handle = await cluster.khazana(user).region(address)
  })
  const region = present(handle, 'it was found')
  costs.add(names.lookup, lookup, region.found?.by)
  const reading = await costOf(cluster, () => read(region))
  costs.add(names.whole, sumOf(lookup, reading))
  return region
}

/** The region has moved since the node looked it up. */
export async function usesAfterMoves(stage: Stage, samples: number): Promise<void> {
  const { cluster, costs } = stage
  /** What the users have, by the region's address. */
  const handles = new Map<Address, Region>()
  await sampled(stage, 'access after a move', samples, {
    prepare: async ({ user, other, region: { address, home } }) => {
      handles.set(address, await cluster.khazana(user).region(address))
      const region = await cluster.khazana(home).region(address)
      await region.migrate(other)
    },
    measure: async ({ region: { address } }) => {
      const handle = present(handles.get(address), 'the user has found it')
      costs.add('read, home moved', await costOf(cluster, () => read(handle)))
    },
  })
}

/** Addresses that are part of a pool, and not reserved; and such that were never granted to anybody. */
export async function lookUpsInVain(stage: Stage, samples: number): Promise<void> {
  const { cluster, costs } = stage
  const ungranted = (sliceOf(founder).end - BigInt(regionBytes)) as Address
  await sampled(stage, 'lookup of what is not reserved', samples, {
    measure: async ({ user, region }) => {
      const free = (region.address + behindBytes) as Address
      costs.add('lookup, not reserved', await costOf(cluster, () => lookUpInVain(cluster, user, free)))
      const never = await costOf(cluster, () => lookUpInVain(cluster, user, ungranted))
      costs.add('lookup, not granted', never)
    },
  })
}

/** One question and its answer between two nodes that had no session: what a session costs beside its messages. */
export async function callsOfStrangers(stage: Stage, samples: number): Promise<void> {
  const { cluster, costs } = stage
  await sampled(stage, 'one call to another node', samples, {
    prepare: async ({ user, region: { address } }) => {
      await lookUp(cluster, user, address)
    },
    measure: async ({ user, region: { address } }) => {
      const region = await cluster.khazana(user).region(address)
      const cost = await costOf(cluster, async () => {
        await region.stat({ offset: 0, length: 1 })
      })
      costs.add('talk to a node', cost)
    },
  })
}

// ---- without the manager --------------------------------------------------------------------------------------------

/**
 * As `firstUses`, between any two nodes. While the manager is missed sessions never come to rest; when it has been replaced, a
 * search may still wait for it, so that only a few are made between two rests.
 */
export async function firstUsesOfPairs(
  stage: Stage,
  samples: number,
  names: FirstUseNames,
  state: 'dead' | 'replaced',
): Promise<void> {
  const { cluster, casting, progress } = stage
  for (let taken = 0; taken < samples; taken++) {
    if (state === 'replaced' && taken % slowBatchMax === 0) await cluster.rest()
    const { user, region } = casting.drawPair()
    await fill(cluster, region)
    await firstUse(stage, user, region.address, names)
  }
  progress(`first access, manager ${state}: ${samples}`)
}

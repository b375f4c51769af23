import { founder } from '../../src/address/identity.js'
import type { NodeId } from '../../src/address/identity.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { RegionDirectory } from '../../src/location/region-directory.js'
import { present } from '../../src/stdx/assert.js'
import { Prng } from '../../src/stdx/prng.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { Casting } from './cast.js'
import type { ScaleRegion } from './cast.js'
import { growthPer, memoryNow } from './heap.js'
import { mapShape } from './map-shape.js'
import type { MapShape } from './map-shape.js'
import { Costs, costOf, spreadOf } from './measured.js'
import type { Cost, OperationCost, Spread } from './measured.js'
import {
  callsOfStrangers,
  firstUseNames,
  firstUses,
  firstUsesOfPairs,
  lookUpsInVain,
  reserves,
  reservesOfPools,
  usesAfterMoves,
} from './operations.js'
import type { FirstUseNames, Stage } from './operations.js'
import { ScaleCluster, leaseMs, regionBytes } from './scale-cluster.js'

export interface ScaleOptions {
  readonly seed: number
  /** At least `nodesMin`. */
  readonly nodes: number
  /** At least `regionsMin`. */
  readonly regions: number
  /** Of each operation; of those whose cost grows with the nodes, fewer. */
  readonly samples: number
  readonly progress?: (what: string) => void
  /**
   * The manager dies before anything is looked up. Only `lookup` and `lookup and read` are measured, under these names, and must
   * grow with the nodes: it shows that growth is seen.
   */
  readonly withoutManager?: boolean
}

export interface ScaleResult {
  readonly nodes: number
  readonly regions: number
  readonly seed: number
  readonly operations: readonly OperationCost[]
  /** The last node joins, alone. */
  readonly join: Cost
  readonly sessions: { readonly atRest: Spread; readonly ofManager: number }
  /** While nobody does anything, for the time of one lease. */
  readonly rest: {
    readonly messages: number
    /** On the wire, for each session that there is: leases in both directions. */
    readonly bytesPerSession: number
  }
  /** What each node knows of all nodes, as it is sent to one that joins. Bytes. */
  readonly membersBytes: number
  /** Undefined where the manager had died. */
  readonly map: MapShape | undefined
  readonly memory: MemoryCost
  readonly virtualMs: number
  readonly events: number
}

/**
 * Bytes. Memory is that of the process with all nodes in it, less their simulated disks; undefined without `--expose-gc`. Links and
 * machines of the simulation are part of it.
 */
export interface MemoryCost {
  /** All of it, when the regions are there. */
  readonly whole: number | undefined
  readonly perNode: number | undefined
  readonly perRegion: number | undefined
  /** What a region takes at a node that only knows of it. */
  readonly perDirectoryEntry: number | undefined
  readonly diskPerNode: number
  readonly diskPerRegion: number
  /** Of the memory for a region: frames of its page, and of maps that tell of it. */
  readonly framesPerRegion: number
}

/** A manager, and three nodes for a region to move between. */
export const nodesMin = 4

/** Each sample but those of reserving has a region of its own, which is not the founder's, nor that of its successor. */
export function regionsMin(nodes: number, samples: number): number {
  const kindsOfSamples = 5
  const others = nodes - 2
  return Math.ceil(((kindsOfSamples * samples + deadSamplesMax) * nodes) / others) + nodes
}

/** Time for what goes on behind operations: maps that are written, pools that are reported, at most once a second. */
const backgroundMs = 5000
/** Questions of all samples of a kind whose number grows with the nodes. */
const linearQuestionsMax = 8192
const linearSamplesMin = 8
/** Each asks in vain for seconds, and all must be over before the lease of the dead manager is. */
const deadSamplesMax = 20
/** After its lease and the patience of all. */
const replacedMs = 4 * leaseMs
const directoryEntries = 10_000
const deadNames: FirstUseNames = {
  lookup: 'lookup, manager dead',
  whole: 'lookup and read, manager dead',
}
const replacedNames: FirstUseNames = {
  lookup: 'lookup, manager replaced',
  whole: 'lookup and read, manager replaced',
}

/** Builds a cluster, and counts what its operations cost. The same options give the same messages. */
export function measureScale(options: ScaleOptions): Promise<ScaleResult> {
  const cluster = new ScaleCluster(options)
  return cluster.run(() => measure(cluster, options))
}

async function measure(cluster: ScaleCluster, options: ScaleOptions): Promise<ScaleResult> {
  const { seed, nodes, regions, samples, progress = () => undefined } = options
  const memory = (): number | undefined => memoryNow(cluster.simulatedDiskBytes)
  const empty = memory()
  await cluster.startUpTo(nodes - 1, (count) => {
    progress(`${count} of ${nodes} nodes have started`)
  })
  await cluster.pause(backgroundMs)
  const join = await costOf(cluster, () => cluster.startUpTo(nodes), backgroundMs)
  await cluster.rest()
  const joined = memory()
  const { diskBytes: diskJoined, frameBytes: framesJoined } = cluster.totals()
  progress('reserving regions')
  const all = await reserveAll(cluster, regions)
  await cluster.pause(2 * backgroundMs)
  const full = memory()
  const { diskBytes: diskFull, frameBytes: framesFull } = cluster.totals()
  const rest = await costOf(cluster, () => Promise.resolve(), leaseMs)
  const atRest = [...cluster.sessionsByNode]
  const others = cluster.live.map(({ identity }) => identity.node).filter((node) => node !== founder)
  const stage: Stage = {
    cluster,
    casting: new Casting(Prng.fromSeed(seed).fork('casting'), others, all),
    costs: new Costs(),
    progress,
  }
  const isWithout = options.withoutManager === true
  const map = isWithout ? undefined : await mapShape(cluster, present(all.at(-1), 'there are regions'))
  if (isWithout) await withDeadManager(stage, samples, nodes, firstUseNames)
  else {
    await withManager(stage, samples)
    await withDeadManager(stage, samples, nodes, deadNames)
    await withNextManager(stage, samples, present(others[0], 'there are others'))
  }
  return {
    nodes,
    regions,
    seed,
    operations: stage.costs.all,
    join,
    sessions: {
      atRest: spreadOf(atRest.filter(([node]) => node !== founder).map(([, count]) => count)),
      ofManager: atRest.find(([node]) => node === founder)?.[1] ?? 0,
    },
    rest: {
      messages: rest.messages,
      bytesPerSession: Math.round(rest.wireBytes / (nodes - 1)),
    },
    membersBytes: membersBytes(cluster),
    map,
    memory: {
      whole: full,
      perNode: growthPer(nodes, empty, joined),
      perRegion: growthPer(regions, joined, full),
      perDirectoryEntry: directoryEntryMemory(cluster, all),
      diskPerNode: Math.round(diskJoined / nodes),
      diskPerRegion: Math.round((diskFull - diskJoined) / regions),
      framesPerRegion: Math.round((framesFull - framesJoined) / regions),
    },
    virtualMs: cluster.world.scheduler.now(),
    events: cluster.world.scheduler.steps,
  }
}

async function withManager(stage: Stage, samples: number): Promise<void> {
  await reserves(stage, samples)
  await firstUses(stage, samples)
  await usesAfterMoves(stage, samples)
  await lookUpsInVain(stage, samples)
  await callsOfStrangers(stage, samples)
  await reservesOfPools(stage, samples)
}

async function withDeadManager(
  stage: Stage,
  samples: number,
  nodes: number,
  names: FirstUseNames,
): Promise<void> {
  stage.cluster.killFounder()
  const linear = Math.max(linearSamplesMin, Math.floor(linearQuestionsMax / nodes))
  await firstUsesOfPairs(stage, Math.min(samples, linear, deadSamplesMax), names, 'dead')
}

/** The successor takes part in no sample either. */
async function withNextManager(stage: Stage, samples: number, successor: NodeId): Promise<void> {
  const { cluster, casting, progress } = stage
  progress('waiting for another manager')
  await cluster.pause(replacedMs)
  await cluster.until('all have another manager', () =>
    cluster.live.every(({ members }) => members.manager === successor),
  )
  casting.without(successor)
  await firstUsesOfPairs(stage, samples, replacedNames, 'replaced')
}

/** Spread over all nodes, which work at the same time. */
async function reserveAll(cluster: ScaleCluster, regions: number): Promise<ScaleRegion[]> {
  const nodes = cluster.live
  const byNode = await Promise.all(
    nodes.map(async ({ identity }, index) => {
      const khazana = cluster.khazana(identity.node)
      const own: ScaleRegion[] = []
      for (let number = index; number < regions; number += nodes.length) {
        const region = await khazana.reserve(regionBytes, { pageSize: regionBytes })
        await region.allocate()
        own.push({ address: region.address, home: identity.node })
      }
      return own
    }),
  )
  return byNode.flat()
}

function membersBytes(cluster: ScaleCluster): number {
  const members = present(cluster.live[0], 'a node runs').members.members
  return new FrameWriter().encode({ kind: 'members', members, known: undefined }, [], 1, 0).bytes
}

/** What one descriptor, as it comes off the wire, takes in a region directory. */
function directoryEntryMemory(cluster: ScaleCluster, regions: readonly ScaleRegion[]): number | undefined {
  const known: RegionDescriptor[] = []
  for (const { address, home } of regions) {
    if (home === founder || known.length >= directoryEntries) continue
    const descriptor = cluster.node(home).home.find(address)
    if (descriptor !== undefined) known.push(descriptor)
  }
  const before = memoryNow(0)
  const directory = new RegionDirectory(directoryEntries)
  for (const descriptor of known) directory.add(structuredClone(descriptor))
  const after = memoryNow(0)
  return growthPer(directory.size, before, after)
}

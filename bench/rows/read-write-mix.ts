import { setImmediate } from 'node:timers/promises'
import { presetNames } from '../../src/address/consistency-vector.js'
import type { Address, ConsistencyPreset, ConsistencySettings, LockContext } from '../../src/index.js'
import { Prng } from '../../src/stdx/prng.js'
import { homeRegion } from '../parts/home-region.js'
import { counted, trafficPart } from '../parts/traffic.js'
import type { Work } from '../parts/traffic.js'
import { pageAt, pageBytes } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import { timeConcurrent } from '../timing.js'
import { together } from './page-halves.js'

const pages = 64
/** Of a hundred operations. */
const writes = 10
const writtenBytes = 100
/** A program that never waits for anything must let its process hear of others now and then. */
const listenEveryMs = 1

interface Mixer {
  readonly region: Address
  readonly seed: number
}

interface Actions {
  mix(budgetMs: number): Promise<Work>
  /** Resolves when all that was written is durable. */
  sync(): Promise<void>
}

/** Reads and writes a hundred bytes of any page, one operation after the other. */
export const mixPart: Part<Mixer, Actions> = {
  name: 'read-write-mix',
  create: async (host, { region: address, seed }) => {
    const region = await host.site.region(address)
    const prng = Prng.fromSeed(seed)
    const bytes = new Uint8Array(writtenBytes)
    let operations = 0
    let heardAt = performance.now()
    const operation = async (): Promise<void> => {
      operations += 1
      const range = { offset: pageAt(prng.uint32() % pages).offset, length: writtenBytes }
      const mode = prng.uint32() % 100 < writes ? 'write-shared' : 'read'
      const lock: LockContext = region.tryLock(mode, range) ?? (await region.lock(mode, range))
      if (mode === 'read') lock.read(range.offset, writtenBytes, bytes)
      else lock.write(range.offset, bytes.fill(operations))
      await lock.unlock()
      if (performance.now() - heardAt < listenEveryMs) return
      await setImmediate()
      heardAt = performance.now()
    }
    return {
      mix: async (budgetMs) => {
        const before = operations
        const sample = await timeConcurrent(budgetMs, 1, operation)
        return { ...sample, operations: operations - before }
      },
      sync: () => region.sync(),
    }
  },
}

const settingsOf = {
  strict: 'strict',
  release: 'release',
  bounded: { preset: 'bounded', staleness: { ms: 100 } },
  eventual: 'eventual',
} as const satisfies Record<ConsistencyPreset, ConsistencySettings>

/**
 * Two nodes read and write the pages of a third one: 90 reads to 10 writes, each unlocked before the next. Of the whole
 * time, for each operation of either. Where writes are accepted before they are durable, the round is over before they
 * are; their messages count all the same.
 */
export const readWriteMixes: readonly Row[] = presetNames.map((preset) => ({
  name: `mix-90-10-${preset}`,
  unit: 'us',
  limit: preset === 'strict' ? null : 'mix-90-10-strict',
  open: async (stage) => {
    const { home, others } = await stage.trio()
    const maker = await home.create(homeRegion, undefined)
    const shape = { bytes: pages * pageBytes, consistency: settingsOf[preset] }
    const region = await maker.call('reserve', shape)
    const mixers = await Promise.all(
      others.map((other, index) => other.create(mixPart, { region, seed: index + 1 })),
    )
    const traffic = await home.create(trafficPart, undefined)
    return {
      round: (budgetMs) =>
        counted(traffic, async () => {
          const works = await Promise.all(mixers.map((mixer) => mixer.call('mix', budgetMs)))
          await Promise.all(mixers.map((mixer) => mixer.call('sync')))
          return together(works)
        }),
    }
  },
}))

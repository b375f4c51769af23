import type { Address, LockMode, ReserveOptions } from '../../src/index.js'
import { homeRegion } from '../parts/home-region.js'
import { conflictsByTag } from '../parts/sites.js'
import { counted, trafficPart } from '../parts/traffic.js'
import type { Work } from '../parts/traffic.js'
import { pageBytes } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Remote } from '../process/worker.js'
import type { Row } from '../row.js'
import type { Stage } from '../stage.js'
import { sampleOf, timeConcurrent } from '../timing.js'

/** Of a side's half, at its start. */
const writtenBytes = 100

interface HalfWriter {
  readonly region: Address
  readonly half: 0 | 1
  readonly mode: LockMode
}

interface Actions {
  /** One write. Microseconds. */
  write(): Promise<number>
  /** One write after the other, for a time. */
  writeOn(budgetMs: number): Promise<Work>
}

/** Writes its half of the region's first page. What it locks it also names, for regions with a conflict test. */
export const halfWriterPart: Part<HalfWriter, Actions> = {
  name: 'half-writer',
  create: async (host, { region: address, half, mode }) => {
    const region = await host.site.region(address)
    const range = { offset: (half * pageBytes) / 2, length: writtenBytes }
    const demands = { tag: `half ${half}` }
    const bytes = new Uint8Array(writtenBytes)
    let written = 0
    const write = async (): Promise<void> => {
      const lock = await region.lock(mode, range, demands)
      // What is there already would not be written at all.
      bytes.fill(++written)
      lock.write(range.offset, bytes)
      await lock.unlock()
    }
    return {
      write: async () => {
        const start = performance.now()
        await write()
        return (performance.now() - start) * 1000
      },
      writeOn: async (budgetMs) => {
        const before = written
        const sample = await timeConcurrent(budgetMs, 1, write)
        return { ...sample, operations: written - before }
      },
    }
  },
}

interface Consistency {
  readonly name: string
  readonly mode: LockMode
  readonly settings: Pick<ReserveOptions, 'consistency' | 'conflicts'>
}

const crew: Consistency = { name: 'crew', mode: 'write', settings: { consistency: 'strict' } }
const compared: readonly Consistency[] = [
  crew,
  { name: 'tags', mode: 'write', settings: { consistency: 'strict', conflicts: conflictsByTag } },
  { name: 'release', mode: 'write-shared', settings: { consistency: 'release' } },
]

type Writers = readonly [Remote<Actions>, Remote<Actions>]

/**
 * Two nodes, of which one is the home, write a half of one page each, in turn; each write from its lock until it is durable.
 * False sharing: what they write has nothing to do with each other.
 */
export const halvesInTurn: readonly Row[] = compared.map((consistency) =>
  row('halves-in-turn', consistency, async (writers, budgetMs) => {
    const latencies: number[] = []
    const until = performance.now() + budgetMs
    while (performance.now() < until) {
      for (const writer of writers) latencies.push(await writer.call('write'))
    }
    return { ...sampleOf(latencies), operations: latencies.length }
  }),
)

/** Both at once, each write after the one before: of the whole time, for each write of either. */
export const halvesAtOnce: readonly Row[] = compared.map((consistency) =>
  row('halves-at-once', consistency, async (writers, budgetMs) =>
    together(await Promise.all(writers.map((writer) => writer.call('writeOn', budgetMs)))),
  ),
)

/** What several did in the same time: their rates add up. */
export function together(works: readonly Work[]): Work {
  const operations = works.reduce((sum, work) => sum + work.operations, 0)
  const perMicrosecond = works.reduce((sum, { value }) => sum + 1 / value, 0)
  return { value: 1 / perMicrosecond, operations }
}

function row(
  kind: string,
  { name, mode, settings }: Consistency,
  play: (writers: Writers, budgetMs: number) => Promise<Work>,
): Row {
  return {
    name: `${kind}-${name}`,
    unit: 'us',
    limit: name === crew.name ? null : `${kind}-${crew.name}`,
    open: async (stage: Stage) => {
      const { home, other } = await stage.pair()
      const maker = await home.create(homeRegion, undefined)
      const region = await maker.call('reserve', { bytes: pageBytes, ...settings })
      const writers: Writers = [
        await home.create(halfWriterPart, { region, half: 0, mode }),
        await other.create(halfWriterPart, { region, half: 1, mode }),
      ]
      const traffic = await home.create(trafficPart, undefined)
      return { round: (budgetMs) => counted(traffic, () => play(writers, budgetMs)) }
    },
  }
}

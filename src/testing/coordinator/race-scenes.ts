import assert from 'node:assert/strict'
import type { Coordinator } from '../../coordinator/coordinator.js'
import { HistoryRecorder } from '../history.js'
import { checkLinearizability } from '../linearizability.js'
import { rest } from './coordinator-bed.js'
import type { CoordinatorBed, CoordinatorScene } from './coordinator-bed.js'
import { asFound, bytes, isOneOf, put, putSurely, read, rejects, textOf } from './scene-tools.js'

/** Reads and compare-and-sets of registers, recorded. */
async function useRegisters(
  bed: CoordinatorBed,
  client: Coordinator,
  process: string,
  history: HistoryRecorder,
  count: number,
): Promise<void> {
  for (let index = 0; index < count; index++) {
    const key = `${bed.prefix}${bed.random.pick(['x', 'y'])}`
    if (bed.random.unit() < 0.5) await readRegister(client, process, key, history)
    else await replaceRegister(client, process, key, `${process}.${index}`, history)
    await rest(bed, bed.random.between(0, 10))
  }
}

async function readRegister(
  client: Coordinator,
  process: string,
  key: string,
  history: HistoryRecorder,
): Promise<void> {
  const reading = history.read(process, key)
  try {
    reading.read((await read(client, key)) ?? null)
  } catch (error) {
    if (!isOneOf(error, ['timeout', 'unreachable'])) throw error
    reading.failed()
  }
}

async function replaceRegister(
  client: Coordinator,
  process: string,
  key: string,
  value: string,
  history: HistoryRecorder,
): Promise<void> {
  const writing = history.write(process, key, value)
  let old: string | null | undefined
  try {
    const { found } = await client.get(key)
    old = found === undefined ? null : textOf(found.value)
    const puts = [{ key, value: bytes(value) }]
    const outcome = await client.transact({ conditions: [asFound(key, found)], puts }, { timeoutMs: 300 })
    if (outcome.kind === 'applied') writing.wrote(old)
    else writing.failed()
  } catch (error) {
    if (isOneOf(error, ['outcome-unknown'])) writing.unknown(old)
    else if (isOneOf(error, ['timeout', 'unreachable'])) writing.failed()
    else throw error
  }
}

function judge(history: HistoryRecorder): void {
  const verdict = checkLinearizability(history.operations())
  assert.equal(verdict.kind, 'ok', verdict.kind === 'ok' ? '' : verdict.explanation)
}

const clientsPerRace = 4

async function race(
  bed: CoordinatorBed,
  count: number,
  disturb: (isOver: () => boolean) => Promise<void>,
): Promise<void> {
  const history = new HistoryRecorder(() => bed.clock.now())
  let isOver = false
  const disturbing = disturb(() => isOver)
  const clients = Array.from({ length: clientsPerRace }, (_, index) =>
    useRegisters(bed, bed.client(), `p${index}`, history, count),
  )
  try {
    await Promise.all(clients)
  } finally {
    isOver = true
    await disturbing
  }
  assert.ok(history.acknowledged > 0, 'some got through')
  judge(history)
}

/** What several clients see at once, also while the store fails. */
export const raceScenes: readonly CoordinatorScene[] = [
  {
    name: 'of many who replace one value, one at a time succeeds',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const key = `${bed.prefix}counter`
      const each = 8
      const clients = Array.from({ length: clientsPerRace }, () => bed.client())
      await Promise.all(
        clients.map(async (client) => {
          for (let done = 0; done < each;) {
            const { found } = await client.get(key)
            const value = bytes(String(found === undefined ? 1 : Number(textOf(found.value)) + 1))
            const outcome = await client.transact({
              conditions: [asFound(key, found)],
              puts: [{ key, value }],
            })
            if (outcome.kind === 'applied') done++
          }
        }),
      )
      assert.equal(await read(bed.client(), key), String(each * clientsPerRace))
    },
  },
  {
    name: 'registers are linearizable',
    standsLosses: true,
    play: (bed) => race(bed, 25, () => Promise.resolve()),
  },
  {
    name: 'registers are linearizable while the store is out of reach again and again',
    standsLosses: true,
    play: (bed) =>
      race(bed, 25, async (isOver) => {
        while (!isOver()) {
          await rest(bed, bed.random.between(20, 300))
          const thaw = await bed.freeze()
          await rest(bed, bed.random.between(100, 600))
          thaw()
        }
      }),
  },
  {
    name: 'registers are linearizable while the store is killed and started again',
    standsLosses: true,
    play: (bed) =>
      race(bed, 40, async (isOver) => {
        for (let round = 0; round < 2 && !isOver(); round++) {
          await rest(bed, bed.random.between(50, 300))
          await bed.restart()
        }
      }),
  },
  {
    name: 'a transaction without an answer has an unknown outcome, and happens once or never',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const [one, other] = [bed.client(), bed.client()]
      const key = `${bed.prefix}key`
      const modified = await put(one, key, 'before')
      const thaw = await bed.freeze()
      const puts = [{ key, value: bytes('after') }]
      const conditions = [{ kind: 'unchanged' as const, key, modified }]
      await rejects(one.transact({ conditions, puts }, { timeoutMs: 200 }), 'outcome-unknown', 'unreachable')
      const giveUp = new AbortController()
      const given = rejects(
        one.transact({ conditions, puts: [{ key, value: bytes('other') }] }, { signal: giveUp.signal }),
        'outcome-unknown',
        'aborted',
      )
      await rest(bed, 50)
      giveUp.abort()
      await given
      await rejects(one.get(key, { timeoutMs: 50 }), 'timeout', 'unreachable')
      thaw()
      await rest(bed, 500)
      assert.ok(['before', 'after', 'other'].includes((await read(other, key)) ?? 'nothing'))
      // Whatever is on its way still is bound to the revision of before.
      await putSurely(other, key, 'mine')
      await rest(bed, 300)
      assert.equal(await read(other, key), 'mine')
    },
  },
]

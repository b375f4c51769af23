import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RowSkipped } from '../../row-skipped.js'
import type { FsStage } from '../fs-stage.js'
import type { Place, Scenario } from '../scenario.js'
import { otherOf } from './other-mount.js'

/** A lock of fcntl on a whole file that nobody else wants. */
export const lockAlone: Scenario = {
  rows: [{ name: 'lock-alone', title: 'fcntl lock and unlock, by one process', unit: '/s' }],
  limitMs: 60_000,
  open: async ({ directory }, stage) => {
    const agent = await stage.agent(0)
    const path = `${directory}/lock`
    await agent.call('makeFile', path)
    return {
      round: async () => {
        const { budgetMs } = stage.amounts
        const { operations, seconds } = await agent.call('lockAlone', { path, budgetMs })
        return { 'lock-alone': operations / seconds }
      },
    }
  },
}

/** A lock that two processes at two mounts want all the time; who had it last they tell each other outside of the file system. */
export const lockHandOver: Scenario = {
  rows: [{ name: 'lock-hand-over', title: 'an fcntl lock goes from one mount to the other', unit: '/s' }],
  limitMs: 60_000,
  open: async (place, stage) => {
    const { paths } = await sharedFile(place, stage)
    const [here, there] = [await stage.agent(0), await stage.agent(1)]
    const turnPath = join(tmpdir(), `khazana-bench-turn-${process.pid}`)
    return {
      round: async () => {
        const { budgetMs } = stage.amounts
        await here.call('makeFile', turnPath)
        try {
          const [one, other] = await Promise.all([
            here.call('passLock', { path: paths[0], turnPath, side: 0, budgetMs }),
            there.call('passLock', { path: paths[1], turnPath, side: 1, budgetMs }),
          ])
          return {
            'lock-hand-over': (one.operations + other.operations) / Math.max(one.seconds, other.seconds),
          }
        } finally {
          await here.call('remove', turnPath)
        }
      },
    }
  },
}

/** A counter in a file that two processes change in turn, under a lock that both of them want all the time. */
export const lockCounter: Scenario = {
  rows: [{ name: 'lock-counter', title: 'turns of two mounts at a counter under an fcntl lock', unit: '/s' }],
  limitMs: 60_000,
  open: async (place, stage) => {
    const { paths } = await sharedFile(place, stage)
    const [here, there] = [await stage.agent(0), await stage.agent(1)]
    return {
      round: async () => {
        const { budgetMs } = stage.amounts
        const [{ operations, seconds }] = await Promise.all([
          here.call('passCounter', { path: paths[0], side: 0, budgetMs }),
          there.call('passCounter', { path: paths[1], side: 1, budgetMs }),
        ])
        return { 'lock-counter': operations / seconds }
      },
    }
  },
}

/** A file, by its names at the two mounts. Throws `RowSkipped` where a lock on it at one does not hold at the other: without exclusion all goes faster than with any lock. */
async function sharedFile(
  place: Place,
  stage: FsStage,
): Promise<{ readonly paths: readonly [string, string] }> {
  const [here, there] = [await stage.agent(0), await stage.agent(1)]
  const paths = [`${place.directory}/shared`, `${otherOf(place)}/shared`] as const
  await here.call('makeFile', paths[0])
  await here.call('holdLock', paths[0])
  const isShared = !(await there.call('canLock', paths[1]))
  await here.call('releaseLock')
  if (!isShared) {
    throw new RowSkipped('LOCKS DO NOT HOLD between the two mounts: the other one gets what is taken')
  }
  return { paths }
}

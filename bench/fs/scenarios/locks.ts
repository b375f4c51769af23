import { RowSkipped } from '../../row-skipped.js'
import type { Scenario } from '../scenario.js'
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

/** A counter in a file that two processes change in turn, under a lock that both of them want all the time. */
export const lockHandOver: Scenario = {
  rows: [
    { name: 'lock-hand-over', title: 'turns of two mounts at a counter under an fcntl lock', unit: '/s' },
  ],
  limitMs: 60_000,
  open: async (place, stage) => {
    const other = otherOf(place)
    const [here, there] = [await stage.agent(0), await stage.agent(1)]
    const path = `${place.directory}/counter`
    await here.call('makeFile', path)
    await here.call('holdLock', path)
    // Without exclusion the counter would still go on in turn, and faster than any lock.
    const isShared = !(await there.call('canLock', `${other}/counter`))
    await here.call('releaseLock')
    if (!isShared) {
      throw new RowSkipped('LOCKS DO NOT HOLD between the two mounts: the other one gets what is taken')
    }
    return {
      round: async () => {
        const { budgetMs } = stage.amounts
        const [{ operations, seconds }] = await Promise.all([
          here.call('passCounter', { path, side: 0, budgetMs }),
          there.call('passCounter', { path: `${other}/counter`, side: 1, budgetMs }),
        ])
        return { 'lock-hand-over': operations / seconds }
      },
    }
  },
}

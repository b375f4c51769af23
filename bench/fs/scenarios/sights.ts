import { quantile } from '../../statistics.js'
import type { Scenario } from '../scenario.js'
import { otherOf } from './other-mount.js'

const patienceMs = 30_000

/** What one mount does until the other one sees it. */
export const sights: Scenario = {
  rows: [
    {
      name: 'visible',
      title: 'from a write until the other mount reads it, files kept open: median',
      unit: 'ms',
    },
    { name: 'visible-p99', title: 'the same: 99th percentile', unit: 'ms' },
    { name: 'name-exchange', title: 'names made in turn, each when the last was seen: rounds', unit: '/s' },
  ],
  limitMs: 120_000,
  open: async (place, stage) => {
    const other = otherOf(place)
    const count = stage.amounts.sightings
    const [here, there] = [await stage.agent(0), await stage.agent(1)]
    let round = 0
    return {
      round: async () => {
        round += 1
        const name = `numbers-${round}`
        await here.call('makeFile', `${place.directory}/${name}`)
        const [seen, begun] = await Promise.all([
          there.call('watchNumbers', { path: `${other}/${name}`, count, patienceMs }),
          here.call('writeNumbers', { path: `${place.directory}/${name}`, count }),
        ])
        const delays = seen.map((time, index) => Number(time - (begun[index] ?? time)) / 1e6)

        const names = `names-${round}`
        await here.call('makeDirectory', `${place.directory}/${names}`)
        const exchange = { count, patienceMs }
        const [exchanged] = await Promise.all([
          here.call('exchangeNames', { ...exchange, directory: `${place.directory}/${names}`, side: 0 }),
          there.call('exchangeNames', { ...exchange, directory: `${other}/${names}`, side: 1 }),
        ])
        return {
          visible: quantile(delays, 0.5),
          'visible-p99': quantile(delays, 0.99),
          'name-exchange': exchanged.operations / exchanged.seconds,
        }
      },
    }
  },
}

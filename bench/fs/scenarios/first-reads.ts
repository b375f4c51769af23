import type { Scenario } from '../scenario.js'
import { readBlocks, readStream } from './blocks.js'
import { otherOf } from './other-mount.js'

/** What one mount has written, and the other one has never read. */
export const firstReads: Scenario = {
  rows: [
    {
      name: 'random-read-other',
      title: '4 KiB random reads of what the other mount has written',
      unit: '/s',
    },
    { name: 'sequential-read-other', title: 'the same from end to end, in blocks of 1 MiB', unit: 'MiB/s' },
  ],
  limitMs: 120_000,
  open: async (place, stage) => {
    const other = otherOf(place)
    const bytes = stage.amounts.otherBytes
    const agent = await stage.agent(0)
    return {
      round: async () => {
        const names = ['random', 'sequential'] as const
        for (const name of names) await agent.call('remove', `${place.directory}/${name}`)
        for (const name of names)
          await agent.call('writeStream', { path: `${place.directory}/${name}`, bytes })
        await stage.chill(names.map((name) => `${place.directory}/${name}`))
        return {
          'random-read-other': await readBlocks(stage, {
            path: `${other}/random`,
            bytes,
            readers: 1,
            each: 'once',
          }),
          'sequential-read-other': await readStream(stage, `${other}/sequential`, bytes),
        }
      },
    }
  },
}

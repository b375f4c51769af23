import type { Scenario } from '../scenario.js'
import { readStream, writeStream } from './blocks.js'

/** A file from end to end, in blocks of 1 MiB. */
export const sequential: Scenario = {
  rows: [
    { name: 'sequential-write', title: 'a new file, with an fsync at the end', unit: 'MiB/s' },
    { name: 'sequential-read-cold', title: 'that file after dropping caches', unit: 'MiB/s' },
    { name: 'sequential-read-warm', title: 'the same again', unit: 'MiB/s' },
  ],
  limitMs: 120_000,
  open: async ({ directory }, stage) => {
    const bytes = stage.amounts.streamBytes
    const path = `${directory}/stream`
    return {
      round: async () => {
        await (await stage.agent(0)).call('remove', path)
        const write = await writeStream(stage, path, bytes)
        await stage.chill([path])
        return {
          'sequential-write': write,
          'sequential-read-cold': await readStream(stage, path, bytes),
          'sequential-read-warm': await readStream(stage, path, bytes),
        }
      },
    }
  },
}

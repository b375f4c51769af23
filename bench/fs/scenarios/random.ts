import type { FsStage } from '../fs-stage.js'
import type { Scenario } from '../scenario.js'
import { readBlocks, readStream, writeBlocks } from './blocks.js'

const manyReaders = 8

/** Blocks of 4 KiB of a file, in random order. */
export const random: Scenario = {
  rows: [
    { name: 'random-read-cold', title: '4 KiB random reads after dropping caches, 1 reader', unit: '/s' },
    { name: 'random-read-cold-8', title: 'the same, 8 readers', unit: '/s' },
    { name: 'random-read-warm', title: '4 KiB random reads of what was just read, 1 reader', unit: '/s' },
    { name: 'random-read-warm-8', title: 'the same, 8 readers', unit: '/s' },
    { name: 'sync-write', title: '4 KiB random overwrites, each with an fsync', unit: '/s' },
  ],
  limitMs: 180_000,
  open: async ({ directory }, stage) => {
    const path = `${directory}/blocks`
    const bytes = stage.amounts.fileBytes
    await (await stage.agent(0)).call('writeStream', { path, bytes })
    return {
      round: async () => ({
        'random-read-cold': await coldly(stage, path, 1),
        'random-read-cold-8': await coldly(stage, path, manyReaders),
        'random-read-warm': await warmly(stage, path, 1),
        'random-read-warm-8': await warmly(stage, path, manyReaders),
        'sync-write': await writeBlocks(stage, path, bytes),
      }),
    }
  },
}

async function coldly(stage: FsStage, path: string, readers: number): Promise<number> {
  await stage.chill([path])
  return readBlocks(stage, { path, bytes: stage.amounts.fileBytes, readers, each: 'once' })
}

async function warmly(stage: FsStage, path: string, readers: number): Promise<number> {
  const bytes = stage.amounts.fileBytes
  await readStream(stage, path, bytes)
  return readBlocks(stage, { path, bytes, readers, each: 'again' })
}

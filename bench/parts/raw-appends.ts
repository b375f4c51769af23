import type { Part } from '../process/part.js'
import type { Sample } from '../sample.js'
import { timeEach, timeTransfer } from '../timing.js'
import { RawFile } from './raw-file.js'
import { pageBytes } from './working-set.js'

const groupPages = 64
const streamBytes = 64 * 2 ** 20
const streamChunkBytes = 4 * 2 ** 20

export interface RawAppendActions {
  flushed(budgetMs: number): Promise<Sample>
  durable(budgetMs: number): Promise<Sample>
  grouped(budgetMs: number): Promise<Sample>
  stream(): Promise<Sample>
}

export const rawAppendPart: Part<{ readonly dir: string }, RawAppendActions> = {
  name: 'raw-appends',
  create: async (host, { dir }) => {
    const plain = await RawFile.make(host, dir, 'plain')
    const durable = await RawFile.make(host, dir, 'durable')
    const page = new Uint8Array(pageBytes).fill(1)
    const group = Array.from({ length: groupPages }, () => new Uint8Array(pageBytes).fill(2))
    const large = new Uint8Array(streamChunkBytes).fill(3)
    return {
      flushed: (budgetMs) =>
        timeEach(budgetMs, async () => {
          await plain.append(page)
          await plain.flush()
        }),
      durable: (budgetMs) => timeEach(budgetMs, () => durable.append(page)),
      grouped: async (budgetMs) => {
        const { value } = await timeEach(budgetMs, async () => {
          await plain.appendAll(group)
          await plain.flush()
        })
        return { value: value / groupPages }
      },
      stream: () =>
        timeTransfer(streamBytes, async () => {
          for (let done = 0; done < streamBytes; done += streamChunkBytes) {
            await plain.append(large)
            await plain.flush()
          }
        }),
    }
  },
}

import { Khazana, KhazanaError, parseAddress } from '../../src/index.js'
import { textIn } from '../cell.js'
import { keyOf, pageBytes, pagesPerRegion } from '../layout.js'
import type { TimedOperation } from '../record.js'
import { pause } from '../clock.js'
import type { PlacedRegion } from './messages.js'

/** How long a region may take until it can be read, when all is well again. */
const readMsMax = 60_000
const retryMs = 200
const connectMsMax = 10_000

export interface FinalReadOptions {
  /** Who reads; unique in the run. */
  readonly process: string
  /** Of the node through which all is read. */
  readonly socket: string
  readonly regions: readonly PlacedRegion[]
  /** Milliseconds of the run's clock. */
  readonly now: () => number
}

/** Reads all of every region through one node. Throws where that is not possible in a time that is more than enough. */
export async function readAll(options: FinalReadOptions): Promise<readonly TimedOperation[]> {
  const khazana = await Khazana.connect(options.socket, { timeoutMs: connectMsMax })
  try {
    const operations: TimedOperation[] = []
    for (const region of options.regions) operations.push(...(await readRegion(khazana, region, options)))
    return operations
  } finally {
    await khazana.close()
  }
}

async function readRegion(
  khazana: Khazana,
  region: PlacedRegion,
  { process, now }: FinalReadOptions,
): Promise<readonly TimedOperation[]> {
  const until = now() + readMsMax
  for (;;) {
    const invoke = now()
    try {
      const wait = { timeoutMs: Math.max(1, until - invoke) }
      const handle = await khazana.region(parseAddress(region.address), wait)
      const lock = await handle.lock('read', { offset: 0, length: pagesPerRegion * pageBytes }, wait)
      const values = Array.from({ length: pagesPerRegion }, (_, page) =>
        textIn(lock.read(page * pageBytes, pageBytes)),
      )
      await lock.unlock()
      const complete = now()
      const section = `${process}.${region.name}`
      return values.map((value, page) => {
        const key = keyOf(region.name, page)
        return { process, op: 'read', key, value, invoke, complete, ok: true, section }
      })
    } catch (reason) {
      const { code, message } = KhazanaError.from(reason)
      if (now() < until) await pause(retryMs)
      else throw new Error(`${process} cannot read ${region.name}: ${code}: ${message}`, { cause: reason })
    }
  }
}

import type { ByteRange } from '../address/range.js'
import type { Region } from '../client/region.js'
import type { WaitOptions } from '../io/deadline.js'
import { Progress } from './progress.js'
import { writeOut } from './standard-output.js'
import { readAll } from './transfer.js'

/** Prints the range of the region on stdout, with a line of progress where somebody watches and it goes elsewhere. */
export async function copyOut(region: Region, range: ByteRange, wait: WaitOptions): Promise<void> {
  using progress = new Progress('reading', range.length)
  const update = process.stdout.isTTY ? {} : { progress: progress.update }
  for await (const bytes of readAll(region, range, { ...wait, ...update })) await writeOut(bytes)
}

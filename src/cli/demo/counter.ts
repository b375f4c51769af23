import type { Region } from '../../client/region.js'
import type { WaitOptions } from '../../io/deadline.js'

/** A 64-bit number at the start of a region. */
export const counterRange = { offset: 0, length: 8 }

export async function increment(region: Region): Promise<void> {
  await using lock = await region.lock('write', counterRange)
  const view = viewOf(lock.map(counterRange.offset, counterRange.length))
  view.setBigUint64(0, view.getBigUint64(0) + 1n)
}

export async function readCounter(region: Region, wait: WaitOptions): Promise<number> {
  await using lock = await region.lock('read', counterRange, wait)
  return Number(viewOf(lock.map(counterRange.offset, counterRange.length)).getBigUint64(0))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

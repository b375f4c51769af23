import { formatAddress } from '../address/address.js'
import type { ByteRange } from '../address/range.js'
import type { Region } from '../client/region.js'
import type { WaitOptions } from '../io/deadline.js'
import { KhazanaError } from '../stdx/errors.js'
import type { ErrorCode } from '../stdx/errors.js'
import { regroup } from './chunks.js'
import { Pipeline } from './pipeline.js'

/**
 * What one lock covers. Large enough to make the way to the node and its disk cheap, small enough that several fit into
 * the memory of a small node.
 */
export const chunkBytesMax = 1024 * 1024
const chunksInFlightMax = 4
/** How often a chunk is tried whose lock or connection was lost on the way. */
const attemptsMax = 5

/** Nothing of the chunk was done. */
const undone: readonly ErrorCode[] = ['context-broken']
/** Or it was done: where nobody else writes, doing it twice is the same as once. */
const undoneOrDone: readonly ErrorCode[] = ['context-broken', 'outcome-unknown']

export interface TransferOptions extends WaitOptions {
  /** Who else may write there; unless told, anybody. Where nobody does, more failures can be mended by repeating. */
  readonly writers?: 'anybody' | 'nobody else'
  /** Told how many bytes are done, each time there are more. */
  readonly progress?: (bytes: number) => void
}

/**
 * Writes all bytes of the source into the region from `offset` on; gives how many there were. Each chunk has a lock of
 * its own and is written as a whole or not at all, several at a time. When it throws, chunks may have been written, and
 * none is on the way any more.
 */
export async function writeAll(
  region: Region,
  offset: number,
  source: AsyncIterable<Uint8Array>,
  options: TransferOptions,
): Promise<number> {
  const { writers, progress, ...wait } = options
  const repeatedAfter = writers === 'nobody else' ? undoneOrDone : undone
  const pipeline = new Pipeline(chunksInFlightMax)
  let at = offset
  let done = 0
  try {
    // Chunks begin and end with pages, so that no two of them want the same page.
    for await (const bytes of regroup(source, chunkBytesMax - (offset % chunkBytesMax), chunkBytesMax)) {
      const start = at
      if (start + bytes.length > region.size) throw beyond(region, start - offset)
      at += bytes.length
      await pipeline.add(async () => {
        await repeatedly(() => writeChunk(region, start, bytes, wait), repeatedAfter)
        done += bytes.length
        progress?.(done)
      })
    }
    await pipeline.end()
  } finally {
    await pipeline.settle()
  }
  return at - offset
}

async function writeChunk(
  region: Region,
  offset: number,
  bytes: Uint8Array,
  wait: WaitOptions,
): Promise<void> {
  const lock = await region.lock('write', { offset, length: bytes.length }, wait)
  try {
    lock.write(offset, bytes)
    await lock.unlock()
  } finally {
    lock.discard()
  }
}

/** The bytes of the range in order, read some chunks ahead. Each chunk is of one moment; the whole need not be. */
export async function* readAll(
  region: Region,
  range: ByteRange,
  options: TransferOptions,
): AsyncGenerator<Uint8Array> {
  const { writers: _nobody, progress, ...wait } = options
  const end = range.offset + range.length
  const ahead: Promise<Uint8Array>[] = []
  let next = range.offset
  let done = 0
  try {
    for (;;) {
      while (ahead.length < chunksInFlightMax && next < end) {
        const length = Math.min(chunkBytesMax - (next % chunkBytesMax), end - next)
        ahead.push(startReading(region, { offset: next, length }, wait))
        next += length
      }
      const bytes = await ahead.shift()
      if (bytes === undefined) return
      yield bytes
      done += bytes.length
      progress?.(done)
    }
  } finally {
    await Promise.allSettled(ahead)
  }
}

/** Its failure is told to whoever awaits it, which is later, or never when an earlier chunk fails. */
function startReading(region: Region, range: ByteRange, wait: WaitOptions): Promise<Uint8Array> {
  const reading = repeatedly(() => readChunk(region, range, wait), undone)
  reading.catch(() => undefined)
  return reading
}

async function readChunk(region: Region, range: ByteRange, wait: WaitOptions): Promise<Uint8Array> {
  const lock = await region.lock('read', range, wait)
  try {
    const bytes = lock.read(range.offset, range.length)
    await lock.unlock()
    return bytes
  } finally {
    lock.discard()
  }
}

async function repeatedly<T>(work: () => Promise<T>, after: readonly ErrorCode[]): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (reason) {
      if (!after.includes(KhazanaError.from(reason).code) || attempt === attemptsMax) throw reason
    }
  }
}

function beyond(region: Region, written: number): KhazanaError {
  return new KhazanaError(
    'out-of-range',
    `there is more input than fits: the region ${formatAddress(region.address)} has ${region.size} bytes; ` +
      `the first ${written} bytes of the input were written, and nothing of the rest`,
  )
}

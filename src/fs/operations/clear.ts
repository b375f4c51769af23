import type { Address } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import { byteOfPage, pageOfByte } from '../file/contents.js'
import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { Inode, inodePage } from '../layout/inode.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'

import type { Volume } from '../volume/volume.js'

/** How long storage is waited for to be taken away, before that is given up; the home may still do it for as long again. Milliseconds. */
const giveUpMs = 1500
const timeoutMs = 30_000
/** Attempts to take storage away, before whoever waits for it hears of it. */
const triesMax = 10

/** What a file that was cut off still has behind its end is taken away before it grows again: it would come back to light. */
export function needsClearing(volume: Volume, attempt: Attempt, inode: Inode, file: Address): void {
  if (inode.residueEnd > inode.size) attempt.await(() => clearResidue(volume, file))
}

/** Takes away what the file has behind its end. Throws `FsError`. */
export async function clearResidue(volume: Volume, file: Address): Promise<void> {
  await withoutStorage(volume, file, (inode) => {
    const { size, residueEnd, allocatedEnd, bytes } = inode
    const pageSize = bytes.length
    if (residueEnd <= size) return undefined
    const first = pageOfByte(Math.ceil(size / pageSize) * pageSize, pageSize)
    const end = Math.min(pageOfByte(Math.max(residueEnd - 1, 0), pageSize) + 1, allocatedEnd)
    return {
      first,
      end,
      done: (after) => {
        if (after.allocatedEnd <= end) after.allocatedEnd = Math.min(after.allocatedEnd, first)
        after.residueEnd = after.size
      },
    }
  })
}

/** Makes whole pages of a file a hole. Throws `FsError`. */
export async function clearPages(volume: Volume, file: Address, from: number, to: number): Promise<void> {
  await withoutStorage(volume, file, (inode) => {
    const pageSize = inode.bytes.length
    const first = pageOfByte(from, pageSize)
    const end = Math.min(pageOfByte(to, pageSize), inode.allocatedEnd)
    if (inode.isInTail || byteOfPage(end, pageSize) <= from) return undefined
    return {
      first,
      end,
      done: (after) => {
        after.becomeSparse()
        if (after.allocatedEnd === end) after.allocatedEnd = first
      },
    }
  })
}

/** Pages that are to lose their storage, and what is noted when they have. */
interface Clearing {
  readonly first: number
  readonly end: number
  readonly done: (inode: Inode) => void
}

/**
 * Takes storage away while nobody can do anything with the file, as its inode is locked. It is not left to the background, where it would happen when the pages
 * have new bytes already: where it takes too long it is given up, the file stays locked for as long as the home may still do it, and it is tried again.
 */
async function withoutStorage(
  { runner, environment }: Volume,
  file: Address,
  plan: (inode: Inode) => Clearing | undefined,
): Promise<void> {
  const region = runner.region(file)
  const { handle, pageSize } = region
  if (handle === undefined) throw new FsError('ESTALE', 'the file is not known here')
  for (let tries = 1; ; tries++) {
    // What the file has become is durable before what it had goes.
    await runner.durable(region)
    const range = { offset: inodePage * pageSize, length: pageSize }
    try {
      const lock = await handle.lock('write', range, { timeoutMs })
      try {
        const clearing = plan(new Inode(lock.read(range.offset, range.length)))
        if (clearing === undefined) return
        const { first, end, done } = clearing
        const stored = end <= first ? 0 : await storedPages(handle, first, end)
        const isFree = end <= first || (await freed(environment, region, first, end - first))
        if (isFree) {
          const inode = new Inode(lock.map(range.offset, range.length))
          done(inode)
          inode.storedPages -= stored
          inode.bump()
          await lock.unlock()
          return
        }
        await new Promise<void>((resolve) => {
          environment.after(giveUpMs, resolve)
        })
      } finally {
        lock.discard()
      }
    } catch (reason) {
      throw fsErrorFrom(KhazanaError.from(reason))
    }
    if (tries === triesMax) throw new FsError('EIO', 'storage of a file could not be taken away')
  }
}

/** How many of these pages of a file's region have storage; of those that the home tells, which are many. */
export async function storedPages(
  handle: NonNullable<FsRegion['handle']>,
  first: number,
  end: number,
): Promise<number> {
  const { pageSize } = handle
  const { allocated } = await handle.stat({ offset: 0, length: pageSize }, { timeoutMs })
  let count = 0
  for (const { offset, length } of allocated) {
    const from = Math.max(offset / pageSize, first)
    count += Math.max(0, Math.min((offset + length) / pageSize, end) - from)
  }
  return count
}

/** False where it was given up, and may yet happen for as long again. */
async function freed(
  environment: Volume['environment'],
  region: FsRegion,
  first: number,
  count: number,
): Promise<boolean> {
  const { handle, pageSize } = region
  if (handle === undefined) return false
  const giveUp = new AbortController()
  const cancel = environment.after(giveUpMs, () => {
    giveUp.abort()
  })
  try {
    const range = { offset: first * pageSize, length: count * pageSize }
    const state = await handle.free(range, { timeoutMs: 2 * giveUpMs, signal: giveUp.signal })
    return state === 'done'
  } catch (reason) {
    if (KhazanaError.from(reason).code === 'aborted') return false
    throw reason
  } finally {
    cancel()
  }
}

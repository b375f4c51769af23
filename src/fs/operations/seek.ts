import type { Address } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { byteOfPage } from '../file/contents.js'
import { newRegionPages } from '../file/limits.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { readInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'

/** Ranges with storage that a home tells at most. */
const rangesTold = 1024

export type Whence = 'data' | 'hole'

/** The next place from `offset` on where the file has storage, or has none; its end counts as a hole. Throws `ENXIO` behind the end, or where no data is left. */
export async function seek(
  { runner }: Volume,
  file: Address,
  offset: number,
  whence: Whence,
): Promise<number> {
  const region = runner.region(file)
  const { size, isSparse, isInTail, tailBytes, kind } = await runner.run((attempt) => {
    const inode = readInode(attempt, region)
    return {
      size: inode.size,
      isSparse: inode.isSparse,
      isInTail: inode.isInTail,
      tailBytes: inode.tailBytes,
      kind: inode.kind,
    }
  })
  if (kind === 'directory') throw new FsError('EISDIR', 'a directory')
  if (offset >= size) throw new FsError('ENXIO', 'behind the end of the file')
  if (isInTail) return offset < tailBytes ? found(offset, whence, tailBytes) : foundInHole(offset, whence)
  if (!isSparse) return found(offset, whence, size)
  const { handle, pageSize } = region
  if (handle === undefined) throw new FsError('ESTALE', 'the file is not known here')
  try {
    const { allocated } = await handle.stat({ offset: 0, length: pageSize })
    let at = offset
    const unusedEnd = await runner.run((attempt) => unusedPages(attempt, region))
    for (const range of allocated) {
      const from = byteOfPage(Math.max(range.offset / pageSize, unusedEnd), pageSize)
      const to = Math.min(size, byteOfPage((range.offset + range.length) / pageSize, pageSize))
      if (to <= at || to <= from) continue
      if (whence === 'hole' && from > at) return at
      if (whence === 'data') {
        if (from >= size) break
        return Math.max(from, at)
      }
      at = to
    }
    // There is more than one is told: that may all be data.
    if (allocated.length >= rangesTold && whence === 'data' && at < size) return at
    if (whence === 'hole') return Math.min(at, size)
    throw new FsError('ENXIO', 'no data is left')
  } catch (reason) {
    throw reason instanceof FsError ? reason : fsErrorFrom(KhazanaError.from(reason))
  }
}

/** Page of the region up to which nothing was ever written, of those that every file has storage for from its beginning. */
function unusedPages(attempt: Attempt, region: FsRegion): number {
  for (let page = 1; page < newRegionPages; page++) {
    const bytes = attempt.read(region, page)
    if (bytes?.some((byte) => byte !== 0) === true) return page
  }
  return newRegionPages
}

function found(offset: number, whence: Whence, end: number): number {
  return whence === 'data' ? offset : end
}

function foundInHole(offset: number, whence: Whence): number {
  if (whence === 'data') throw new FsError('ENXIO', 'no data is left')
  return offset
}

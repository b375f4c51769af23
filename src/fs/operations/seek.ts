import type { Address } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { byteOfPage } from '../file/contents.js'
import { readInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'

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
    for (const range of allocated) {
      const from = Math.max(0, byteOfPage(range.offset / pageSize, pageSize))
      const to = Math.min(size, byteOfPage((range.offset + range.length) / pageSize, pageSize))
      if (to <= at) continue
      if (whence === 'hole' && from > at) return at
      if (whence === 'data') {
        if (from >= size) break
        return Math.max(from, at)
      }
      at = to
    }
    if (whence === 'hole') return Math.min(at, size)
    throw new FsError('ENXIO', 'no data is left')
  } catch (reason) {
    throw reason instanceof FsError ? reason : fsErrorFrom(KhazanaError.from(reason))
  }
}

function found(offset: number, whence: Whence, end: number): number {
  return whence === 'data' ? offset : end
}

function foundInHole(offset: number, whence: Whence): number {
  if (whence === 'data') throw new FsError('ENXIO', 'no data is left')
  return offset
}

import type { Address } from '../../address/address.js'
import { isEarlier } from '../environment.js'
import type { Timestamp } from '../environment.js'
import { KhazanaError } from '../../stdx/errors.js'
import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { Contents, pageOfByte } from '../file/contents.js'
import { fileBytesMax } from '../file/limits.js'
import type { Inode } from '../layout/inode.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { readInode, writeInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'
import { needsClearing, storedPages } from './clear.js'
import { loseSetId } from './set-attributes.js'

/** Seconds after which a file that is read is noted to have been, in any case. */
const accessedAgainSeconds = 86_400

/** At most `length` bytes from `offset` on: fewer where the file ends. Throws `EISDIR`, `EINVAL` for what has no bytes. */
export function read(volume: Volume, file: Address, offset: number, length: number) {
  return (attempt: Attempt): Uint8Array => {
    const { runner, environment, accesses } = volume
    const region = runner.region(file)
    expect(attempt, region, { offset, length, mode: 'read' })
    const inode = readInode(attempt, region)
    checkHasBytes(inode)
    noteStorage(region, inode)
    const bytes = new Contents(attempt, region, inode).read(offset, length)
    const now = environment.now()
    // As Linux does unless told otherwise: once for each change of the file, and once a day.
    if (bytes.length > 0 && isToBeNoted(inode, now)) accesses.note(file, now)
    return bytes
  }
}

/** The target of a symbolic link. Throws `EINVAL` for anything else. */
export function readLink({ runner }: Volume, file: Address) {
  return (attempt: Attempt): Uint8Array => {
    const region = runner.region(file)
    const inode = readInode(attempt, region)
    if (inode.kind !== 'symlink') throw new FsError('EINVAL', 'not a symbolic link')
    return new Contents(attempt, region, inode).read(0, inode.size)
  }
}

export interface WriteHow {
  /** Whether it goes to where the file ends at that moment. */
  readonly isAppend: boolean
  /** As in `AttributeChanges`. */
  readonly losesSetId: boolean
  /** Called where there was something to lose. */
  readonly lostSetId?: (() => void) | undefined
}

/** Writes at most `pieceBytesMax` bytes. Answers where they begin. Throws `EISDIR`, `EINVAL`, `EFBIG`, `ENOSPC`. */
export function write(volume: Volume, file: Address, offset: number, bytes: Uint8Array, how: WriteHow) {
  return (attempt: Attempt): number => {
    const { runner, environment } = volume
    const region = runner.region(file)
    if (!how.isAppend) expect(attempt, region, { offset, length: bytes.length, mode: 'write' })
    const inode = writeInode(attempt, region)
    checkHasBytes(inode)
    noteStorage(region, inode)
    const start = how.isAppend ? inode.size : offset
    if (start + bytes.length > inode.size) needsClearing(volume, attempt, inode, file)
    const put = new Contents(attempt, region, inode).toWrite(start, bytes)
    attempt.change()
    put()
    if (how.losesSetId && loseSetId(inode)) how.lostSetId?.()
    inode.touchModified(environment.now())
    return start
  }
}

/** Gives a range storage, so that writing to it does not fail for want of room; the file's end moves if `grows`. Throws `EFBIG`, `ENOSPC`. */
export function allocate(
  volume: Volume,
  file: Address,
  { from, to, holes }: { readonly from: number; readonly to: number; readonly holes: number },
  grows: 'grows' | 'keeps-size',
) {
  return (attempt: Attempt): void => {
    const { runner, environment } = volume
    const region = runner.region(file)
    const inode = writeInode(attempt, region)
    checkHasBytes(inode)
    if (to > fileBytesMax) throw new FsError('EFBIG', `a file has at most ${fileBytesMax} bytes`)
    if (to > inode.size) needsClearing(volume, attempt, inode, file)
    const put = new Contents(attempt, region, inode).toAllocate(from, to, holes)
    attempt.change()
    put()
    if (grows === 'grows' && to > inode.size) {
      inode.size = to
      inode.residueEnd = to
    }
    inode.touchModified(environment.now())
  }
}

/** How many pages of the range are holes, before where the file's storage ends. */
export async function holesIn({ runner }: Volume, file: Address, from: number, to: number): Promise<number> {
  const region = runner.region(file)
  const end = await runner.run((attempt) => {
    const { isSparse, allocatedEnd } = readInode(attempt, region)
    return isSparse ? allocatedEnd : 0
  })
  const { handle, pageSize } = region
  if (handle === undefined || end === 0) return 0
  const [first, last] = [pageOfByte(from, pageSize), Math.min(pageOfByte(to - 1, pageSize) + 1, end)]
  if (last <= first) return 0
  try {
    return last - first - (await storedPages(handle, first, last))
  } catch (reason) {
    throw fsErrorFrom(KhazanaError.from(reason))
  }
}

/** Zeros a range of at most `pieceBytesMax` bytes, within the file. */
export function zero(volume: Volume, file: Address, from: number, to: number) {
  return (attempt: Attempt): void => {
    const { runner, environment } = volume
    const region = runner.region(file)
    const inode = writeInode(attempt, region)
    checkHasBytes(inode)
    const put = new Contents(attempt, region, inode).toZero(
      Math.min(from, inode.size),
      Math.min(to, inode.size),
    )
    attempt.change()
    put()
    inode.touchModified(environment.now())
  }
}

/** The pages of these bytes, where they had storage the last time. */
function expect(
  attempt: Attempt,
  region: FsRegion,
  {
    offset,
    length,
    mode,
  }: { readonly offset: number; readonly length: number; readonly mode: 'read' | 'write' },
): void {
  const { pageSize, storageEnd } = region
  if (storageEnd === 0 || pageSize === 0 || length === 0) return
  const first = pageOfByte(offset, pageSize)
  attempt.expect(region, first, pageOfByte(offset + length - 1, pageSize) + 1 - first, mode)
}

function noteStorage(region: FsRegion, { isInTail, isSparse, allocatedEnd }: Inode): void {
  // Of sparse ones any page may have none.
  region.storageEnd = isInTail || isSparse ? 0 : allocatedEnd
}

function checkHasBytes({ kind }: Inode): void {
  if (kind === 'directory') throw new FsError('EISDIR', 'a directory')
  if (kind !== 'file') throw new FsError('EINVAL', 'not a file with bytes')
}

function isToBeNoted({ accessed, modified, changed }: Inode, { seconds }: Timestamp): boolean {
  return (
    !isEarlier(modified, accessed) ||
    !isEarlier(changed, accessed) ||
    seconds - accessed.seconds >= accessedAgainSeconds
  )
}

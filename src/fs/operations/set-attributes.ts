import type { Address } from '../../address/address.js'
import { attributesOf } from '../attributes.js'
import type { FileAttributes } from '../attributes.js'
import type { Timestamp } from '../environment.js'
import { FsError } from '../errno.js'
import { Contents } from '../file/contents.js'
import type { Inode } from '../layout/inode.js'
import { setGroupId, setUserId } from '../layout/inode.js'
import type { Attempt } from '../pages/attempt.js'
import { writeInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'
import { needsClearing } from './clear.js'

/** What is to be another; the rest stays. */
export interface AttributeChanges {
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Bytes: a file is cut off, or gets zeros at its end. */
  readonly size?: number | undefined
  readonly accessed?: Timestamp | 'now' | undefined
  readonly modified?: Timestamp | 'now' | undefined
  /** Whether the bits that run the file as somebody else go, as they do when somebody without privileges writes to it or gives it away. */
  readonly losesSetId?: boolean | undefined
}

/** Throws `EINVAL` for the size of what is no file, `EISDIR` for that of a directory, `EFBIG`. */
export function setAttributes(volume: Volume, file: Address, changes: AttributeChanges) {
  const { mode, uid, gid, size, accessed, modified, losesSetId = false } = changes
  return (attempt: Attempt): FileAttributes => {
    const { runner, environment } = volume
    const region = runner.region(file)
    const inode = writeInode(attempt, region)
    const resize = size === undefined ? undefined : toResize(volume, attempt, inode, { file, size })
    attempt.change()
    const now = environment.now()
    resize?.()
    if (losesSetId) loseSetId(inode)
    if (mode !== undefined) inode.mode = mode
    if (uid !== undefined) inode.uid = uid
    if (gid !== undefined) inode.gid = gid
    if (accessed !== undefined) inode.accessed = accessed === 'now' ? now : accessed
    if (resize !== undefined) inode.modified = now
    if (modified !== undefined) inode.modified = modified === 'now' ? now : modified
    inode.touchChanged(now)
    volume.accesses.forget(file)
    return attributesOf(file, inode)
  }
}

function toResize(
  volume: Volume,
  attempt: Attempt,
  inode: Inode,
  { file, size }: { readonly file: Address; readonly size: number },
): () => void {
  if (inode.kind === 'directory') throw new FsError('EISDIR', 'a directory has no size to set')
  if (inode.kind !== 'file') throw new FsError('EINVAL', 'only files have a size to set')
  if (size > inode.size) needsClearing(volume, attempt, inode, file)
  return new Contents(attempt, volume.runner.region(file), inode).toTruncate(size)
}

/** A file that is not run by a group keeps its set-group-id bit, which means something else there. */
/** Answers whether there was anything to lose. */
export function loseSetId(inode: Inode): boolean {
  const { mode, kind } = inode
  if (kind === 'directory') return false
  const isRunByGroup = (mode & 0o010) !== 0
  inode.mode = mode & ~setUserId & (isRunByGroup ? ~setGroupId : ~0)
  return inode.mode !== mode
}

import type { Address } from '../../address/address.js'
import { Directory } from '../directory/directory.js'
import type { DirectoryEntry } from '../directory/entries.js'
import { FsError } from '../errno.js'
import { linksMax } from '../file/limits.js'
import { toMake } from './create.js'
import type { NewFile } from './create.js'
import { checkNewName } from '../names.js'
import type { Attempt } from '../pages/attempt.js'
import { readDirectory, writeDirectory, writeInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'
import { toLoseName } from './remove.js'
import type { Removed } from './remove.js'

/** `no-replace`: there must be nothing at the new name. `exchange`: both names are there, and each means what the other one meant. */
export type RenameHow = 'replace' | 'no-replace' | 'exchange'

export interface Name {
  readonly parent: Address
  readonly name: Uint8Array
}

export interface Renaming {
  readonly from: Name
  readonly to: Name
  /** A new file that has the name `from` afterwards; no directory. Not with `exchange`. */
  readonly left?: NewFile | undefined
}

/** Directories that one may be deep. */
const depthMax = 10_000

/**
 * Gives a file another name, in the same directory or another one; what had that name before loses it in the same moment. Answers what lost its name.
 * Throws `ENOENT`, `EEXIST`, `ENOTDIR`, `EISDIR`, `ENOTEMPTY`, `EINVAL` where a directory would come into itself, `EMLINK`, `EBUSY` for `.` and `..`, and as `create`.
 */
export function rename(volume: Volume, { from, to, left }: Renaming, how: RenameHow) {
  checkNewName(from.name, 'EBUSY')
  checkNewName(to.name, how === 'no-replace' ? 'EEXIST' : 'EBUSY')
  return (attempt: Attempt): Removed | undefined => {
    const { runner, environment } = volume
    const [fromRegion, toRegion] = [runner.region(from.parent), runner.region(to.parent)]
    const isSameParent = fromRegion === toRegion
    const fromInode = writeDirectory(attempt, fromRegion)
    const toInode = isSameParent ? fromInode : writeDirectory(attempt, toRegion)
    const fromDirectory = new Directory(attempt, fromRegion, fromInode)
    const toDirectory = isSameParent ? fromDirectory : new Directory(attempt, toRegion, toInode)
    const moved = fromDirectory.find(from.name)
    if (moved === undefined) throw new FsError('ENOENT', 'no such file or directory')
    const replaced = toDirectory.find(to.name)
    if (how === 'no-replace' && replaced !== undefined)
      throw new FsError('EEXIST', 'the new name is there already')
    if (how === 'exchange' && replaced === undefined)
      throw new FsError('ENOENT', 'there is nothing to exchange with')
    // Nothing is above itself: before the check for what two names of one file are.
    if (!isSameParent) {
      if (moved.kind === 'directory') checkNotAbove(volume, attempt, moved, to.parent)
      if (how === 'exchange' && replaced?.kind === 'directory')
        checkNotAbove(volume, attempt, replaced, from.parent)
    }
    if (replaced?.address === moved.address) return undefined
    if (how !== 'exchange' && replaced !== undefined) checkKinds(moved, replaced)
    const movedRegion = runner.named(moved.address)
    const movedInode = writeInode(attempt, movedRegion)
    const replacedRegion = replaced === undefined ? undefined : runner.named(replaced.address)
    const replacedInode = replacedRegion === undefined ? undefined : writeInode(attempt, replacedRegion)
    if (how !== 'exchange' && replaced?.kind === 'directory' && (replacedInode?.entries ?? 0) > 0)
      throw new FsError('ENOTEMPTY', 'the directory at the new name is not empty')
    const movedIsDirectory = moved.kind === 'directory'
    const replacedIsDirectory = replaced?.kind === 'directory'
    const gains = !isSameParent && movedIsDirectory && !replacedIsDirectory
    if (gains && toInode.links >= linksMax)
      throw new FsError('EMLINK', `a directory has at most ${linksMax - 2} directories in it`)
    const put = replaced === undefined ? toDirectory.toAdd(to.name) : toDirectory.toReplace(to.name)
    const putBack = how === 'exchange' ? fromDirectory.toReplace(from.name) : undefined
    const leave =
      left === undefined
        ? undefined
        : toMake(volume, attempt, { parent: from.parent, parentInode: fromInode, made: left })
    const putLeft = leave === undefined ? undefined : fromDirectory.toReplace(from.name)
    const isLeftEmpty = how !== 'exchange' && leave === undefined
    const remove = isLeftEmpty ? fromDirectory.toRemove(from.name) : undefined
    const lose =
      how === 'exchange' || replacedRegion === undefined || replacedInode === undefined
        ? undefined
        : toLoseName(volume, attempt, replacedRegion, replacedInode)

    attempt.change()
    const now = environment.now()
    put(moved)
    if (replaced !== undefined) putBack?.(replaced)
    remove?.()
    if (leave !== undefined) {
      const inode = leave.make(now)
      inode.links = 1
      putLeft?.({ kind: inode.kind, ino: inode.ino, address: leave.region.address })
    }
    lose?.(now)
    if (!isSameParent && movedIsDirectory) {
      movedInode.parent = to.parent
      fromInode.links -= 1
      toInode.links += 1
    }
    if (how === 'exchange' && !isSameParent && replacedIsDirectory && replacedInode !== undefined) {
      replacedInode.parent = from.parent
      toInode.links -= 1
      fromInode.links += 1
    }
    if (lose !== undefined && replacedIsDirectory) toInode.links -= 1
    movedInode.touchChanged(now)
    if (how === 'exchange') replacedInode?.touchChanged(now)
    fromInode.touchModified(now)
    if (!isSameParent) toInode.touchModified(now)
    return lose === undefined || replaced === undefined || replacedInode === undefined
      ? undefined
      : { address: replaced.address, ino: replaced.ino, links: replacedInode.links }
  }
}

function checkKinds(moved: DirectoryEntry, replaced: DirectoryEntry): void {
  if (moved.kind === 'directory' && replaced.kind !== 'directory')
    throw new FsError('ENOTDIR', 'a directory takes no file`s place')
  if (moved.kind !== 'directory' && replaced.kind === 'directory')
    throw new FsError('EISDIR', 'a file takes no directory`s place')
}

/** All that is read is locked until the end: so that nobody moves one of those above meanwhile. */
function checkNotAbove(
  { runner, root }: Volume,
  attempt: Attempt,
  { address }: DirectoryEntry,
  below: Address,
): void {
  let at = below
  for (let depth = 0; depth < depthMax; depth++) {
    if (at === address) throw new FsError('EINVAL', 'a directory does not come into itself')
    if (at === root) return
    at = readDirectory(attempt, runner.named(at)).parent
  }
  throw new FsError('EIO', `directories are more than ${depthMax} deep`)
}

import type { Address } from '../../address/address.js'
import { Directory } from '../directory/directory.js'
import type { DirectoryEntry } from '../directory/entries.js'
import { FsError } from '../errno.js'
import { linksMax } from '../file/limits.js'
import { attributesOf } from '../attributes.js'
import type { FileAttributes } from '../attributes.js'
import type { Inode } from '../layout/inode.js'
import { checkNewName, isDot } from '../names.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { writeDirectory, writeInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'
import type { Timestamp } from '../environment.js'

/** Another name for a file. Throws `EPERM` for a directory, `EEXIST`, `EMLINK`, `ENOENT` for a file that has lost its last name, and as `create`. */
export function link({ runner, environment }: Volume, file: Address, parent: Address, name: Uint8Array) {
  checkNewName(name, 'EEXIST')
  return (attempt: Attempt): FileAttributes => {
    const parentRegion = runner.region(parent)
    const parentInode = writeDirectory(attempt, parentRegion)
    const directory = new Directory(attempt, parentRegion, parentInode)
    if (directory.find(name) !== undefined) throw new FsError('EEXIST', 'the name is there already')
    const inode = writeInode(attempt, runner.region(file))
    if (inode.kind === 'directory') throw new FsError('EPERM', 'a directory has one name only')
    if (inode.links === 0 && !inode.mayBeNamed) throw new FsError('ENOENT', 'the file has no name any more')
    if (inode.links >= linksMax) throw new FsError('EMLINK', `a file has at most ${linksMax} names`)
    const add = directory.toAdd(name)
    attempt.change()
    const now = environment.now()
    add({ kind: inode.kind, ino: inode.ino, address: file })
    inode.links += 1
    inode.mayBeNamed = false
    inode.touchChanged(now)
    parentInode.touchModified(now)
    return attributesOf(file, inode)
  }
}

/** What a name stood for that is taken away. */
export interface Removed {
  readonly address: Address
  readonly ino: number
  /** How many names it has left. A directory has none. */
  readonly links: number
}

/** Takes a name away that is no directory's; with the last one the file, once nobody has it open. Throws `ENOENT`, `EISDIR`. */
export function unlink(volume: Volume, parent: Address, name: Uint8Array) {
  checkNewName(name, 'EBUSY')
  return (attempt: Attempt): Removed => {
    const { parentInode, entry, inode, remove } = toTakeAway(volume, attempt, parent, name)
    if (inode.kind === 'directory') throw new FsError('EISDIR', 'a directory is taken away by rmdir')
    attempt.change()
    remove()
    parentInode.touchModified(volume.environment.now())
    return { address: entry.address, ino: entry.ino, links: inode.links }
  }
}

/** Takes an empty directory away. Throws `ENOENT`, `ENOTDIR`, `ENOTEMPTY`, `EINVAL` for `.`. */
export function removeDirectory(volume: Volume, parent: Address, name: Uint8Array) {
  checkNewName(name, isDot(name) ? 'EINVAL' : 'ENOTEMPTY')
  return (attempt: Attempt): Removed => {
    const { parentInode, entry, inode, remove } = toTakeAway(volume, attempt, parent, name)
    if (inode.kind !== 'directory') throw new FsError('ENOTDIR', 'not a directory')
    if (inode.entries > 0) throw new FsError('ENOTEMPTY', 'the directory is not empty')
    attempt.change()
    remove()
    parentInode.links -= 1
    parentInode.touchModified(volume.environment.now())
    return { address: entry.address, ino: entry.ino, links: inode.links }
  }
}

/** Asks for what it takes to take a name away, and what it stands for with it; `remove` does it. Throws `ENOENT`, `ENOTDIR`. */
function toTakeAway(
  volume: Volume,
  attempt: Attempt,
  parent: Address,
  name: Uint8Array,
): {
  readonly parentInode: Inode
  readonly entry: DirectoryEntry
  readonly inode: Inode
  readonly remove: () => void
} {
  const { runner, environment } = volume
  const parentRegion = runner.region(parent)
  const parentInode = writeDirectory(attempt, parentRegion)
  const directory = new Directory(attempt, parentRegion, parentInode)
  const entry = directory.find(name)
  if (entry === undefined) throw new FsError('ENOENT', 'no such file or directory')
  const region = runner.named(entry.address)
  const inode = writeInode(attempt, region)
  const removeName = directory.toRemove(name)
  const lose = toLoseName(volume, attempt, region, inode)
  const remove = (): void => {
    removeName()
    lose(environment.now())
  }
  return { parentInode, entry, inode, remove }
}

/** Asks for what it takes that the file loses a name; what it answers does it, and has the file taken away after the last one. */
export function toLoseName(
  { orphans, reaper }: Volume,
  attempt: Attempt,
  region: FsRegion,
  inode: Inode,
): (now: Timestamp) => void {
  const isLast = inode.links === 1 || inode.kind === 'directory'
  const orphan = isLast ? orphans.toAdd(attempt, region.address) : undefined
  return (now) => {
    inode.links = isLast ? 0 : inode.links - 1
    inode.touchChanged(now)
    if (orphan !== undefined) reaper.add(region.address, inode.ino, orphan())
  }
}

import type { Address } from '../../address/address.js'
import { attributesOf } from '../attributes.js'
import type { FileAttributes } from '../attributes.js'
import { Directory } from '../directory/directory.js'
import type { DirectoryEntry } from '../directory/entries.js'
import { FsError } from '../errno.js'
import { checkName, isDot, isDotDot } from '../names.js'
import type { Attempt } from '../pages/attempt.js'
import { readDirectory, readInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'

/** What a name in a directory means. Throws `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`. */
export function lookup({ runner, accesses }: Volume, parent: Address, name: Uint8Array) {
  checkName(name)
  return (attempt: Attempt): FileAttributes => {
    const region = runner.region(parent)
    const inode = readDirectory(attempt, region)
    if (isDot(name)) return accesses.seen(attributesOf(parent, inode))
    const address = isDotDot(name) ? inode.parent : new Directory(attempt, region, inode).find(name)?.address
    if (address === undefined) throw new FsError('ENOENT', 'no such file or directory')
    return accesses.seen(attributesOf(address, readInode(attempt, runner.named(address))))
  }
}

export function attributes({ runner, accesses }: Volume, file: Address) {
  return (attempt: Attempt): FileAttributes =>
    accesses.seen(attributesOf(file, readInode(attempt, runner.region(file))))
}

/** Names behind a position, in their order, without `.` and `..`; none at the end. */
export function list({ runner }: Volume, directory: Address, behind: number) {
  return (attempt: Attempt): readonly DirectoryEntry[] => {
    const region = runner.region(directory)
    return new Directory(attempt, region, readDirectory(attempt, region)).list(behind)
  }
}

/** What `..` means there. */
export function parentOf({ runner, accesses }: Volume, directory: Address) {
  return (attempt: Attempt): FileAttributes => {
    const { parent } = readDirectory(attempt, runner.region(directory))
    return accesses.seen(attributesOf(parent, readInode(attempt, runner.named(parent))))
  }
}

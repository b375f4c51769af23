import type { Address } from '../../address/address.js'
import { attributesOf } from '../attributes.js'
import type { FileAttributes } from '../attributes.js'
import { Directory } from '../directory/directory.js'
import { FsError } from '../errno.js'
import { linksMax, newRegionPages, targetBytesMax } from '../file/limits.js'
import { Inode, inodeHeadBytes, setGroupId, inodePage } from '../layout/inode.js'
import type { FileKind } from '../layout/inode.js'
import { checkNewName } from '../names.js'
import type { Timestamp } from '../environment.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { readDirectory, writeDirectory } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'

/** What a new file is to be. */
export interface NewFile {
  readonly kind: FileKind
  /** Permissions, set-id and sticky bits; of a symbolic link all are set. */
  readonly mode: number
  /** Who it belongs to. In a directory with its set-group-id bit the group is the directory's. */
  readonly uid: number
  readonly gid: number
  /** Of a device node. */
  readonly device?: number
  /** Of a symbolic link. */
  readonly target?: Uint8Array
}

/** Makes a file with a name in the directory. Throws `EEXIST`, `ENOTDIR`, `ENOENT`, `ENAMETOOLONG`, `EINVAL`, `EMLINK`, `ENOSPC`. */
export function create(volume: Volume, parent: Address, name: Uint8Array, made: NewFile) {
  checkNewName(name, 'EEXIST')
  const { kind, target } = made
  if (kind === 'symlink') checkTarget(target)
  return (attempt: Attempt): FileAttributes => {
    const parentRegion = volume.runner.region(parent)
    const parentInode = writeDirectory(attempt, parentRegion)
    const directory = new Directory(attempt, parentRegion, parentInode)
    if (directory.find(name) !== undefined) throw new FsError('EEXIST', 'the name is there already')
    const isDirectory = kind === 'directory'
    if (isDirectory && parentInode.links >= linksMax)
      throw new FsError('EMLINK', `a directory has at most ${linksMax - 2} directories in it`)
    const add = directory.toAdd(name)
    const { region, make } = toMake(volume, attempt, { parent, parentInode, made })
    attempt.change()
    const now = volume.environment.now()
    const inode = make(now)
    inode.links = isDirectory ? 2 : 1
    if (isDirectory) parentInode.links += 1
    add({ kind, ino: inode.ino, address: region.address })
    parentInode.touchModified(now)
    return attributesOf(region.address, inode)
  }
}

/** Whether a file that is made without a name may get one later. */
export type Naming = 'may-be-named' | 'never-named'

/**
 * Makes a file without a name, as if in the directory: it goes as one does that has lost its last name, unless it is open, or has got one. Whoever makes it opens it
 * at once. Throws `ENOTDIR`, `ENOENT`, `ENOSPC`.
 */
export function createUnnamed(volume: Volume, parent: Address, made: NewFile, naming: Naming) {
  return (attempt: Attempt): FileAttributes => {
    const parentInode = readDirectory(attempt, volume.runner.region(parent))
    if (parentInode.links === 0) throw new FsError('ENOENT', 'the directory has been removed')
    const { region, make } = toMake(volume, attempt, { parent, parentInode, made })
    const addOrphan = volume.orphans.toAdd(attempt, region.address)
    attempt.change()
    const inode = make(volume.environment.now())
    inode.links = 0
    inode.mayBeNamed = naming === 'may-be-named'
    volume.reaper.add(region.address, inode.ino, addOrphan())
    return attributesOf(region.address, inode)
  }
}

/** Asks for what a new file takes; what it answers makes it, without any name. Throws `Miss`, `ENOSPC`. */
export function toMake(
  { environment, spares, inos }: Volume,
  attempt: Attempt,
  {
    parent,
    parentInode,
    made,
  }: { readonly parent: Address; readonly parentInode: Inode; readonly made: NewFile },
): { readonly region: FsRegion; readonly make: (now: Timestamp) => Inode } {
  const { kind, uid, device = 0, target } = made
  const settings = { pageSize: parentInode.childPageSize, minReplicas: parentInode.replicas }
  const spare = spares.toTake(attempt, settings)
  const ino = inos.peek(attempt)
  const page = attempt.write(spare.region, inodePage)
  const isLong = target !== undefined && target.length > settings.pageSize - inodeHeadBytes
  const targetPage = isLong ? attempt.write(spare.region, inodePage + 1) : undefined
  const make = (now: Timestamp): Inode => {
    spare.take()
    inos.take()
    const isDirectory = kind === 'directory'
    const inode = Inode.format(page, kind, ino)
    const inheritsGroup = (parentInode.mode & setGroupId) !== 0
    inode.mode = kind === 'symlink' ? 0o777 : made.mode | (isDirectory && inheritsGroup ? setGroupId : 0)
    inode.uid = uid
    inode.gid = inheritsGroup ? parentInode.gid : made.gid
    inode.device = device
    inode.replicas = parentInode.replicas
    inode.allocatedEnd = newRegionPages
    inode.born = now
    inode.accessed = now
    inode.touchModified(now)
    if (isDirectory) {
      inode.parent = parent
      inode.childPageSize = parentInode.childPageSize
      const random = environment.randomBytes(4)
      inode.hashSeed = new DataView(random.buffer, random.byteOffset).getUint32(0)
    }
    if (target !== undefined) {
      inode.size = target.length
      if (targetPage === undefined) {
        inode.tail.set(target)
        inode.tailBytes = target.length
      } else {
        targetPage.set(target)
        inode.isInTail = false
      }
    }
    return inode
  }
  return { region: spare.region, make }
}

function checkTarget(target: Uint8Array | undefined): void {
  if (target === undefined || target.length === 0) throw new FsError('ENOENT', 'a symbolic link has a target')
  if (target.length > targetBytesMax)
    throw new FsError('ENAMETOOLONG', `the target of a symbolic link has at most ${targetBytesMax} bytes`)
}

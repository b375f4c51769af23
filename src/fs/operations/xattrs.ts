import type { Address } from '../../address/address.js'
import { formatAddress } from '../../address/address.js'
import { Directory } from '../directory/directory.js'
import { FsError } from '../errno.js'
import { Contents } from '../file/contents.js'
import { inodeHeadBytes } from '../layout/inode.js'
import type { Inode } from '../layout/inode.js'
import { setXattrs, xattrNameBytesMax, xattrValueBytesMax, xattrsBytes, xattrsOf } from '../layout/xattrs.js'
import type { Xattr } from '../layout/xattrs.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import { readInode, writeInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'

/** Attributes that say how the file is kept, and, of directories, how new files in it will be. */
const ownPrefix = 'user.khazana.'
const pageSizeMin = 4096
const pageSizeMax = 1024 * 1024

const encoder = new TextEncoder()

/** The number that the attribute is set to, where it is the one that says on how many nodes a file is kept, which takes more than the inode. */
export function replicasIn({ name, value }: Xattr): number | undefined {
  return name === `${ownPrefix}replicas` ? Number(new TextDecoder().decode(value)) : undefined
}

/** `create`: it must not be there; `replace`: it must be. */
export type SetHow = 'any' | 'create' | 'replace'

/** Throws `ENODATA` where there is no such attribute. */
export function getXattr({ runner }: Volume, file: Address, name: string) {
  return (attempt: Attempt): Uint8Array => {
    const region = runner.region(file)
    const inode = readInode(attempt, region)
    const value = name.startsWith(ownPrefix)
      ? ownAttributes(region, inode).get(name)
      : xattrsOf(inode).find((one) => one.name === name)?.value
    if (value === undefined) throw new FsError('ENODATA', 'no such extended attribute')
    return typeof value === 'string' ? encoder.encode(value) : value
  }
}

/** All names: how the file is kept is among them. */
export function listXattrs({ runner }: Volume, file: Address) {
  return (attempt: Attempt): readonly string[] => {
    const region = runner.region(file)
    const inode = readInode(attempt, region)
    const own =
      inode.kind === 'file' || inode.kind === 'directory' ? [...ownAttributes(region, inode).keys()] : []
    return [...xattrsOf(inode).map(({ name }) => name), ...own]
  }
}

/** Throws `EINVAL` for a name with more than bytes in it, `EEXIST`, `ENODATA`, `ERANGE`, `E2BIG`, `ENOSPC` where the inode has no room, `EINVAL` for a setting of Khazana's that cannot be. */
export function setXattr(volume: Volume, file: Address, { name, value }: Xattr, how: SetHow) {
  if (name.length === 0 || name.length > xattrNameBytesMax)
    throw new FsError('ERANGE', `the name of an attribute has 1 to ${xattrNameBytesMax} bytes`)
  if (/[^\u0000-\u00ff]/.test(name))
    throw new FsError('EINVAL', 'the name of an attribute has a character, 0 to 255, for each of its bytes')
  if (value.length > xattrValueBytesMax)
    throw new FsError('E2BIG', `the value of an attribute has at most ${xattrValueBytesMax} bytes`)
  return (attempt: Attempt): void => {
    const { runner, environment } = volume
    const region = runner.region(file)
    const inode = writeInode(attempt, region)
    if (name.startsWith(ownPrefix)) {
      const set = toSetOwn(inode, name, value)
      attempt.change()
      set()
    } else {
      const before = xattrsOf(inode)
      const index = before.findIndex((one) => one.name === name)
      if (how === 'create' && index >= 0) throw new FsError('EEXIST', 'the attribute is there already')
      if (how === 'replace' && index < 0) throw new FsError('ENODATA', 'no such extended attribute')
      const after = index < 0 ? [...before, { name, value }] : before.with(index, { name, value })
      const makeRoom = toMakeRoom(attempt, region, inode, xattrsBytes(after, region.pageSize))
      attempt.change()
      makeRoom()
      setXattrs(inode, after)
    }
    inode.touchChanged(environment.now())
  }
}

/** Throws `ENODATA`; `EPERM` for how the file is kept. */
export function removeXattr(volume: Volume, file: Address, name: string) {
  return (attempt: Attempt): void => {
    const { runner, environment } = volume
    const region = runner.region(file)
    const inode = writeInode(attempt, region)
    if (name.startsWith(ownPrefix) && ownAttributes(region, inode).has(name))
      throw new FsError('EPERM', 'how a file is kept can be changed, not removed')
    const before = xattrsOf(inode)
    const after = before.filter((one) => one.name !== name)
    if (after.length === before.length) throw new FsError('ENODATA', 'no such extended attribute')
    attempt.change()
    setXattrs(inode, after)
    inode.touchChanged(environment.now())
  }
}

/** What is at the front of the page goes elsewhere where the attributes need its room. */
function toMakeRoom(attempt: Attempt, region: FsRegion, inode: Inode, xattrBytes: number): () => void {
  if (inodeHeadBytes + inode.tailBytes + xattrBytes <= region.pageSize) return () => undefined
  return inode.kind === 'directory'
    ? new Directory(attempt, region, inode).toLeaveTail()
    : new Contents(attempt, region, inode).toLeaveTail()
}

function ownAttributes(region: FsRegion, inode: Inode): ReadonlyMap<string, string> {
  const known = new Map<string, string>([
    ['address', formatAddress(region.address)],
    ['replicas', `${inode.replicas}`],
    ['page-size', `${inode.kind === 'directory' ? inode.childPageSize : region.pageSize}`],
    ['protocol', 'strict'],
  ])
  return new Map([...known].map(([name, value]) => [`${ownPrefix}${name}`, value]))
}

function toSetOwn(inode: Inode, name: string, value: Uint8Array): () => void {
  const number = Number(new TextDecoder().decode(value))
  switch (name.slice(ownPrefix.length)) {
    case 'page-size':
      if (inode.kind !== 'directory')
        throw new FsError('EPERM', 'a file keeps the page size that it was made with')
      if (!Number.isInteger(Math.log2(number)) || number < pageSizeMin || number > pageSizeMax)
        throw new FsError('EINVAL', `a page has a power of two of bytes, ${pageSizeMin} to ${pageSizeMax}`)
      return () => {
        inode.childPageSize = number
      }
    default:
      throw new FsError('EPERM', `${name} cannot be set`)
  }
}

import type { FileAttributes } from '../../fs/attributes.js'
import type { FileKind } from '../../fs/layout/inode.js'
import type { Attributes } from '../protocol/attributes.js'

/** The upper bits of a mode, which say what a file is. */
const kindBits: Readonly<Record<FileKind, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
}

export const permissionBits = 0o7777
/** Those that have a program run as its owner, or as one of its group. */
export const setIdBits = 0o6000
const kindMask = 0o170000

export function typeBits(kind: FileKind): number {
  return kindBits[kind]
}

/** Undefined where the bits say nothing that there is. None at all is a file. */
export function kindOfMode(mode: number): FileKind | undefined {
  const bits = mode & kindMask
  if (bits === 0) return 'file'
  return (Object.keys(kindBits) as FileKind[]).find((kind) => kindBits[kind] === bits)
}

const blockBytes = 512

export function toFuse(attributes: FileAttributes, blockSize: number): Attributes {
  const { ino, size, storedBytes, accessed, modified, changed, kind, mode, links, uid, gid, device } =
    attributes
  return {
    ...{ node: ino, size, atime: accessed, mtime: modified, ctime: changed },
    ...{ nlink: links, uid, gid, rdev: device, blockSize },
    blocks: Math.ceil(storedBytes / blockBytes),
    mode: typeBits(kind) | mode,
  }
}

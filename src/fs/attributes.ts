import type { Address } from '../address/address.js'
import type { Timestamp } from './environment.js'
import type { FileKind, Inode } from './layout/inode.js'

/** By what a file is named: where its region begins. */
export type FileAddress = Address

/** What is known of a file. */
export interface FileAttributes {
  readonly address: Address
  /** The number that no other file of the file system ever has. */
  readonly ino: number
  readonly kind: FileKind
  /** Permissions, set-id and sticky bits. */
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  /** Bytes that have storage, about. */
  readonly storedBytes: number
  /** Of device nodes, as the kernel encodes it. */
  readonly device: number
  readonly accessed: Timestamp
  readonly modified: Timestamp
  readonly changed: Timestamp
  readonly born: Timestamp
  /** Grows with every change of the file's attributes. */
  readonly revision: number
}

export function attributesOf(address: Address, inode: Inode): FileAttributes {
  const { ino, kind, mode, links, uid, gid, device, accessed, modified, changed, born, revision } = inode
  const pageSize = inode.bytes.length
  const size = kind === 'directory' && inode.isInTail ? pageSize : inode.size
  const stored = inode.isInTail ? 0 : storedPagesOf(inode, size) * pageSize
  const times = { accessed, modified, changed, born }
  return { address, ino, kind, mode, links, uid, gid, size, storedBytes: stored, device, ...times, revision }
}

function storedPagesOf({ kind, residueEnd, storedPages, allocatedEnd, bytes }: Inode, size: number): number {
  const needed = Math.ceil(size / bytes.length)
  if (kind !== 'file') return Math.min(needed, allocatedEnd - 1)
  // What has been cut off is gone, though it takes a moment.
  return residueEnd > size ? Math.min(needed, storedPages) : storedPages
}

import { FsError } from '../errno.js'
import type { Inode } from './inode.js'

/** An extended attribute: a name, with its class in front (`user.`) and a character (0 to 255) for each byte; and bytes. */
export interface Xattr {
  readonly name: string
  readonly value: Uint8Array
}

/** Bytes of a name. As Linux has it. */
export const xattrNameBytesMax = 255
/** Bytes of a value. As Linux has it; what a file has room for is less. */
export const xattrValueBytesMax = 65_536

/** The name's length, and the value's in three bytes. */
const headBytes = 4
/** The share of an inode's page that attributes may take. */
const share = 0.5

/** The extended attributes in an inode's page, in the order in which they were made. Throws `EIO` for what is damaged. */
export function xattrsOf({ bytes, xattrBytes }: Inode): Xattr[] {
  const found: Xattr[] = []
  for (let at = bytes.length - xattrBytes; at < bytes.length;) {
    const nameEnd = at + headBytes + (bytes[at] ?? 0)
    const end = nameEnd + (bytes[at + 1] ?? 0) * 65_536 + (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0)
    if (end > bytes.length) throw new FsError('EIO', 'the extended attributes of a file are damaged')
    found.push({
      name: String.fromCharCode(...bytes.subarray(at + headBytes, nameEnd)),
      value: bytes.slice(nameEnd, end),
    })
    at = end
  }
  return found
}

/** Bytes that they take. Throws `ENOSPC` where a page has no room for them. */
export function xattrsBytes(xattrs: readonly Xattr[], pageSize: number): number {
  const total = xattrs.reduce((sum, { name, value }) => sum + headBytes + name.length + value.length, 0)
  if (total > pageSize * share)
    throw new FsError('ENOSPC', `the extended attributes of a file have room for ${pageSize * share} bytes`)
  return total
}

/** Puts them where those of before were. The tail must end before. */
export function setXattrs(inode: Inode, xattrs: readonly Xattr[]): void {
  const { bytes } = inode
  const total = xattrsBytes(xattrs, bytes.length)
  bytes.fill(0, bytes.length - Math.max(total, inode.xattrBytes))
  inode.xattrBytes = total
  let at = bytes.length - total
  for (const { name, value } of xattrs) {
    bytes[at] = name.length
    bytes[at + 1] = value.length >> 16
    bytes[at + 2] = (value.length >> 8) & 0xff
    bytes[at + 3] = value.length & 0xff
    for (let index = 0; index < name.length; index++) bytes[at + headBytes + index] = name.charCodeAt(index)
    bytes.set(value, at + headBytes + name.length)
    at += headBytes + name.length + value.length
  }
}

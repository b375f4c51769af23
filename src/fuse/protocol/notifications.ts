import { putI53, putU53, viewOf } from './replies.js'

const codes = { invalInode: 2, invalEntry: 3 } as const
const headerBytes = 16

/** What the kernel has cached of the file's bytes from `offset` on is not to be used any more: all of them for a length of 0; its attributes alone for an offset of -1. */
export function invalidateInode(node: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(headerBytes + 24)
  const view = viewOf(bytes)
  putHeader(view, bytes.length, codes.invalInode)
  putU53(view, headerBytes, node)
  putI53(view, headerBytes + 8, offset)
  putI53(view, headerBytes + 16, length)
  return bytes
}

/** What the kernel knows of the name is not to be used any more. */
export function invalidateEntry(parent: number, name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes + 16 + name.length + 1)
  const view = viewOf(bytes)
  putHeader(view, bytes.length, codes.invalEntry)
  putU53(view, headerBytes, parent)
  view.setUint32(headerBytes + 8, name.length, true)
  bytes.set(name, headerBytes + 16)
  return bytes
}

/** A notification is an answer to nobody, with its code in place of an error. */
function putHeader(view: DataView, length: number, code: number): void {
  view.setUint32(0, length, true)
  view.setInt32(4, code, true)
}

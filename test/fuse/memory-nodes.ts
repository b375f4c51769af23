import { Errno } from '../../src/fuse/errno.js'
import type { Attributes, Entry } from '../../src/fuse/protocol/attributes.js'
import type { Time } from '../../src/fuse/protocol/requests.js'

export const typeMask = 0o170000
export const directoryType = 0o040000
export const fileType = 0o100000
export const linkType = 0o120000

export interface MemoryNode {
  readonly number: number
  mode: number
  uid: number
  gid: number
  rdev: number
  nlink: number
  size: number
  /** At least `size` bytes; those beyond are zero. */
  data: Uint8Array
  target: string
  readonly children: Map<string, number>
  parent: number
  readonly xattrs: Map<string, Uint8Array>
  atime: Time
  mtime: Time
  ctime: Time
}

/** How long the kernel may believe what it is told: long, so that tests see what invalidation does. */
const validMs = 3_600_000

/** The nodes of the file system that the tests mount. Nodes whose last name goes stay, as files may be open. */
export class MemoryNodes {
  readonly #nodes = new Map<number, MemoryNode>()
  #last = 0

  constructor() {
    const root = this.make({ mode: directoryType | 0o755, uid: 0, gid: 0, rdev: 0 })
    root.parent = root.number
    root.nlink = 2
  }

  make(of: { mode: number; uid: number; gid: number; rdev: number }): MemoryNode {
    const time = now()
    const node: MemoryNode = {
      number: ++this.#last,
      ...of,
      nlink: 0,
      size: 0,
      data: new Uint8Array(0),
      target: '',
      children: new Map(),
      parent: 0,
      xattrs: new Map(),
      atime: time,
      mtime: time,
      ctime: time,
    }
    this.#nodes.set(node.number, node)
    return node
  }

  get(number: number): MemoryNode {
    const node = this.#nodes.get(number)
    if (node === undefined) throw Errno.of('ESTALE')
    return node
  }

  child(parent: number, name: string): MemoryNode {
    const node = this.get(parent)
    if (name === '.') return node
    if (name === '..') return this.get(node.parent)
    const number = node.children.get(name)
    if (number === undefined) throw Errno.of('ENOENT')
    return this.get(number)
  }

  /** Gives the node a name; throws EEXIST. */
  attach(parent: number, name: string, node: MemoryNode): void {
    const folder = this.get(parent)
    if (folder.children.has(name)) throw Errno.of('EEXIST')
    folder.children.set(name, node.number)
    node.nlink += 1
    if (isDirectory(node)) {
      node.parent = parent
      node.nlink = 2
      folder.nlink += 1
    }
    folder.mtime = folder.ctime = node.ctime = now()
  }

  detach(parent: number, name: string): MemoryNode {
    const folder = this.get(parent)
    const node = this.child(parent, name)
    folder.children.delete(name)
    node.nlink -= isDirectory(node) ? 2 : 1
    if (isDirectory(node)) folder.nlink -= 1
    folder.mtime = folder.ctime = node.ctime = now()
    return node
  }
}

/** A name of bytes as a string of as many characters, and back. */
export function text(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}

export function bytesOf(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(name, 'latin1'))
}

export function now(): Time {
  const ms = Date.now()
  return { seconds: Math.floor(ms / 1000), nanoseconds: (ms % 1000) * 1_000_000 }
}

export function isDirectory(node: MemoryNode): boolean {
  return (node.mode & typeMask) === directoryType
}

export function attributesOf(node: MemoryNode): Attributes {
  return {
    node: node.number,
    size: node.size,
    blocks: Math.ceil(node.size / 512),
    atime: node.atime,
    mtime: node.mtime,
    ctime: node.ctime,
    mode: node.mode,
    nlink: node.nlink,
    uid: node.uid,
    gid: node.gid,
    rdev: node.rdev,
    blockSize: 4096,
  }
}

export function answerOf(node: MemoryNode): { attributesValidMs: number; attributes: Attributes } {
  return { attributesValidMs: validMs, attributes: attributesOf(node) }
}

export function entryOf(node: MemoryNode): Entry {
  return {
    node: node.number,
    generation: 0,
    entryValidMs: validMs,
    attributesValidMs: validMs,
    attributes: attributesOf(node),
  }
}

/** Grows by doubling, so that a file written piece by piece is not copied at each. */
export function resize(node: MemoryNode, size: number): void {
  if (size > node.data.length) {
    const grown = new Uint8Array(Math.max(size, node.data.length * 2, 4096))
    grown.set(node.data.subarray(0, node.size))
    node.data = grown
  } else if (size < node.size) {
    node.data.fill(0, size, node.size)
  }
  node.size = size
}

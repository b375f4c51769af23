import { Errno } from '../../src/fuse/errno.js'
import type { Answer, Call, FuseOperations, ReadAnswer } from '../../src/fuse/server/operations.js'
import type { AttributesAnswer, Entry } from '../../src/fuse/protocol/attributes.js'
import { DirectoryBuilder, DirectoryPlusBuilder } from '../../src/fuse/protocol/directory-builder.js'
import { openReplyFlags } from '../../src/fuse/protocol/flags.js'
import type { CreateAnswer, OpenAnswer, StatfsAnswer } from '../../src/fuse/protocol/reply-writer.js'
import type { FileLock, RequestOf } from '../../src/fuse/protocol/requests.js'
import { MemoryLocks } from './memory-locks.js'
import type { MemoryNode } from './memory-nodes.js'
import {
  answerOf,
  bytesOf,
  directoryType,
  entryOf,
  fileType,
  isDirectory,
  linkType,
  MemoryNodes,
  now,
  resize,
  text,
} from './memory-nodes.js'

const truncates = 0o1000
const noReplace = 1
const exchange = 2

export interface MemoryFileSystemOptions {
  /** `direct`: no read is served from the page cache, and no attributes from that of inodes. */
  readonly reads: 'cached' | 'direct'
  /** `later`: every operation answers with a promise. */
  readonly answers: 'at-once' | 'later'
}

/**
 * A file system in memory, for mounts of tests. Special names: a read of `hangs` waits until it is interrupted; a
 * read of `throws` fails with an error that is no Errno.
 */
export class MemoryFileSystem implements FuseOperations {
  readonly nodes = new MemoryNodes()
  /** How often each operation was called. */
  readonly counts = { read: 0, create: 0, lookup: 0, getattr: 0, interrupted: 0 }
  readonly #locks = new MemoryLocks()
  readonly #options: MemoryFileSystemOptions
  readonly #listings = new Map<number, readonly [string, MemoryNode][]>()
  #lastHandle = 0

  constructor(options: MemoryFileSystemOptions) {
    this.#options = options
  }

  lookup({ header, name }: RequestOf<'lookup'>): Answer<Entry> {
    this.counts.lookup++
    return this.#later(this.#entryOf(this.nodes.child(header.node, text(name))))
  }

  getattr({ header }: RequestOf<'getattr'>): Answer<AttributesAnswer> {
    this.counts.getattr++
    return this.#later(this.#answerOf(this.nodes.get(header.node)))
  }

  setattr(request: RequestOf<'setattr'>): Answer<AttributesAnswer> {
    const node = this.nodes.get(request.header.node)
    const { mode, uid, gid, size, atime, mtime, ctime } = request
    if (mode !== undefined) node.mode = (node.mode & 0o170000) | (mode & 0o7777)
    if (uid !== undefined) node.uid = uid
    if (gid !== undefined) node.gid = gid
    node.ctime = now()
    if (size !== undefined) {
      resize(node, size)
      node.mtime = node.ctime
    }
    if (atime !== undefined) node.atime = atime === 'now' ? now() : atime
    if (mtime !== undefined) node.mtime = mtime === 'now' ? now() : mtime
    if (ctime !== undefined) node.ctime = ctime
    return this.#later(this.#answerOf(node))
  }

  readlink({ header }: RequestOf<'readlink'>): Answer<Uint8Array> {
    return this.#later(bytesOf(this.nodes.get(header.node).target))
  }

  symlink({ header, name, target }: RequestOf<'symlink'>): Answer<Entry> {
    const { uid, gid } = header
    const node = this.nodes.make({ mode: linkType | 0o777, uid, gid, rdev: 0 })
    node.target = text(target)
    node.size = target.length
    this.nodes.attach(header.node, text(name), node)
    return this.#later(this.#entryOf(node))
  }

  mknod({ header, name, mode, rdev }: RequestOf<'mknod'>): Answer<Entry> {
    const { uid, gid } = header
    const node = this.nodes.make({ mode, uid, gid, rdev })
    this.nodes.attach(header.node, text(name), node)
    return this.#later(this.#entryOf(node))
  }

  mkdir({ header, name, mode }: RequestOf<'mkdir'>): Answer<Entry> {
    const { uid, gid } = header
    const node = this.nodes.make({ mode: directoryType | (mode & 0o7777), uid, gid, rdev: 0 })
    this.nodes.attach(header.node, text(name), node)
    return this.#later(this.#entryOf(node))
  }

  unlink({ header, name }: RequestOf<'unlink'>): Answer<void> {
    if (isDirectory(this.nodes.child(header.node, text(name)))) return Errno.of('EISDIR')
    this.nodes.detach(header.node, text(name))
    return this.#later(undefined)
  }

  rmdir({ header, name }: RequestOf<'rmdir'>): Answer<void> {
    const node = this.nodes.child(header.node, text(name))
    if (!isDirectory(node)) return Errno.of('ENOTDIR')
    if (node.children.size > 0) return Errno.of('ENOTEMPTY')
    this.nodes.detach(header.node, text(name))
    return this.#later(undefined)
  }

  rename({ header, name, newParent, newName, flags }: RequestOf<'rename'>): Answer<void> {
    if ((flags & ~(noReplace | exchange)) !== 0) return Errno.of('EINVAL')
    const source = this.nodes.child(header.node, text(name))
    const has = this.nodes.get(newParent).children.has(text(newName))
    if (has && flags === noReplace) return Errno.of('EEXIST')
    if (!has && flags === exchange) return Errno.of('ENOENT')
    const replaced = has ? this.nodes.child(newParent, text(newName)) : undefined
    if (replaced === source) return undefined
    if (flags === 0 && replaced !== undefined && replaced.children.size > 0) return Errno.of('ENOTEMPTY')
    this.nodes.detach(header.node, text(name))
    if (replaced !== undefined) this.nodes.detach(newParent, text(newName))
    this.nodes.attach(newParent, text(newName), source)
    if (flags === exchange && replaced !== undefined) this.nodes.attach(header.node, text(name), replaced)
    return this.#later(undefined)
  }

  link({ header, source, name }: RequestOf<'link'>): Answer<Entry> {
    const node = this.nodes.get(source)
    this.nodes.attach(header.node, text(name), node)
    return this.#later(this.#entryOf(node))
  }

  open({ header, flags }: RequestOf<'open'>): Answer<OpenAnswer> {
    const node = this.nodes.get(header.node)
    if ((flags & truncates) !== 0) resize(node, 0)
    return this.#later(this.#opened())
  }

  create({ header, name, mode, flags }: RequestOf<'create'>): Answer<CreateAnswer> {
    const { uid, gid } = header
    this.counts.create++
    const isThere = this.nodes.get(header.node).children.has(text(name))
    const node = isThere
      ? this.nodes.child(header.node, text(name))
      : this.nodes.make({ mode: fileType | (mode & 0o7777), uid, gid, rdev: 0 })
    if (!isThere) this.nodes.attach(header.node, text(name), node)
    else if ((flags & truncates) !== 0) resize(node, 0)
    return this.#later({ entry: this.#entryOf(node), ...this.#opened() })
  }

  read({ header, offset, size }: RequestOf<'read'>, call: Call): Answer<ReadAnswer> {
    this.counts.read++
    const node = this.nodes.get(header.node)
    const root = this.nodes.get(1).children
    if (root.get('throws') === node.number) throw new Error('a fault of the file system')
    if (root.get('hangs') === node.number) {
      return new Promise((resolve) => {
        call.signal.addEventListener('abort', () => {
          this.counts.interrupted++
          resolve(Errno.of('EINTR'))
        })
      })
    }
    const bytes = node.data.subarray(Math.min(offset, node.size), Math.min(offset + size, node.size))
    // In two pieces, as from pages that lie apart.
    const half = bytes.length >>> 1
    return this.#later(bytes.length > 65_536 ? [bytes.subarray(0, half), bytes.subarray(half)] : bytes)
  }

  write({ header, offset, data }: RequestOf<'write'>): Answer<number> {
    const put = () => {
      const node = this.nodes.get(header.node)
      if (offset + data.length > node.size) resize(node, offset + data.length)
      node.data.set(data, offset)
      node.mtime = node.ctime = now()
      return data.length
    }
    // Later, the data is still there: the buffer is ours until we answer.
    return this.#options.answers === 'at-once'
      ? put()
      : new Promise((resolve) => setImmediate(() => resolve(put())))
  }

  statfs(): Answer<StatfsAnswer> {
    return {
      blocks: 1 << 20,
      blocksFree: 1 << 19,
      blocksAvailable: 1 << 19,
      files: 1000,
      filesFree: 500,
      blockSize: 4096,
      nameBytesMax: 255,
      fragmentSize: 4096,
    }
  }

  fsync(): Answer<void> {
    return this.#later(undefined)
  }

  flush({ header, lockOwner }: RequestOf<'flush'>): Answer<void> {
    this.#locks.drop(header.node, lockOwner)
    return this.#later(undefined)
  }

  release({ header, unlockFlock, lockOwner }: RequestOf<'release'>): Answer<void> {
    if (unlockFlock) this.#locks.drop(header.node, lockOwner)
    return undefined
  }

  setxattr({ header, name, value, flags }: RequestOf<'setxattr'>): Answer<void> {
    const { xattrs } = this.nodes.get(header.node)
    if (flags === 1 && xattrs.has(name)) return Errno.of('EEXIST')
    if (flags === 2 && !xattrs.has(name)) return Errno.of('ENODATA')
    xattrs.set(name, value.slice())
    return this.#later(undefined)
  }

  getxattr({ header, name }: RequestOf<'getxattr'>): Answer<Uint8Array> {
    return this.nodes.get(header.node).xattrs.get(name) ?? Errno.of('ENODATA')
  }

  listxattr({ header }: RequestOf<'listxattr'>): Answer<readonly string[]> {
    return [...this.nodes.get(header.node).xattrs.keys()]
  }

  removexattr({ header, name }: RequestOf<'removexattr'>): Answer<void> {
    return this.nodes.get(header.node).xattrs.delete(name) ? undefined : Errno.of('ENODATA')
  }

  opendir({ header }: RequestOf<'opendir'>): Answer<OpenAnswer> {
    const folder = this.nodes.get(header.node)
    const fh = ++this.#lastHandle
    // What is in the folder now: names that come or go while it is read do not move the others.
    this.#listings.set(fh, [
      ['.', folder],
      ['..', this.nodes.get(folder.parent)],
      ...[...folder.children].map(([name, number]): [string, MemoryNode] => [name, this.nodes.get(number)]),
    ])
    return this.#later({ fh, flags: 0 })
  }

  readdir({ fh, offset, size }: RequestOf<'readdir'>): Answer<Uint8Array> {
    const builder = new DirectoryBuilder(size)
    this.#list(fh, offset, (name, node, nextOffset) =>
      builder.add({ node: node.number, name: bytesOf(name), mode: node.mode, nextOffset }),
    )
    return this.#later(builder.finish())
  }

  readdirplus({ fh, offset, size }: RequestOf<'readdirplus'>): Answer<Uint8Array> {
    const builder = new DirectoryPlusBuilder(size)
    this.#list(fh, offset, (name, node, nextOffset) => {
      const item = { node: node.number, name: bytesOf(name), mode: node.mode, nextOffset }
      return builder.addEntry(item, name === '.' || name === '..' ? undefined : this.#entryOf(node))
    })
    return this.#later(builder.finish())
  }

  releasedir({ fh }: RequestOf<'releasedir'>): Answer<void> {
    this.#listings.delete(fh)
    return undefined
  }

  getlk(request: RequestOf<'getlk'>): Answer<FileLock> {
    return this.#locks.get(request)
  }

  setlk(request: RequestOf<'setlk'>, call: Call): Answer<void> {
    return this.#locks.set(request, call)
  }

  #list(fh: number, offset: number, add: (name: string, node: MemoryNode, next: number) => boolean): void {
    const listing = this.#listings.get(fh) ?? []
    for (const [index, [name, node]] of listing.entries()) {
      if (index >= offset && !add(name, node, index + 1)) return
    }
  }

  #entryOf(node: MemoryNode): Entry {
    return { ...entryOf(node), ...this.#answerOf(node) }
  }

  #answerOf(node: MemoryNode): AttributesAnswer {
    const answer = answerOf(node)
    return this.#options.reads === 'direct' ? { ...answer, attributesValidMs: 0 } : answer
  }

  #opened(): OpenAnswer {
    const flags = this.#options.reads === 'direct' ? openReplyFlags.directIo : openReplyFlags.keepCache
    return { fh: ++this.#lastHandle, flags }
  }

  #later<T>(value: T): T | Promise<T> {
    return this.#options.answers === 'at-once'
      ? value
      : new Promise((resolve) => setImmediate(() => resolve(value)))
  }
}

import type { FileAddress, FileAttributes } from '../../fs/attributes.js'
import type { FileSystem, Soon } from '../../fs/file-system.js'
import { ErrnoError } from '../errno.js'
import {
  encodeAttributes,
  encodeCount,
  encodeCreated,
  encodeEntry,
  encodeOffset,
  encodeOpen,
  encodeStatfs,
} from '../protocol/replies.js'
import type { EntryReply } from '../protocol/replies.js'
import type { Request, SetAttributes } from '../protocol/request.js'
import type { Answer, FuseHandler } from '../server/fuse-server.js'
import { Listing } from './listing.js'
import { kindOfMode, permissionBits, toFuse } from './modes.js'
import { NodeTable } from './node-table.js'
import type { KnownFile } from './node-table.js'

const openTruncates = 0o1000
const openAppends = 0o2000
const openExclusively = 0o200
const renameNoReplace = 1
const renameExchange = 2
const keepSize = 1
const punchHole = 2
const zeroRange = 16
const seekData = 3
const seekHole = 4
const setCreates = 1
const setReplaces = 2

/** What the kernel is told of an open file: every read and write comes here, as other mounts may have changed it. */
const uncached = 1
/** Nor does it keep what it is told of names and files. Seconds. */
const validSeconds = 0

const decoder = new TextDecoder('utf-8', { fatal: false })
const encoder = new TextEncoder()
const done: Answer = []

type Of<Op extends Request['op']> = Extract<Request, { readonly op: Op }>

export interface FuseFrontOptions {
  readonly fs: FileSystem
  /** Bytes that programs are told to read and write at a time. */
  readonly blockSize: number
}

/** A file system for the kernel: each of its requests as an operation of the library, which is done at once where that can. */
export class FuseFront implements FuseHandler {
  readonly #fs: FileSystem
  readonly #options: FuseFrontOptions
  readonly #nodes: NodeTable
  readonly #listings = new Map<number, Listing>()
  #lastHandle = 0

  constructor(options: FuseFrontOptions) {
    this.#options = options
    this.#fs = options.fs
    this.#nodes = new NodeTable(options.fs.root)
  }

  answer(request: Request): Answer | Promise<Answer> {
    switch (request.op) {
      case 'lookup':
        return then(this.#fs.lookup(this.#at(request.node), request.name), (file) => [
          encodeEntry(this.#tell(file)),
        ])
      case 'forget':
        this.#nodes.forget(request.node, request.count)
        return 'no-answer'
      case 'batchForget':
        for (const { node, count } of request.forgets) this.#nodes.forget(node, count)
        return 'no-answer'
      case 'getattr':
        return then(this.#fs.attributes(this.#at(request.node)), (file) => this.#attributes(file))
      case 'setattr':
        return this.#setAttributes(this.#at(request.node), request.changes)
      case 'readlink':
        return then(this.#fs.readLink(this.#at(request.node)), (target) => [target])
      case 'symlink':
        return this.#create(request, { kind: 'symlink', mode: 0o777, target: request.target })
      case 'mknod':
        return this.#makeNode(request)
      case 'mkdir':
        return this.#create(request, { kind: 'directory', mode: request.mode & permissionBits })
      case 'unlink':
        return then(this.#fs.unlink(this.#at(request.node), request.name), () => done)
      case 'rmdir':
        return then(this.#fs.removeDirectory(this.#at(request.node), request.name), () => done)
      case 'rename':
      case 'rename2':
        return this.#rename(request)
      case 'link':
        return then(this.#fs.link(this.#at(request.file), this.#at(request.node), request.name), (file) => [
          encodeEntry(this.#tell(file)),
        ])
      case 'open':
        return this.#open(request)
      case 'create':
        return this.#createAndOpen(request)
      case 'read':
        return then(this.#fs.read(this.#at(request.node), request.offset, request.size), (bytes) => [bytes])
      case 'write':
        return this.#write(request)
      case 'flush':
      case 'fsync':
      case 'fsyncdir':
        return this.#sync(this.#at(request.node))
      case 'release':
        this.#fs.close(this.#known(request.node).ino)
        return done
      case 'opendir':
        return this.#openDirectory(request)
      case 'readdir':
        return this.#listing(request.handle).names(request.offset, request.size)
      case 'readdirplus':
        return this.#listing(request.handle).namesAndFiles(request.offset, request.size)
      case 'releasedir':
        this.#listings.delete(request.handle)
        return done
      case 'statfs':
        return this.#usage()
      case 'getxattr':
        return this.#getXattr(request)
      case 'listxattr':
        return this.#listXattrs(request)
      case 'setxattr':
        return this.#setXattr(request)
      case 'removexattr':
        return then(this.#fs.removeXattr(this.#at(request.node), xattrName(request.name)), () => done)
      case 'fallocate':
        return this.#allocate(request)
      case 'lseek':
        return this.#seek(request)
      case 'syncfs':
        return this.#fs.syncAll().then(() => done)
      case 'destroy':
        return done
      case 'access':
      case 'getlk':
      case 'setlk':
      case 'setlkw':
      case 'init':
      case 'interrupt':
        throw new ErrnoError('ENOSYS')
    }
  }

  #known(node: number): KnownFile {
    const file = this.#nodes.get(node)
    if (file === undefined) throw new ErrnoError('ESTALE')
    return file
  }

  #at(node: number): FileAddress {
    return this.#known(node).address
  }

  #tell(file: FileAttributes): EntryReply {
    const { blockSize } = this.#options
    const { node } = this.#nodes.tell(file.address, file.ino)
    return {
      ...{ node, generation: 0, attributes: toFuse(file, blockSize) },
      ...{ entryValid: validSeconds, attributesValid: validSeconds },
    }
  }

  #attributes(file: FileAttributes): Answer {
    const { blockSize } = this.#options
    return [encodeAttributes(toFuse(file, blockSize), validSeconds)]
  }

  #setAttributes(file: FileAddress, { killsSetId, ...changes }: SetAttributes): Soon<Answer> {
    return then(this.#fs.setAttributes(file, { ...changes, losesSetId: killsSetId }), (after) =>
      this.#attributes(after),
    )
  }

  #create(
    { node, name, uid, gid }: Of<'symlink' | 'mkdir' | 'mknod' | 'create'>,
    file: Omit<Parameters<FileSystem['create']>[2], 'uid' | 'gid'>,
  ): Soon<Answer> {
    return then(this.#fs.create(this.#at(node), name, { ...file, uid, gid }), (made) => [
      encodeEntry(this.#tell(made)),
    ])
  }

  #makeNode(request: Of<'mknod'>): Soon<Answer> {
    const kind = kindOfMode(request.mode)
    if (kind === undefined || kind === 'directory' || kind === 'symlink') throw new ErrnoError('EINVAL')
    return this.#create(request, { kind, mode: request.mode & permissionBits, device: request.device })
  }

  #rename({ node, name, newParent, newName, flags }: Of<'rename' | 'rename2'>): Soon<Answer> {
    if ((flags & ~(renameNoReplace | renameExchange)) !== 0) throw new ErrnoError('EINVAL')
    const how = flags === renameNoReplace ? 'no-replace' : flags === renameExchange ? 'exchange' : 'replace'
    const from = { parent: this.#at(node), name }
    return then(this.#fs.rename(from, { parent: this.#at(newParent), name: newName }, how), () => done)
  }

  async #open({ node, flags, killsSetId }: Of<'open' | 'opendir'>): Promise<Answer> {
    const file = this.#known(node)
    await this.#fs.open(file.address)
    if ((flags & openTruncates) !== 0) {
      try {
        await this.#fs.setAttributes(file.address, { size: 0, losesSetId: killsSetId })
      } catch (reason) {
        this.#fs.close(file.ino)
        throw reason
      }
    }
    return [encodeOpen(++this.#lastHandle, uncached)]
  }

  async #createAndOpen(request: Of<'create'>): Promise<Answer> {
    const { node, name, uid, gid, flags, mode } = request
    const parent = this.#at(node)
    let file: FileAttributes
    try {
      file = await this.#fs.create(parent, name, { kind: 'file', mode: mode & permissionBits, uid, gid })
    } catch (reason) {
      const isThere = reason instanceof Error && 'code' in reason && reason.code === 'EEXIST'
      if (!isThere || (flags & openExclusively) !== 0) throw reason
      // Somebody was faster.
      file = await this.#fs.lookup(parent, name)
      if (file.kind !== 'file') throw new ErrnoError(file.kind === 'directory' ? 'EISDIR' : 'ELOOP')
      if ((flags & openTruncates) !== 0) file = await this.#fs.setAttributes(file.address, { size: 0 })
    }
    await this.#fs.open(file.address)
    return [encodeCreated(this.#tell(file), ++this.#lastHandle, uncached)]
  }

  #write({ node, offset, bytes, flags, killsSetId }: Of<'write'>): Soon<Answer> {
    const how = { isAppend: (flags & openAppends) !== 0, losesSetId: killsSetId }
    return then(this.#fs.write(this.#at(node), offset, bytes, how), () => [encodeCount(bytes.length)])
  }

  #sync(file: FileAddress): Soon<Answer> {
    return this.#fs.isDurable(file) ? done : this.#fs.sync(file).then(() => done)
  }

  #openDirectory({ node }: Of<'open' | 'opendir'>): Answer {
    const handle = ++this.#lastHandle
    const tell = (file: FileAttributes): EntryReply => this.#tell(file)
    this.#listings.set(
      handle,
      new Listing({
        fs: this.#fs,
        directory: this.#at(node),
        tell,
        forget: (one) => this.#nodes.forget(one, 1),
      }),
    )
    return [encodeOpen(handle, 0)]
  }

  #listing(handle: number): Listing {
    const listing = this.#listings.get(handle)
    if (listing === undefined) throw new ErrnoError('EBADF')
    return listing
  }

  async #usage(): Promise<Answer> {
    const { blockSize } = this.#options
    const { bytesMax, bytesUsed, nameBytesMax } = await this.#fs.usage()
    const blocks = Math.floor(bytesMax / blockSize)
    const freeBlocks = Math.max(0, Math.floor((bytesMax - bytesUsed) / blockSize))
    return [encodeStatfs({ blocks, freeBlocks, blockSize, nameBytesMax })]
  }

  #getXattr({ node, name, size }: Of<'getxattr'>): Soon<Answer> {
    return then(this.#fs.getXattr(this.#at(node), xattrName(name)), (value) => sized(value, size))
  }

  #listXattrs({ node, size }: Of<'listxattr'>): Soon<Answer> {
    return then(this.#fs.listXattrs(this.#at(node)), (names) =>
      sized(encoder.encode(names.map((name) => `${name}\0`).join('')), size),
    )
  }

  #setXattr({ node, name, value, flags }: Of<'setxattr'>): Soon<Answer> {
    const how = (flags & setCreates) !== 0 ? 'create' : (flags & setReplaces) !== 0 ? 'replace' : 'any'
    return then(this.#fs.setXattr(this.#at(node), { name: xattrName(name), value }, how), () => done)
  }

  async #allocate({ node, offset, length, mode }: Of<'fallocate'>): Promise<Answer> {
    const file = this.#at(node)
    switch (mode) {
      case 0:
        await this.#fs.allocate(file, offset, length, 'grows')
        return done
      case keepSize:
        await this.#fs.allocate(file, offset, length, 'keeps-size')
        return done
      case punchHole | keepSize:
        await this.#fs.punchHole(file, offset, length)
        return done
      case zeroRange:
      case zeroRange | keepSize:
        await this.#fs.punchHole(file, offset, length)
        await this.#fs.allocate(file, offset, length, mode === zeroRange ? 'grows' : 'keeps-size')
        return done
      default:
        throw new ErrnoError('EOPNOTSUPP')
    }
  }

  async #seek({ node, offset, whence }: Of<'lseek'>): Promise<Answer> {
    if (whence !== seekData && whence !== seekHole) throw new ErrnoError('EINVAL')
    return [encodeOffset(await this.#fs.seek(this.#at(node), offset, whence === seekData ? 'data' : 'hole'))]
  }
}

function then<T>(soon: Soon<T>, answer: (value: T) => Answer): Answer | Promise<Answer> {
  return soon instanceof Promise ? soon.then(answer) : answer(soon)
}

/** Of what Linux keeps there for itself, only what every file system can have. */
function xattrName(name: Uint8Array): string {
  const text = decoder.decode(name)
  if (text.startsWith('system.')) throw new ErrnoError('EOPNOTSUPP')
  return text
}

/** Nothing but the length is asked for by a size of 0. */
function sized(value: Uint8Array, size: number): Answer {
  if (size === 0) return [encodeCount(value.length)]
  if (value.length > size) throw new ErrnoError('ERANGE')
  return [value]
}

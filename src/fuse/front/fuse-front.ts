import type { FileAddress, FileAttributes } from '../../fs/attributes.js'
import type { FileSystem, Soon } from '../../fs/file-system.js'
import type { NewFile } from '../../fs/operations/create.js'
import type { Removed } from '../../fs/operations/remove.js'
import type { RenameHow } from '../../fs/operations/rename.js'
import { Errno, errnoOf } from '../errno.js'
import type { AttributesAnswer, Entry } from '../protocol/attributes.js'
import type { CreateAnswer, OpenAnswer, StatfsAnswer } from '../protocol/reply-writer.js'
import type { Forgotten, RequestOf } from '../protocol/requests.js'
import type { Answer, Call, FuseOperations } from '../server/operations.js'
import { uncached } from './caching.js'
import { Listing } from './listing.js'
import { kindOfMode, permissionBits, toFuse } from './modes.js'
import { NodeTable } from './node-table.js'
import type { KnownFile } from './node-table.js'
import { patiently } from './patience.js'
import { inDirectory, then } from './soon.js'
import { checkXattrName, isListed } from './xattr-names.js'

const openTruncates = 0o1000
const openAppends = 0o2000
const openExclusively = 0o200
/** O_DSYNC, which O_SYNC has in it, too. */
const openWritesThrough = 0o10000
/** By the flags of renameat2, but for the one that goes with them. */
const renames: readonly (RenameHow | undefined)[] = ['replace', 'no-replace', 'exchange']
const renameWhiteout = 4
const keepSize = 1
const punchHole = 2
const zeroRange = 16
const seekData = 3
const seekHole = 4
/** In one request, so that others have their turn. */
const copiedBytesMax = 1024 * 1024
const setCreates = 1
const setReplaces = 2

export interface FuseFrontOptions {
  readonly fs: FileSystem
  /** Bytes that programs are told to read and write at a time. */
  readonly blockSize: number
}

/**
 * A file system for the kernel: each of its requests as an operation of the library, which is done at once where that can. Who may do what, the kernel checks
 * (`default_permissions`).
 */
export class FuseFront implements FuseOperations {
  readonly #fs: FileSystem
  readonly #blockSize: number
  readonly #nodes: NodeTable
  readonly #listings = new Map<number, Listing>()
  #lastHandle = 0

  constructor({ fs, blockSize }: FuseFrontOptions) {
    this.#fs = fs
    this.#blockSize = blockSize
    this.#nodes = new NodeTable(fs.root)
  }

  // ---- names -------------------------------------------------------------------------------------------------------

  lookup({ header, name }: RequestOf<'lookup'>, call: Call): Answer<Entry> {
    const found = inDirectory(() => this.#fs.lookup(this.#at(header.node), name))
    return then(patiently(call, found), (file) => this.#tell(file))
  }

  forget(forgotten: readonly Forgotten[]): void {
    for (const { node, lookups } of forgotten) this.#forget(node, lookups)
  }

  symlink(request: RequestOf<'symlink'>): Answer<Entry> {
    return this.#create(request, { kind: 'symlink', mode: 0o777, target: request.target })
  }

  mknod(request: RequestOf<'mknod'>): Answer<Entry> {
    const kind = kindOfMode(request.mode)
    if (kind === undefined || kind === 'directory' || kind === 'symlink') return Errno.of('EINVAL')
    return this.#create(request, { kind, mode: request.mode & permissionBits, device: request.rdev })
  }

  mkdir(request: RequestOf<'mkdir'>): Answer<Entry> {
    return this.#create(request, { kind: 'directory', mode: request.mode & permissionBits })
  }

  link({ header, source, name }: RequestOf<'link'>): Answer<Entry> {
    const linked = inDirectory(() => this.#fs.link(this.#at(source), this.#at(header.node), name))
    return then(linked, (file) => this.#tell(file))
  }

  unlink({ header, name }: RequestOf<'unlink'>): Answer<void> {
    return then(
      inDirectory(() => this.#fs.unlink(this.#at(header.node), name)),
      (removed) => this.#keep(removed),
    )
  }

  rmdir({ header, name }: RequestOf<'rmdir'>): Answer<void> {
    return then(
      inDirectory(() => this.#fs.removeDirectory(this.#at(header.node), name)),
      (removed) => this.#keep(removed),
    )
  }

  rename({ header, name, newParent, newName, flags }: RequestOf<'rename'>): Answer<void> {
    const isWhiteout = (flags & renameWhiteout) !== 0
    const how = renames[flags & ~renameWhiteout]
    if (how === undefined || (isWhiteout && how === 'exchange')) return Errno.of('EINVAL')
    // What Linux shows that a name is not there by, where it lays file systems over each other.
    const { uid, gid } = header
    const left = isWhiteout ? ({ kind: 'character', mode: 0, uid, gid, device: 0 } as const) : undefined
    const from = { parent: this.#at(header.node), name }
    const to = { parent: this.#at(newParent), name: newName }
    return then(
      inDirectory(() => this.#fs.rename(from, to, how, left)),
      (removed) => this.#keep(removed),
    )
  }

  readlink({ header }: RequestOf<'readlink'>, call: Call): Answer<Uint8Array> {
    return patiently(call, this.#fs.readLink(this.#at(header.node)))
  }

  // ---- attributes --------------------------------------------------------------------------------------------------

  getattr({ header }: RequestOf<'getattr'>, call: Call): Answer<AttributesAnswer> {
    return then(patiently(call, this.#fs.attributes(this.#at(header.node))), (file) => this.#attributes(file))
  }

  setattr(request: RequestOf<'setattr'>): Answer<AttributesAnswer> {
    const { header, mode, uid, gid, size, atime, mtime, killSuidGid } = request
    const changes = { mode, uid, gid, size, accessed: atime, modified: mtime, losesSetId: killSuidGid }
    return then(this.#fs.setAttributes(this.#at(header.node), changes), (file) => this.#attributes(file))
  }

  getxattr({ header, name }: RequestOf<'getxattr'>, call: Call): Answer<Uint8Array> {
    checkXattrName(name)
    return patiently(call, this.#fs.getXattr(this.#at(header.node), name))
  }

  listxattr({ header }: RequestOf<'listxattr'>, call: Call): Answer<readonly string[]> {
    const names = patiently(call, this.#fs.listXattrs(this.#at(header.node)))
    return then(names, (all) => all.filter((name) => isListed(name, header)))
  }

  setxattr({ header, name, value, flags }: RequestOf<'setxattr'>): Answer<void> {
    checkXattrName(name)
    const how = (flags & setCreates) !== 0 ? 'create' : (flags & setReplaces) !== 0 ? 'replace' : 'any'
    return this.#fs.setXattr(this.#at(header.node), { name, value }, how)
  }

  removexattr({ header, name }: RequestOf<'removexattr'>): Answer<void> {
    checkXattrName(name)
    return this.#fs.removeXattr(this.#at(header.node), name)
  }

  statfs(_: RequestOf<'statfs'>, call: Call): Answer<StatfsAnswer> {
    return then(patiently(call, this.#fs.usage()), ({ bytesMax, bytesUsed, nameBytesMax }) => {
      const blocks = Math.floor(bytesMax / this.#blockSize)
      const blocksFree = Math.max(0, Math.floor((bytesMax - bytesUsed) / this.#blockSize))
      return {
        ...{ blocks, blocksFree, blocksAvailable: blocksFree, nameBytesMax },
        // Files are not counted: there may be as many as there are blocks.
        ...{
          files: blocks,
          filesFree: blocksFree,
          blockSize: this.#blockSize,
          fragmentSize: this.#blockSize,
        },
      }
    })
  }

  // ---- open files --------------------------------------------------------------------------------------------------

  open({ header, flags, killSuidGid }: RequestOf<'open'>): Answer<OpenAnswer> {
    const file = this.#known(header.node)
    return then(this.#fs.open(file.address), () =>
      (flags & openTruncates) === 0 ? this.#opened() : this.#truncated(file, killSuidGid),
    )
  }

  async create(request: RequestOf<'create'>): Promise<CreateAnswer> {
    const { header, name, flags, mode, killSuidGid } = request
    const { uid, gid } = header
    const parent = this.#at(header.node)
    let file: FileAttributes
    try {
      const made = { kind: 'file', mode: mode & permissionBits, uid, gid } as const
      file = await inDirectory(() => this.#fs.create(parent, name, made))
    } catch (reason) {
      if (errnoOf(reason) !== 'EEXIST' || (flags & openExclusively) !== 0) throw reason
      // Somebody was faster.
      file = await this.#fs.lookup(parent, name)
      if (file.kind !== 'file') throw Errno.of(file.kind === 'directory' ? 'EISDIR' : 'ELOOP')
      if ((flags & openTruncates) !== 0)
        file = await this.#fs.setAttributes(file.address, { size: 0, losesSetId: killSuidGid })
    }
    await this.#fs.open(file.address)
    return { entry: this.#tell(file), ...this.#opened() }
  }

  async tmpfile({ header, flags, mode }: RequestOf<'tmpfile'>): Promise<CreateAnswer> {
    const { node, uid, gid } = header
    const made = { kind: 'file', mode: mode & permissionBits, uid, gid } as const
    const naming = (flags & openExclusively) === 0 ? 'may-be-named' : 'never-named'
    const file = await inDirectory(() => this.#fs.createUnnamed(this.#at(node), made, naming))
    return { entry: this.#tell(file), ...this.#opened() }
  }

  read({ header, offset, size }: RequestOf<'read'>, call: Call): Answer<Uint8Array> {
    return patiently(call, this.#fs.read(this.#at(header.node), offset, size))
  }

  write({ header, offset, data, flags, fromCache, killSuidGid }: RequestOf<'write'>): Answer<number> {
    const file = this.#at(header.node)
    // Pages that come from the kernel belong where they were, however the file was opened.
    const isAppend = (flags & openAppends) !== 0 && !fromCache
    const written = this.#fs.write(file, offset, data, { isAppend, losesSetId: killSuidGid })
    const isDurable = (flags & openWritesThrough) !== 0
    return then(written, () => (isDurable ? then(this.#sync(file), () => data.length) : data.length))
  }

  /** Without it the kernel would copy by way of its pages, which are not told what other mounts write. */
  async copyFileRange(request: RequestOf<'copyFileRange'>): Promise<number> {
    const { header, offset, targetNode, targetOffset, length } = request
    const [from, to] = [this.#at(header.node), this.#at(targetNode)]
    // Who asks for more asks again. Not even the kernel sees who may write to set-id files: nobody but root.
    const bytes = await this.#fs.read(from, offset, Math.min(length, copiedBytesMax))
    await this.#fs.write(to, targetOffset, bytes, { losesSetId: header.uid !== 0 })
    return bytes.length
  }

  flush({ header }: RequestOf<'flush'>): Answer<void> {
    return this.#sync(this.#at(header.node))
  }

  fsync({ header }: RequestOf<'fsync'>, call: Call): Answer<void> {
    return patiently(call, this.#sync(this.#at(header.node)))
  }

  release({ header }: RequestOf<'release'>): void {
    this.#fs.close(this.#known(header.node).ino)
  }

  async fallocate({ header, offset, length, mode }: RequestOf<'fallocate'>): Promise<void> {
    const file = this.#at(header.node)
    switch (mode) {
      case 0:
        return this.#fs.allocate(file, offset, length, 'grows')
      case keepSize:
        return this.#fs.allocate(file, offset, length, 'keeps-size')
      case punchHole | keepSize:
        return this.#fs.punchHole(file, offset, length)
      case zeroRange:
      case zeroRange | keepSize:
        await this.#fs.punchHole(file, offset, length)
        return this.#fs.allocate(file, offset, length, mode === zeroRange ? 'grows' : 'keeps-size')
      default:
        throw Errno.of('EOPNOTSUPP')
    }
  }

  lseek({ header, offset, whence }: RequestOf<'lseek'>, call: Call): Answer<number> {
    if (whence !== seekData && whence !== seekHole) return Errno.of('EINVAL')
    if (offset < 0) return Errno.of('ENXIO')
    const sought = whence === seekData ? 'data' : 'hole'
    return patiently(call, this.#fs.seek(this.#at(header.node), offset, sought))
  }

  syncfs(): Promise<void> {
    return this.#fs.syncAll()
  }

  // ---- open directories --------------------------------------------------------------------------------------------

  opendir({ header }: RequestOf<'opendir'>): Answer<OpenAnswer> {
    const directory = this.#at(header.node)
    return then(this.#fs.open(directory), () => {
      const fh = ++this.#lastHandle
      const listing = new Listing({
        fs: this.#fs,
        directory,
        tell: (file) => this.#tell(file),
        forget: (node) => {
          this.#forget(node, 1)
        },
      })
      this.#listings.set(fh, listing)
      return { fh, flags: 0 }
    })
  }

  readdir({ fh, offset, size }: RequestOf<'readdir'>): Promise<Uint8Array> {
    return this.#listing(fh).names(offset, size)
  }

  readdirplus({ fh, offset, size }: RequestOf<'readdirplus'>): Promise<Uint8Array> {
    return this.#listing(fh).namesAndFiles(offset, size)
  }

  releasedir({ header, fh }: RequestOf<'releasedir'>): void {
    this.#listings.delete(fh)
    this.#fs.close(this.#known(header.node).ino)
  }

  fsyncdir({ header }: RequestOf<'fsyncdir'>, call: Call): Answer<void> {
    return patiently(call, this.#sync(this.#at(header.node)))
  }

  #known(node: number): KnownFile {
    const file = this.#nodes.get(node)
    if (file === undefined) throw Errno.of('ESTALE')
    return file
  }

  #at(node: number): FileAddress {
    return this.#known(node).address
  }

  #tell(file: FileAttributes): Entry {
    const { node } = this.#nodes.tell(file.address, file.ino)
    return { node, generation: 0, entryValidMs: uncached.entryValidMs, ...this.#attributes(file) }
  }

  /** What has lost its last name stays for as long as the kernel knows it, as what is open does. */
  #keep(removed: Removed | undefined): Soon<void> {
    if (removed === undefined || removed.links > 0) return undefined
    const known = this.#nodes.at(removed.address)
    if (known === undefined || known.isKept) return undefined
    known.isKept = true
    return this.#fs.keep(removed.ino)
  }

  #forget(node: number, lookups: number): void {
    const file = this.#nodes.forget(node, lookups)
    if (file?.isKept === true) this.#fs.close(file.ino)
  }

  #attributes(file: FileAttributes): AttributesAnswer {
    return {
      attributesValidMs: uncached.attributesValidMs,
      attributes: toFuse(file, this.#blockSize),
    }
  }

  async #truncated({ address, ino }: KnownFile, losesSetId: boolean): Promise<OpenAnswer> {
    try {
      await this.#fs.setAttributes(address, { size: 0, losesSetId })
    } catch (reason) {
      this.#fs.close(ino)
      throw reason
    }
    return this.#opened()
  }

  #opened(): OpenAnswer {
    return { fh: ++this.#lastHandle, flags: uncached.openFlags }
  }

  #create(
    { header, name }: RequestOf<'symlink'> | RequestOf<'mkdir'> | RequestOf<'mknod'>,
    file: Omit<NewFile, 'uid' | 'gid'>,
  ): Soon<Entry> {
    const { node, uid, gid } = header
    const made = inDirectory(() => this.#fs.create(this.#at(node), name, { ...file, uid, gid }))
    return then(made, (found) => this.#tell(found))
  }

  #sync(file: FileAddress): Soon<void> {
    return this.#fs.isDurable(file) ? undefined : this.#fs.sync(file)
  }

  #listing(handle: number): Listing {
    const listing = this.#listings.get(handle)
    if (listing === undefined) throw Errno.of('EBADF')
    return listing
  }
}

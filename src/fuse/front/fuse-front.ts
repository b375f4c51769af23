import type { FileAddress, FileAttributes } from '../../fs/attributes.js'
import type { HoldNumber } from '../../fs/volume/file-holds.js'
import type { Logger } from '../../io/logger.js'
import type { FileSystem, Soon } from '../../fs/file-system.js'
import type { NewFile } from '../../fs/operations/create.js'
import type { Removed } from '../../fs/operations/remove.js'
import type { RenameHow } from '../../fs/operations/rename.js'
import { Errno, errnoOf } from '../errno.js'
import type { Attributes, AttributesAnswer, Entry } from '../protocol/attributes.js'
import type { CreateAnswer, OpenAnswer, StatfsAnswer } from '../protocol/reply-writer.js'
import type { FileLock, Forgotten, RequestOf } from '../protocol/requests.js'
import type { FuseServer } from '../server/fuse-server.js'
import type { Answer, Call, FuseOperations } from '../server/operations.js'
import { openFlagsOf } from './caching.js'
import { KernelCache } from './kernel-cache.js'
import { Listing } from './listing.js'
import type { Seen } from './listing.js'
import { LockRequests } from './lock-requests.js'
import { kindOfMode, permissionBits, setIdBits, toFuse } from './modes.js'
import { NodeTable } from './node-table.js'
import type { KnownFile } from './node-table.js'
import { patiently } from './patience.js'
import { inDirectory, then } from './soon.js'
import { WrittenFiles } from './written-files.js'
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

const noTime = { seconds: 0, nanoseconds: 0 }
/** Nobody looks at them. */
const absentAttributes: Attributes = {
  ...{ node: 0, size: 0, blocks: 0, atime: noTime, mtime: noTime, ctime: noTime },
  ...{ mode: 0, nlink: 0, uid: 0, gid: 0, rdev: 0, blockSize: 0 },
}

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
  readonly #locks: LockRequests
  readonly #written = new WrittenFiles()
  #cache: KernelCache | undefined
  #lastHandle = 0
  /** The directory in which a name was looked up last, until that is noted by who lists it. */
  #lookedInto: FileAddress | undefined

  constructor({ fs, blockSize }: FuseFrontOptions) {
    this.#fs = fs
    this.#blockSize = blockSize
    this.#nodes = new NodeTable(fs.root)
    this.#locks = new LockRequests(fs)
  }

  /** From now on the kernel keeps what it is told for as long as it is right: `server` is what it is told by. Once; until then it keeps nothing. */
  cacheIn(server: FuseServer, logger: Logger): void {
    const holds = this.#fs.holdFiles((file) => this.#cache?.ended(file))
    this.#cache = new KernelCache({ holds, nodes: this.#nodes, server, logger })
  }

  // ---- names -------------------------------------------------------------------------------------------------------

  lookup({ header, name }: RequestOf<'lookup'>, call: Call): Answer<Entry> {
    const parent = this.#at(header.node)
    this.#lookedInto = parent
    const absent = (reason: unknown): Entry => this.#absent(reason, parent)
    try {
      const found = patiently(
        call,
        inDirectory(() => this.#fs.lookup(parent, name)),
      )
      if (found instanceof Promise) return found.then((file) => this.#tell(file, parent), absent)
      return this.#tell(found, parent)
    } catch (reason) {
      return absent(reason)
    }
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
    const parent = this.#at(header.node)
    const linked = inDirectory(() => this.#fs.link(this.#at(source), parent, name))
    return then(linked, (file) => this.#tell(file, parent))
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
    if (size !== undefined) this.#written.changed(this.#at(header.node))
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
      (flags & openTruncates) === 0 ? this.#opened(flags) : this.#truncated(file, flags, killSuidGid),
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
    const seen = this.#seen(file)
    const directory = this.#cache?.stamp(parent)
    await this.#fs.open(file.address)
    return { entry: this.#tellSeen(seen, parent, directory), ...this.#opened(flags) }
  }

  async tmpfile({ header, flags, mode }: RequestOf<'tmpfile'>): Promise<CreateAnswer> {
    const { node, uid, gid } = header
    const made = { kind: 'file', mode: mode & permissionBits, uid, gid } as const
    const naming = (flags & openExclusively) === 0 ? 'may-be-named' : 'never-named'
    const file = await inDirectory(() => this.#fs.createUnnamed(this.#at(node), made, naming))
    return { entry: this.#tell(file, undefined), ...this.#opened(flags) }
  }

  read(request: RequestOf<'read'>, call: Call): Answer<Uint8Array> {
    const { header, offset, size } = request
    const file = this.#at(header.node)
    const cache = this.#cache
    if (cache === undefined) return patiently(call, this.#fs.read(file, offset, size))
    const paused = cache.beforeRead(file)
    if (paused !== undefined) return paused.then(() => this.read(request, call))
    return then(patiently(call, this.#fs.readHeld(file, offset, size)), ({ bytes, hold }) => {
      cache.reads(file, hold, { offset, length: size })
      return bytes
    })
  }

  write({ header, offset, data, flags, fromCache, killSuidGid }: RequestOf<'write'>): Answer<number> {
    const file = this.#at(header.node)
    // Pages that come from the kernel belong where they were, however the file was opened.
    const isAppend = (flags & openAppends) !== 0 && !fromCache
    this.#written.changed(file)
    const lost = { isSetId: false }
    const lostSetId = (): void => {
      lost.isSetId = true
    }
    const written = this.#fs.write(file, offset, data, { isAppend, losesSetId: killSuidGid, lostSetId })
    return then(written, () => {
      // What comes from the kernel's pages is in them, and it waits for us with these.
      const forgotten = fromCache ? undefined : this.#cache?.wrote(file)
      const durable = (flags & openWritesThrough) === 0 ? undefined : this.#sync(file)
      const permissions = lost.isSetId ? this.#cache?.permissionsChanged(file) : undefined
      if (forgotten === undefined && permissions === undefined) return then(durable, () => data.length)
      return Promise.all([forgotten, permissions, durable]).then(() => data.length)
    })
  }

  /** Without it the kernel would copy by way of its pages, which are not told what other mounts write. */
  async copyFileRange(request: RequestOf<'copyFileRange'>): Promise<number> {
    const { header, offset, targetNode, targetOffset, length } = request
    const [from, to] = [this.#at(header.node), this.#at(targetNode)]
    // Who asks for more asks again. Not even the kernel sees who may write to set-id files: nobody but root.
    const bytes = await this.#fs.read(from, offset, Math.min(length, copiedBytesMax))
    this.#written.changed(to)
    let permissions: Promise<void> | undefined
    const lostSetId = (): void => {
      permissions = this.#cache?.permissionsChanged(to)
    }
    await this.#fs.write(to, targetOffset, bytes, { losesSetId: header.uid !== 0, lostSetId })
    await Promise.all([this.#cache?.wrote(to), permissions])
    return bytes.length
  }

  flush(request: RequestOf<'flush'>): Answer<void> {
    const file = this.#at(request.header.node)
    return then(this.#locks.closed(file, request), () => this.#written.close(file, () => this.#sync(file)))
  }

  fsync({ header }: RequestOf<'fsync'>, call: Call): Answer<void> {
    return patiently(call, this.#sync(this.#at(header.node)))
  }

  /** Nobody waits for it. */
  release(request: RequestOf<'release'>): Answer<void> {
    const { address, ino, isPast } = this.#inTable(request.header.node)
    const ended = isPast ? undefined : this.#locks.released(address, request)
    const close = (): void => {
      this.#fs.close(ino)
    }
    return ended instanceof Promise ? ended.finally(close) : close()
  }

  getlk(request: RequestOf<'getlk'>, call: Call): Answer<FileLock> {
    return this.#locks.test(this.#at(request.header.node), request, call)
  }

  setlk(request: RequestOf<'setlk'>, call: Call): Answer<void> {
    return this.#locks.set(this.#at(request.header.node), request, call)
  }

  async fallocate(request: RequestOf<'fallocate'>): Promise<void> {
    const file = this.#at(request.header.node)
    this.#written.changed(file)
    await this.#allocate(request)
    if (request.header.uid !== 0) await this.#loseSetId(file, {})
    await this.#cache?.wrote(file)
  }

  async #allocate({ header, offset, length, mode }: RequestOf<'fallocate'>): Promise<void> {
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
        stamp: (file) => this.#cache?.stamp(file),
        isLookedInto: () => {
          const isLookedInto = this.#lookedInto === directory
          if (isLookedInto) this.#lookedInto = undefined
          return isLookedInto
        },
        tell: (seen, held) => this.#tellSeen(seen, directory, held),
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
    this.#fs.close(this.#inTable(header.node).ino)
  }

  fsyncdir({ header }: RequestOf<'fsyncdir'>, call: Call): Answer<void> {
    return patiently(call, this.#sync(this.#at(header.node)))
  }

  /** Throws `ESTALE` also for a file that is no more, whose address is another one's. */
  #known(node: number): KnownFile {
    const file = this.#inTable(node)
    if (file.isPast) throw Errno.of('ESTALE')
    return file
  }

  #inTable(node: number): KnownFile {
    const file = this.#nodes.get(node)
    if (file === undefined) throw Errno.of('ESTALE')
    return file
  }

  #at(node: number): FileAddress {
    return this.#known(node).address
  }

  /** What has just been found, or made, in a directory. */
  #tell(file: FileAttributes, parent: FileAddress | undefined): Entry {
    return this.#tellSeen(this.#seen(file), parent, parent && this.#cache?.stamp(parent))
  }

  #seen(file: FileAttributes): Seen {
    return { file, stamp: this.#cache?.stamp(file.address) }
  }

  /** `directory`: what the parent was held under when the file was found there. */
  #tellSeen(seen: Seen, parent: FileAddress | undefined, directory: HoldNumber | undefined): Entry {
    const { file } = seen
    const { node } = this.#nodes.tell(file.address, file.ino)
    const entryValidMs = parent === undefined ? 0 : (this.#cache?.entryValidMs(parent, directory) ?? 0)
    return { node, generation: 0, entryValidMs, ...this.#attributesOf(seen) }
  }

  /** That a name is not there, where the kernel may remember that; else the reason is thrown again. */
  #absent(reason: unknown, parent: FileAddress): Entry {
    const cache = this.#cache
    if (cache === undefined || errnoOf(reason) !== 'ENOENT') throw reason
    const entryValidMs = cache.entryValidMs(parent, cache.stamp(parent))
    if (entryValidMs === 0) throw reason
    return { node: 0, generation: 0, entryValidMs, attributesValidMs: 0, attributes: absentAttributes }
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
    if (file === undefined) return
    if (!file.isPast) {
      this.#cache?.forgotten(file.address)
      this.#written.forget(file.address)
    }
    if (file.isKept) this.#fs.close(file.ino)
  }

  #attributes(file: FileAttributes): AttributesAnswer {
    return this.#attributesOf(this.#seen(file))
  }

  #attributesOf({ file, stamp }: Seen): AttributesAnswer {
    return {
      attributesValidMs: this.#cache?.attributesValidMs(file.address, stamp) ?? 0,
      attributes: toFuse(file, this.#blockSize),
    }
  }

  async #truncated({ address, ino }: KnownFile, flags: number, losesSetId: boolean): Promise<OpenAnswer> {
    this.#written.changed(address)
    try {
      if (losesSetId) await this.#loseSetId(address, { size: 0 })
      else await this.#fs.setAttributes(address, { size: 0 })
    } catch (reason) {
      this.#fs.close(ino)
      throw reason
    }
    return this.#opened(flags)
  }

  /** Beside another change, by who has no privileges. */
  async #loseSetId(file: FileAddress, changes: { readonly size?: number }): Promise<void> {
    const { mode } = await this.#fs.attributes(file)
    const mayLose = (mode & setIdBits) !== 0
    if (mayLose || changes.size !== undefined)
      await this.#fs.setAttributes(file, { ...changes, losesSetId: true })
    if (mayLose) await this.#cache?.permissionsChanged(file)
  }

  #opened(flags: number): OpenAnswer {
    return { fh: ++this.#lastHandle, flags: openFlagsOf(flags, this.#cache !== undefined) }
  }

  #create(
    { header, name }: RequestOf<'symlink'> | RequestOf<'mkdir'> | RequestOf<'mknod'>,
    file: Omit<NewFile, 'uid' | 'gid'>,
  ): Soon<Entry> {
    const { node, uid, gid } = header
    const parent = this.#at(node)
    const made = inDirectory(() => this.#fs.create(parent, name, { ...file, uid, gid }))
    return then(made, (found) => this.#tell(found, parent))
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

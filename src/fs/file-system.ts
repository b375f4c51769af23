import type { Address } from '../address/address.js'
import type { Khazana } from '../client/khazana.js'
import { KhazanaError } from '../stdx/errors.js'
import type { FileAttributes } from './attributes.js'
import type { DirectoryEntry } from './directory/entries.js'
import type { FsEnvironment } from './environment.js'
import { FsError } from './errno.js'
import { fsErrorFrom } from './errors.js'
import { fileBytesMax, nameBytesMax, pieceBytesMax } from './file/limits.js'
import { Inode } from './layout/inode.js'
import type { Xattr } from './layout/xattrs.js'
import type { LockKind } from './locks/file-lock.js'
import { lockEndMax } from './locks/file-lock.js'
import type { LockInTheWay, LockRequest } from './locks/mount-locks.js'
import { clearPages, clearResidue } from './operations/clear.js'
import { create, createUnnamed } from './operations/create.js'
import type { Naming, NewFile } from './operations/create.js'
import { allocate, holesIn, read, readLink, write, zero } from './operations/data.js'
import type { WriteHow } from './operations/data.js'
import { attributes, list, lookup, parentOf } from './operations/lookup.js'
import { link, removeDirectory, unlink } from './operations/remove.js'
import type { Removed } from './operations/remove.js'
import { rename } from './operations/rename.js'
import { changeReplicas } from './operations/replicas.js'
import type { Name, RenameHow } from './operations/rename.js'
import { seek } from './operations/seek.js'
import type { Whence } from './operations/seek.js'
import { setAttributes } from './operations/set-attributes.js'
import type { AttributeChanges } from './operations/set-attributes.js'
import { getXattr, listXattrs, removeXattr, replicasIn, setXattr } from './operations/xattrs.js'
import type { SetHow } from './operations/xattrs.js'
import type { Operation } from './pages/page-runner.js'
import { FileHolds } from './volume/file-holds.js'
import type { HoldEnded, HoldNumber } from './volume/file-holds.js'
import { makeVolume } from './volume/make-volume.js'
import type { MakeOptions } from './volume/make-volume.js'
import { openVolume } from './volume/open-volume.js'
import type { OpenVolume } from './volume/open-volume.js'

/** For how long a file is copied, at most. Milliseconds. */
const replicasTimeoutMs = 3_600_000
/** Files that are held, unless told: each takes a page of memory at this site. */
const holdsMax = 65_536

export interface MountOptions {
  /** For how long what is changed stays in memory alone at most, where nobody waits for it. Milliseconds; 100 unless told. */
  readonly releaseAfterMs?: number
  /** For how long an operation waits for others and for homes. Milliseconds; 30,000 unless told. */
  readonly timeoutMs?: number
}

/** How much room there is. */
export interface FsUsage {
  /** Bytes of storage that the node may promise, and has promised. */
  readonly bytesMax: number
  readonly bytesUsed: number
  readonly nameBytesMax: number
}

/** What was read of a file. */
export interface HeldBytes {
  readonly bytes: Uint8Array
  /** Undefined where there was none, or more than one. */
  readonly hold: HoldNumber | undefined
}

/** A result that is there at once where all that it takes is in memory, else later. Failures are `FsError`s, thrown or rejected alike. */
export type Soon<T> = T | Promise<T>

/**
 * A file system in global memory (paper 4.1), as one program has it mounted: every file is a region. Files are named by their addresses; whoever calls checks
 * who may do what. Nothing but Khazana's public interface is below.
 *
 * What an operation has changed is seen by all operations after it, at every mount; several files that one operation changes are seen changed together. It is durable
 * when `sync` of a file that it changed resolves, and otherwise some milliseconds later; a crash keeps all of an operation or nothing, and of two operations on the same file
 * the earlier one with the later. See docs/file-system.md.
 */
export class FileSystem {
  readonly #volume: OpenVolume
  #holds: FileHolds | undefined

  private constructor(volume: OpenVolume) {
    this.#volume = volume
  }

  /** Makes a file system, and answers the address to mount it by. Throws as `Khazana.reserve` does. */
  static make(khazana: Khazana, environment: FsEnvironment, options: MakeOptions = {}): Promise<Address> {
    return makeVolume(khazana, environment, options)
  }

  /** Mounts a file system. Throws `EINVAL` where there is none, `FsError` for what global memory says. */
  static async mount(
    khazana: Khazana,
    environment: FsEnvironment,
    address: Address,
    options: MountOptions = {},
  ): Promise<FileSystem> {
    const { releaseAfterMs = 100, timeoutMs = 30_000 } = options
    try {
      return new FileSystem(await openVolume(khazana, environment, address, { releaseAfterMs, timeoutMs }))
    } catch (reason) {
      throw reason instanceof FsError ? reason : fsErrorFrom(KhazanaError.from(reason))
    }
  }

  get root(): Address {
    return this.#volume.root
  }

  /** 16 bytes by which the file system is told from others. */
  get id(): Uint8Array {
    return this.#volume.id
  }

  // ---- names -------------------------------------------------------------------------------------------------------

  /** What a name in a directory means, `.` and `..` too. Throws `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`. */
  lookup(parent: Address, name: Uint8Array): Soon<FileAttributes> {
    return this.#runHolding(lookup(this.#volume, parent, name), parent, addressOf)
  }

  /** Names behind a position, in their order, without `.` and `..`: some at least, unless there are no more. -1 is before all. Throws `ENOTDIR`. */
  list(directory: Address, behind: number): Soon<readonly DirectoryEntry[]> {
    return this.#runHolding(list(this.#volume, directory, behind), directory)
  }

  /** What `..` means in a directory. */
  parentOf(directory: Address): Soon<FileAttributes> {
    return this.#run(parentOf(this.#volume, directory))
  }

  /** Makes a file with a name. Throws `EEXIST`, `ENOTDIR`, `ENOENT` in a directory that was removed, `ENAMETOOLONG`, `EINVAL`, `EMLINK`, `ENOSPC`. */
  create(parent: Address, name: Uint8Array, file: NewFile): Soon<FileAttributes> {
    return this.#runHolding(create(this.#volume, parent, name, file), parent, addressOf)
  }

  /** Makes a file without a name, open as by `open`; it goes when it is closed, unless `link` has named it. Throws `ENOTDIR`, `ENOENT` in a directory that was removed, `ENOSPC`. */
  async createUnnamed(
    parent: Address,
    file: NewFile,
    naming: Naming = 'may-be-named',
  ): Promise<FileAttributes> {
    const made = await this.#run(createUnnamed(this.#volume, parent, file, naming))
    await this.keep(made.ino)
    return made
  }

  /** Another name for a file. Throws `EPERM` for a directory, `EMLINK`, and as `create`. */
  link(file: Address, parent: Address, name: Uint8Array): Soon<FileAttributes> {
    return this.#runHolding(link(this.#volume, file, parent, name), parent, addressOf)
  }

  /** Takes a name away, and with the last one the file, once nobody has it open at any mount. Throws `ENOENT`, `EISDIR`. */
  unlink(parent: Address, name: Uint8Array): Soon<Removed> {
    return this.#run(unlink(this.#volume, parent, name))
  }

  /** Takes an empty directory away. Throws `ENOENT`, `ENOTDIR`, `ENOTEMPTY`, `EINVAL`. */
  removeDirectory(parent: Address, name: Uint8Array): Soon<Removed> {
    return this.#run(removeDirectory(this.#volume, parent, name))
  }

  /** Gives a file another name, and the one that it had to a new file that is `left` there, if told. Answers what lost its name by that. Throws as the system call does. */
  rename(from: Name, to: Name, how: RenameHow = 'replace', left?: NewFile): Soon<Removed | undefined> {
    return this.#run(rename(this.#volume, { from, to, left }, how))
  }

  /** Throws `EINVAL` for what is no symbolic link. */
  readLink(file: Address): Soon<Uint8Array> {
    return this.#run(readLink(this.#volume, file))
  }

  // ---- attributes --------------------------------------------------------------------------------------------------

  attributes(file: Address): Soon<FileAttributes> {
    return this.#runHolding(attributes(this.#volume, file), file)
  }

  /** The same where they are in memory here; undefined where they would have to be waited for. Throws as well. */
  attributesAtHand(file: Address): FileAttributes | undefined {
    return this.#volume.runner.runNow(this.#holding(attributes(this.#volume, file), file))
  }

  /** Throws `EISDIR`, `EINVAL` and `EFBIG` for a size. */
  setAttributes(file: Address, changes: AttributeChanges): Soon<FileAttributes> {
    const result = this.#runHolding(setAttributes(this.#volume, file, changes), file)
    if (changes.size !== undefined) this.#clearLater(file)
    return result
  }

  getXattr(file: Address, name: string): Soon<Uint8Array> {
    return this.#run(getXattr(this.#volume, file, name))
  }

  listXattrs(file: Address): Soon<readonly string[]> {
    return this.#run(listXattrs(this.#volume, file))
  }

  /** `user.khazana.replicas` has the file kept on so many nodes, and what a directory gets from then on: throws `EIO` where there are too few. */
  setXattr(file: Address, xattr: Xattr, how: SetHow = 'any'): Soon<void> {
    const replicas = replicasIn(xattr)
    if (replicas !== undefined && how === 'create')
      throw new FsError('EEXIST', 'every file is kept on some number of nodes')
    if (replicas !== undefined) return changeReplicas(this.#volume, file, replicas, replicasTimeoutMs)
    return this.#run(setXattr(this.#volume, file, xattr, how))
  }

  removeXattr(file: Address, name: string): Soon<void> {
    return this.#run(removeXattr(this.#volume, file, name))
  }

  // ---- contents ----------------------------------------------------------------------------------------------------

  /** A copy of at most `length` bytes, fewer where the file ends. Throws `EISDIR`, `EINVAL`. */
  read(file: Address, offset: number, length: number): Soon<Uint8Array> {
    // Behind where any file may end there is nothing, but that is no error.
    const within = Math.min(offset, fileBytesMax)
    checkRange(within, length)
    if (within < offset) return this.read(file, within, length)
    if (length <= pieceBytesMax) return this.#run(read(this.#volume, file, offset, length))
    return this.#readPieces(offset, length, (at, bytes) => this.read(file, at, bytes))
  }

  /** The same, and the hold that all of it was read under; without `holdFiles` that is none. */
  readHeld(file: Address, offset: number, length: number): Soon<HeldBytes> {
    const within = Math.min(offset, fileBytesMax)
    checkRange(within, length)
    let hold: HoldNumber | 'none' | undefined
    const note = (): void => {
      const current = this.#holds?.current(file) ?? 'none'
      hold = hold === undefined || hold === current ? current : 'none'
    }
    const piece = (at: number, bytes: number): Soon<Uint8Array> => {
      const operation = read(this.#volume, file, at, bytes)
      return this.#runHolding(operation, file, undefined, note)
    }
    const whole = length <= pieceBytesMax ? piece(within, length) : this.#readPieces(within, length, piece)
    const held = (bytes: Uint8Array): HeldBytes => ({ bytes, hold: hold === 'none' ? undefined : hold })
    return whole instanceof Promise ? whole.then(held) : held(whole)
  }

  /**
   * Writes all of it; up to 1 MiB is written as a whole. Answers where they begin, which is where the file ended where they are appended. Throws `EISDIR`, `EINVAL`,
   * `EFBIG`, `ENOSPC`.
   */
  write(file: Address, offset: number, bytes: Uint8Array, how: Partial<WriteHow> = {}): Soon<number> {
    const { isAppend = false, losesSetId = false, lostSetId } = how
    checkRange(offset, bytes.length)
    if (bytes.length <= pieceBytesMax)
      return this.#run(write(this.#volume, file, offset, bytes, { isAppend, losesSetId, lostSetId }))
    return this.#writePieces(file, offset, bytes, { isAppend, losesSetId, lostSetId })
  }

  /** Gives a range storage. `grows`: the file ends there at least from now on. */
  async allocate(file: Address, offset: number, length: number, how: 'grows' | 'keeps-size'): Promise<void> {
    checkRange(offset, length)
    const range = { from: offset, to: offset + length }
    const holes = await holesIn(this.#volume, file, range.from, range.to)
    await this.#run(allocate(this.#volume, file, { ...range, holes }, how))
  }

  /** Makes a range zeros, and gives the storage of its whole pages back. The file's size stays. */
  async punchHole(file: Address, offset: number, length: number): Promise<void> {
    checkRange(offset, length)
    const { size } = await this.attributes(file)
    const pageSize = this.#volume.runner.region(file).pageSize
    const end = Math.min(offset + length, Math.ceil(size / pageSize) * pageSize)
    const [from, to] = [Math.ceil(offset / pageSize) * pageSize, Math.floor(end / pageSize) * pageSize]
    if (from >= to) {
      await this.#run(zero(this.#volume, file, offset, end))
      return
    }
    await this.#run(zero(this.#volume, file, offset, from))
    await this.#run(zero(this.#volume, file, to, end))
    await clearPages(this.#volume, file, from, to)
  }

  /** The next place from `offset` on where there is data, or where there is none. Throws `ENXIO` behind the end. */
  seek(file: Address, offset: number, whence: Whence): Promise<number> {
    return seek(this.#volume, file, offset, whence)
  }

  // ---- locks -------------------------------------------------------------------------------------------------------

  /**
   * The lock that keeps this one from being had: the first by its bytes; undefined where it could be had. Locks of records (`posix`) and of whole files (`flock`)
   * take no notice of each other, and hold at all mounts: docs/file-system.md. Throws `EINVAL`, `ENOLCK`.
   */
  testLock(file: Address, request: LockRequest): Soon<LockInTheWay | undefined> {
    return this.#volume.locks.test(file, request)
  }

  /**
   * Locks, at once or not at all. What the owner had on these bytes before it has no longer, whatever it was; of `flock` also where the new lock cannot be had. Throws
   * `EAGAIN` where another owner's lock is in the way, `ENOLCK` where there is no room for more, `EINVAL`.
   */
  setLock(file: Address, request: LockRequest): Soon<void> {
    return this.#volume.locks.set(file, request)
  }

  /** The same, which waits for as long as it takes. Throws `EINTR` by the signal, `EDEADLK` where those in the way wait for this owner: docs/file-system.md says what is seen of that. */
  setLockWait(file: Address, request: LockRequest, signal?: AbortSignal): Soon<void> {
    return this.#volume.locks.setWait(file, request, signal)
  }

  /** The owner has no lock of the kind on these bytes any more. Throws `ENOLCK` where there is no room for what is left of one on both sides. */
  unlock(file: Address, request: Pick<LockRequest, 'kind' | 'owner' | 'start' | 'end'>): Soon<void> {
    return this.#volume.locks.clear(file, request)
  }

  /** The same for the whole file: an owner has closed it. Costs nothing where the owner has no locks. */
  releaseLocks(file: Address, kind: LockKind, owner: bigint): Soon<void> {
    return this.#volume.locks.clear(file, { kind, owner, start: 0n, end: lockEndMax })
  }

  // ---- being open, being durable -----------------------------------------------------------------------------------

  /** The file is open here: it stays, whoever takes its last name away, until `close` has been called as often. */
  open(file: Address): Soon<void> {
    const found = this.attributes(file)
    return found instanceof Promise ? found.then(({ ino }) => this.keep(ino)) : this.keep(found.ino)
  }

  /** The same for a file that is known to be there at this moment, as one that has just been made or lost its name. */
  keep(ino: number): Soon<void> {
    return this.#volume.openings.open(ino)?.catch((reason: unknown) => {
      throw fsErrorFrom(KhazanaError.from(reason))
    })
  }

  close(ino: number): void {
    this.#volume.openings.close(ino)
    this.#volume.reaper.closed(ino)
  }

  /** Whether nothing of the file is on its way to the disk, and nothing was lost. */
  isDurable(file: Address): boolean {
    const region = this.#volume.runner.region(file)
    return region.failure === undefined && !this.#volume.runner.isPending(region)
  }

  /** Resolves when all that was changed of the file is durable. Throws `EIO`, `ENOSPC` where something was lost since it was last asked. */
  sync(file: Address): Promise<void> {
    return this.#volume.runner.durable(this.#volume.runner.region(file))
  }

  /** The same of all that was changed here. */
  syncAll(): Promise<void> {
    return this.#volume.runner.allDurable()
  }

  /** Room at the node. */
  async usage(): Promise<FsUsage> {
    try {
      const { storageBytes, storageBytesMax } = await this.#volume.khazana.resources()
      return { bytesMax: storageBytesMax, bytesUsed: storageBytes, nameBytesMax }
    } catch (reason) {
      throw fsErrorFrom(KhazanaError.from(reason))
    }
  }

  /**
   * From now on what `lookup`, `list`, `attributes`, `create`, `link`, `setAttributes` and `readHeld` answer is held, and so is that a name was not there: copies of it are valid until `ended` is told,
   * and nobody else changes the files before they have been released. Once.
   */
  holdFiles(ended: HoldEnded, max = holdsMax): FileHolds {
    return (this.#holds ??= new FileHolds(this.#volume.runner, ended, max))
  }

  /** Ends the mount; what was changed is durable by then. The files that are to be taken away are, by the next mount at the latest. */
  unmount(): Promise<void> {
    this.#holds?.releaseAll()
    return this.#volume.close()
  }

  #run<T>(operation: Operation<T>): Soon<T> {
    return this.#volume.runner.run(operation)
  }

  /** The file, and the one that the result is of, are held from a moment on at which they are as the result says. `then` is called at that moment. */
  #runHolding<T>(
    operation: Operation<T>,
    file: Address,
    resultOf?: (result: T) => Address,
    then?: () => void,
  ): Soon<T> {
    return this.#run(this.#holding(operation, file, resultOf, then))
  }

  #holding<T>(
    operation: Operation<T>,
    file: Address,
    resultOf?: (result: T) => Address,
    then?: () => void,
  ): Operation<T> {
    const holds = this.#holds
    if (holds === undefined) return operation
    const { runner } = this.#volume
    return (attempt) => {
      try {
        const result = operation(attempt)
        holds.take(runner.region(file))
        if (resultOf !== undefined) holds.take(runner.region(resultOf(result)))
        then?.()
        return result
      } catch (reason) {
        if (reason instanceof FsError && reason.code === 'ENOENT') holds.take(runner.region(file))
        throw reason
      }
    }
  }

  async #readPieces(
    offset: number,
    length: number,
    read: (offset: number, length: number) => Soon<Uint8Array>,
  ): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for (let done = 0; done < length; done += pieceBytesMax) {
      const piece = await read(offset + done, Math.min(pieceBytesMax, length - done))
      pieces.push(piece)
      if (piece.length < Math.min(pieceBytesMax, length - done)) break
    }
    const all = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0))
    let at = 0
    for (const piece of pieces) {
      all.set(piece, at)
      at += piece.length
    }
    return all
  }

  async #writePieces(file: Address, offset: number, bytes: Uint8Array, how: WriteHow): Promise<number> {
    let start: number | undefined
    for (let done = 0; done < bytes.length; done += pieceBytesMax) {
      const piece = bytes.subarray(done, done + pieceBytesMax)
      const at = await this.#run(write(this.#volume, file, offset + done, piece, how))
      start ??= at
    }
    return start ?? offset
  }

  /** What is behind the end of a file that was cut off goes in the background. */
  #clearLater(file: Address): void {
    void this.#volume.whenIdle(async () => {
      const region = this.#volume.runner.region(file)
      await this.#volume.runner.settled(region)
      const hasResidue = await this.#run((attempt) => {
        const bytes = attempt.read(region, 0)
        return bytes !== undefined && isCutOff(new Inode(bytes))
      })
      if (hasResidue) await clearResidue(this.#volume, file)
    })
  }
}

function isCutOff({ residueEnd, size }: Inode): boolean {
  return residueEnd > size
}

function addressOf({ address }: FileAttributes): Address {
  return address
}

function checkRange(offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0)) throw new FsError('EINVAL', 'offset and length are not below 0')
  if (offset + length > fileBytesMax * 2)
    throw new FsError('EFBIG', `a file has at most ${fileBytesMax} bytes`)
}

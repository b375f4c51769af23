import { requestFlags as bits, setattrValid as valid } from './flags.js'
import { getI64, getU64 } from './integers.js'
import { opcodes as ops } from './opcodes.js'
import type { Decoded, FileLock, Forgotten, RequestHeader, Time } from './requests.js'

/** Bytes of `fuse_in_header`. */
export const requestHeaderBytes = 40

/** Why bytes are no request. Thrown within this file only: the decoder returns it as a `MalformedRequest`. */
class Malformed extends Error {
  override readonly name = 'Malformed'
}

const lockTypes = ['read', 'write', 'unlock'] as const

/**
 * Decodes what one read of /dev/fuse gave. Total: any bytes give a request, or say why they are none; nothing is
 * thrown. What it returns refers to `bytes` only in the data of a write and the value of a setxattr.
 */
export function decodeRequest(bytes: Uint8Array): Decoded {
  if (bytes.length < requestHeaderBytes) {
    return { op: 'malformed', unique: 0, reason: `${bytes.length} bytes hold no header` }
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const unique = getU64(view, 8)
  if (unique === -1) return { op: 'malformed', unique: 0, reason: 'unique is beyond 2^53' }
  try {
    return new Decoder(bytes, view).request(unique)
  } catch (error) {
    if (error instanceof Malformed) {
      return { op: 'malformed', unique, reason: error.message }
    }
    throw error
  }
}

/** One message. Offsets in its methods count from the end of the header, as the structs of the kernel do. */
class Decoder {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** Where the body ends: extensions of the header follow it, which nothing here asks for. */
  readonly #end: number

  constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes
    this.#view = view
    this.#end = bytes.length - view.getUint16(36, true) * 8
  }

  request(unique: number): Decoded {
    const [view, bytes] = [this.#view, this.#bytes]
    const length = view.getUint32(0, true)
    if (length !== bytes.length) throw new Malformed(`length ${length} of ${bytes.length} bytes`)
    if (this.#end < requestHeaderBytes) throw new Malformed('extensions longer than the message')
    const opcode = view.getUint32(4, true)
    const header: RequestHeader = {
      unique,
      node: this.#safe(getU64(view, 16)),
      uid: view.getUint32(24, true),
      gid: view.getUint32(28, true),
      pid: view.getUint32(32, true),
    }
    switch (opcode) {
      case ops.lookup:
        return { op: 'lookup', header, name: this.#lastName(0) }
      case ops.forget:
        return { op: 'forget', header, lookups: this.#u64(0) }
      case ops.getattr: {
        const flags = this.#u32(0)
        return { op: 'getattr', header, fh: (flags & bits.getattrFh) === 0 ? undefined : this.#u64(8) }
      }
      case ops.setattr:
        return this.#setattr(header)
      case ops.readlink:
        return { op: 'readlink', header }
      case ops.symlink: {
        const [name, target] = this.#twoNames(0)
        return { op: 'symlink', header, name, target }
      }
      case ops.mknod: {
        const name = this.#lastName(16)
        return { op: 'mknod', header, mode: this.#u32(0), rdev: this.#u32(4), umask: this.#u32(8), name }
      }
      case ops.mkdir:
        return { op: 'mkdir', header, mode: this.#u32(0), umask: this.#u32(4), name: this.#lastName(8) }
      case ops.unlink:
        return { op: 'unlink', header, name: this.#lastName(0) }
      case ops.rmdir:
        return { op: 'rmdir', header, name: this.#lastName(0) }
      case ops.rename: {
        const [name, newName] = this.#twoNames(8)
        return { op: 'rename', header, name, newParent: this.#u64(0), newName, flags: 0 }
      }
      case ops.rename2: {
        const [name, newName] = this.#twoNames(16)
        return { op: 'rename', header, name, newParent: this.#u64(0), newName, flags: this.#u32(8) }
      }
      case ops.link:
        return { op: 'link', header, source: this.#u64(0), name: this.#lastName(8) }
      case ops.open:
        return {
          op: 'open',
          header,
          flags: this.#u32(0),
          killSuidGid: (this.#u32(4) & bits.openKillSuidGid) !== 0,
        }
      case ops.read: {
        const hasOwner = (this.#u32(20) & bits.readLockOwner) !== 0
        return {
          op: 'read',
          header,
          fh: this.#u64(0),
          offset: this.#extent(8),
          size: this.#u32(16),
          flags: this.#u32(32),
          lockOwner: hasOwner ? this.#big(24) : undefined,
        }
      }
      case ops.write: {
        const flags = this.#u32(20)
        return {
          op: 'write',
          header,
          fh: this.#u64(0),
          offset: this.#extent(8),
          data: this.#slice(40, this.#u32(16)),
          flags: this.#u32(32),
          fromCache: (flags & bits.writeCache) !== 0,
          killSuidGid: (flags & bits.writeKillSuidGid) !== 0,
          lockOwner: (flags & bits.writeLockOwner) === 0 ? undefined : this.#big(24),
        }
      }
      case ops.statfs:
        return { op: 'statfs', header }
      case ops.release: {
        const flags = this.#u32(12)
        return {
          op: 'release',
          header,
          fh: this.#u64(0),
          flags: this.#u32(8),
          flush: (flags & bits.releaseFlush) !== 0,
          unlockFlock: (flags & bits.releaseFlockUnlock) !== 0,
          lockOwner: this.#big(16),
        }
      }
      case ops.fsync:
        return { op: 'fsync', header, fh: this.#u64(0), dataOnly: (this.#u32(8) & bits.fsyncDataOnly) !== 0 }
      case ops.setxattr: {
        // The extended form of the struct, which INIT always asks for: see `negotiate`.
        const [name, next] = this.#text(16)
        return { op: 'setxattr', header, name, value: this.#slice(next, this.#u32(0)), flags: this.#u32(4) }
      }
      case ops.getxattr:
        return { op: 'getxattr', header, size: this.#u32(0), name: this.#text(8)[0] }
      case ops.listxattr:
        return { op: 'listxattr', header, size: this.#u32(0) }
      case ops.removexattr:
        return { op: 'removexattr', header, name: this.#text(0)[0] }
      case ops.flush:
        return { op: 'flush', header, fh: this.#u64(0), lockOwner: this.#big(16) }
      case ops.init:
        return {
          op: 'init',
          header,
          major: this.#u32(0),
          minor: this.#u32(4),
          maxReadahead: this.#u32(8),
          flags: this.#u32(12),
          // Kernels before 7.36 send the short form.
          flags2: this.#end >= requestHeaderBytes + 20 ? this.#u32(16) : 0,
        }
      case ops.opendir:
        return { op: 'opendir', header, flags: this.#u32(0) }
      case ops.readdir:
        return { op: 'readdir', header, fh: this.#u64(0), offset: this.#u64(8), size: this.#u32(16) }
      case ops.readdirplus:
        return { op: 'readdirplus', header, fh: this.#u64(0), offset: this.#u64(8), size: this.#u32(16) }
      case ops.releasedir:
        return { op: 'releasedir', header, fh: this.#u64(0), flags: this.#u32(8) }
      case ops.fsyncdir:
        return {
          op: 'fsyncdir',
          header,
          fh: this.#u64(0),
          dataOnly: (this.#u32(8) & bits.fsyncDataOnly) !== 0,
        }
      case ops.getlk:
        return { op: 'getlk', header, ...this.#lockRequest() }
      case ops.setlk:
        return { op: 'setlk', header, ...this.#lockRequest(), waits: false }
      case ops.setlkw:
        return { op: 'setlk', header, ...this.#lockRequest(), waits: true }
      case ops.access:
        return { op: 'access', header, mask: this.#u32(0) }
      case ops.create:
        return { op: 'create', header, ...this.#creation(), name: this.#lastName(16) }
      case ops.tmpfile: {
        const { flags, mode, umask } = this.#creation()
        return { op: 'tmpfile', header, flags, mode, umask }
      }
      case ops.interrupt:
        return { op: 'interrupt', header, interrupted: this.#u64(0) }
      case ops.destroy:
        return { op: 'destroy', header }
      case ops.ioctl:
        return { op: 'ioctl', header, fh: this.#u64(0), flags: this.#u32(8), command: this.#u32(12) }
      case ops.batchForget:
        return { op: 'batchForget', header, forgotten: this.#forgotten() }
      case ops.fallocate:
        return {
          op: 'fallocate',
          header,
          fh: this.#u64(0),
          offset: this.#extent(8),
          length: this.#extent(16),
          mode: this.#u32(24),
        }
      case ops.lseek:
        return { op: 'lseek', header, fh: this.#u64(0), offset: this.#extent(8), whence: this.#u32(16) }
      case ops.copyFileRange:
        return {
          op: 'copyFileRange',
          header,
          fh: this.#u64(0),
          offset: this.#extent(8),
          targetNode: this.#u64(16),
          targetFh: this.#u64(24),
          targetOffset: this.#extent(32),
          length: this.#extent(40),
        }
      case ops.syncfs:
        return { op: 'syncfs', header }
      default:
        return { op: 'unknown', unique, opcode }
    }
  }

  #setattr(header: RequestHeader): Decoded {
    const mask = this.#u32(0)
    const has = (bit: number) => (mask & bit) !== 0
    this.#need(0, 88)
    return {
      op: 'setattr',
      header,
      fh: has(valid.fh) ? this.#u64(8) : undefined,
      size: has(valid.size) ? this.#extent(16) : undefined,
      lockOwner: has(valid.lockOwner) ? this.#big(24) : undefined,
      atime: has(valid.atimeNow) ? 'now' : has(valid.atime) ? this.#time(32, 56) : undefined,
      mtime: has(valid.mtimeNow) ? 'now' : has(valid.mtime) ? this.#time(40, 60) : undefined,
      ctime: has(valid.ctime) ? this.#time(48, 64) : undefined,
      mode: has(valid.mode) ? this.#u32(68) : undefined,
      uid: has(valid.uid) ? this.#u32(76) : undefined,
      gid: has(valid.gid) ? this.#u32(80) : undefined,
      killSuidGid: has(valid.killSuidGid),
    }
  }

  #lockRequest(): { fh: number; owner: bigint; lock: FileLock; isFlock: boolean } {
    const type = lockTypes[this.#u32(32)]
    if (type === undefined) throw new Malformed(`no type of lock: ${this.#u32(32)}`)
    const lock = { start: this.#big(16), end: this.#big(24), type, pid: this.#u32(36) }
    return { fh: this.#u64(0), owner: this.#big(8), lock, isFlock: (this.#u32(40) & bits.lockFlock) !== 0 }
  }

  #creation(): { flags: number; mode: number; umask: number; killSuidGid: boolean } {
    const killSuidGid = (this.#u32(12) & bits.openKillSuidGid) !== 0
    return { flags: this.#u32(0), mode: this.#u32(4), umask: this.#u32(8), killSuidGid }
  }

  #forgotten(): Forgotten[] {
    const count = this.#u32(0)
    // Before the loop, so that a count of damaged bytes allocates nothing.
    this.#need(8, count * 16)
    const forgotten: Forgotten[] = []
    for (let i = 0; i < count; i++) {
      forgotten.push({ node: this.#u64(8 + i * 16), lookups: this.#u64(16 + i * 16) })
    }
    return forgotten
  }

  #need(at: number, length: number): void {
    if (requestHeaderBytes + at + length > this.#end) {
      throw new Malformed(`${this.#end - requestHeaderBytes} bytes of body, ${at + length} needed`)
    }
  }

  #safe(value: number): number {
    if (value === -1) throw new Malformed('a field is beyond 2^53')
    return value
  }

  #u32(at: number): number {
    this.#need(at, 4)
    return this.#view.getUint32(requestHeaderBytes + at, true)
  }

  #u64(at: number): number {
    this.#need(at, 8)
    return this.#safe(getU64(this.#view, requestHeaderBytes + at))
  }

  /** A place in a file, or a length, that a program has chosen: signed, and held to what a number holds exactly, which is longer than any file. */
  #extent(at: number): number {
    this.#need(at, 8)
    return getI64(this.#view, requestHeaderBytes + at)
  }

  #big(at: number): bigint {
    this.#need(at, 8)
    return this.#view.getBigUint64(requestHeaderBytes + at, true)
  }

  #time(at: number, nanosecondsAt: number): Time {
    return { seconds: getI64(this.#view, requestHeaderBytes + at), nanoseconds: this.#u32(nanosecondsAt) }
  }

  #slice(at: number, length: number): Uint8Array {
    this.#need(at, length)
    return this.#bytes.subarray(requestHeaderBytes + at, requestHeaderBytes + at + length)
  }

  /** The bytes up to the next zero byte, as a copy, and where what follows it begins. */
  #name(at: number): [name: Uint8Array, next: number] {
    const start = requestHeaderBytes + at
    const end = start > this.#end ? -1 : this.#bytes.indexOf(0, start)
    if (end === -1 || end >= this.#end) throw new Malformed('a name without an end')
    return [this.#bytes.slice(start, end), end + 1 - requestHeaderBytes]
  }

  #lastName(at: number): Uint8Array {
    return this.#name(at)[0]
  }

  #twoNames(at: number): [Uint8Array, Uint8Array] {
    const [first, next] = this.#name(at)
    return [first, this.#lastName(next)]
  }

  /** As many characters, 0 to 255, as there are bytes. */
  #text(at: number): [text: string, next: number] {
    const [bytes, next] = this.#name(at)
    return [String.fromCharCode(...bytes), next]
  }
}

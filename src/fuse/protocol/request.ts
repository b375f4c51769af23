import { KhazanaError } from '../../stdx/errors.js'
import { FuseReader } from './fuse-reader.js'
import { opcodeOf } from './opcodes.js'
import type { Opcode } from './opcodes.js'

/** Who asks, and about which file. */
export interface RequestHeader {
  /** To be told back with the answer. */
  readonly unique: bigint
  /** The number that the file was given here; the root is 1. */
  readonly node: number
  readonly uid: number
  readonly gid: number
  readonly pid: number
}

/** Seconds since 1970 and nanoseconds; `now` where the server's clock counts. */
export type FuseTime = { readonly seconds: number; readonly nanoseconds: number } | 'now'

export interface SetAttributes {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly accessed?: FuseTime
  readonly modified?: FuseTime
  /** Set-id bits go. */
  readonly killsSetId: boolean
}

/** A range of bytes of a file that is locked, or is to be. */
export interface LockRange {
  readonly start: number
  /** The last byte; 2^53 - 1 is without end. */
  readonly end: number
  readonly kind: 'read' | 'write' | 'unlock'
  readonly pid: number
}

/** What the kernel asks, operation by operation. Names are bytes. */
export type RequestBody =
  | { readonly op: 'lookup' | 'unlink' | 'rmdir'; readonly name: Uint8Array }
  | { readonly op: 'forget'; readonly count: number }
  | {
      readonly op: 'batchForget'
      readonly forgets: readonly { readonly node: number; readonly count: number }[]
    }
  | { readonly op: 'getattr' | 'readlink' | 'statfs' | 'destroy' | 'syncfs' }
  | { readonly op: 'setattr'; readonly changes: SetAttributes }
  | { readonly op: 'symlink'; readonly name: Uint8Array; readonly target: Uint8Array }
  | {
      readonly op: 'mknod'
      readonly name: Uint8Array
      readonly mode: number
      readonly device: number
      readonly umask: number
    }
  | { readonly op: 'mkdir'; readonly name: Uint8Array; readonly mode: number; readonly umask: number }
  | {
      readonly op: 'rename' | 'rename2'
      readonly name: Uint8Array
      readonly newParent: number
      readonly newName: Uint8Array
      readonly flags: number
    }
  | { readonly op: 'link'; readonly file: number; readonly name: Uint8Array }
  | { readonly op: 'open' | 'opendir'; readonly flags: number; readonly killsSetId: boolean }
  | {
      readonly op: 'create'
      readonly name: Uint8Array
      readonly flags: number
      readonly mode: number
      readonly umask: number
    }
  | {
      readonly op: 'read' | 'readdir' | 'readdirplus'
      readonly handle: number
      readonly offset: number
      readonly size: number
    }
  | {
      readonly op: 'write'
      readonly handle: number
      readonly offset: number
      /** Of the buffer that the request came in: to be copied by whoever keeps it. */
      readonly bytes: Uint8Array
      readonly flags: number
      readonly killsSetId: boolean
    }
  | {
      readonly op: 'release' | 'releasedir'
      readonly handle: number
      readonly owner: bigint
      readonly endsFlock: boolean
    }
  | { readonly op: 'flush'; readonly handle: number; readonly owner: bigint }
  | { readonly op: 'fsync' | 'fsyncdir'; readonly handle: number }
  | { readonly op: 'setxattr'; readonly name: Uint8Array; readonly value: Uint8Array; readonly flags: number }
  | { readonly op: 'getxattr'; readonly name: Uint8Array; readonly size: number }
  | { readonly op: 'listxattr'; readonly size: number }
  | { readonly op: 'removexattr'; readonly name: Uint8Array }
  | {
      readonly op: 'getlk' | 'setlk' | 'setlkw'
      readonly handle: number
      readonly owner: bigint
      readonly range: LockRange
      readonly isFlock: boolean
    }
  | { readonly op: 'access'; readonly mask: number }
  | { readonly op: 'interrupt'; readonly unique: bigint }
  | {
      readonly op: 'fallocate'
      readonly handle: number
      readonly offset: number
      readonly length: number
      readonly mode: number
    }
  | { readonly op: 'lseek'; readonly handle: number; readonly offset: number; readonly whence: number }
  | {
      readonly op: 'init'
      readonly major: number
      readonly minor: number
      readonly maxReadahead: number
      readonly flags: bigint
    }

export type Request = RequestHeader & RequestBody

export const requestHeaderBytes = 40

/** The number and the operation of a request, which may be one that is not known. Throws `protocol-error` for what is no request at all. */
export function readHeader(
  bytes: Uint8Array,
): RequestHeader & { readonly op: Opcode | undefined; readonly opcode: number } {
  const reader = new FuseReader(bytes, 0)
  const length = reader.u32()
  if (length !== bytes.length)
    throw new KhazanaError('protocol-error', 'a message of the kernel says another length')
  const opcode = reader.u32()
  const unique = reader.u64()
  const node = reader.u53OrEnd()
  const [uid, gid, pid] = [reader.u32(), reader.u32(), reader.u32()]
  reader.skip(4)
  return { op: opcodeOf(opcode), opcode, unique, node, uid, gid, pid }
}

const writeKillsSetId = 1 << 2
const openKillsSetId = 1
const releaseEndsFlock = 1 << 1
const isFlockLock = 1
const lockKinds: readonly LockRange['kind'][] = ['read', 'write', 'unlock']

/** What the request says besides its header. Throws `protocol-error`. */
export function readBody(op: Opcode, bytes: Uint8Array): RequestBody {
  const reader = new FuseReader(bytes, requestHeaderBytes)
  switch (op) {
    case 'lookup':
    case 'unlink':
    case 'rmdir':
      return { op, name: reader.name() }
    case 'forget':
      return { op, count: reader.u53() }
    case 'batchForget': {
      const count = reader.u32()
      reader.skip(4)
      return {
        op,
        forgets: Array.from({ length: count }, () => ({ node: reader.u53(), count: reader.u53() })),
      }
    }
    case 'getattr':
    case 'readlink':
    case 'statfs':
    case 'destroy':
    case 'syncfs':
      return { op }
    case 'setattr':
      return { op, changes: readChanges(reader) }
    case 'symlink':
      return { op, name: reader.name(), target: reader.name() }
    case 'mknod': {
      const [mode, device, umask] = [reader.u32(), reader.u32(), reader.u32()]
      reader.skip(4)
      return { op, mode, device, umask, name: reader.name() }
    }
    case 'mkdir':
      return { op, mode: reader.u32(), umask: reader.u32(), name: reader.name() }
    case 'rename':
      return { op, newParent: reader.u53(), flags: 0, name: reader.name(), newName: reader.name() }
    case 'rename2': {
      const [newParent, flags] = [reader.u53(), reader.u32()]
      reader.skip(4)
      return { op, newParent, flags, name: reader.name(), newName: reader.name() }
    }
    case 'link':
      return { op, file: reader.u53(), name: reader.name() }
    case 'open':
    case 'opendir':
      return { op, flags: reader.u32(), killsSetId: (reader.u32() & openKillsSetId) !== 0 }
    case 'create': {
      const [flags, mode, umask] = [reader.u32(), reader.u32(), reader.u32()]
      reader.skip(4)
      return { op, flags, mode, umask, name: reader.name() }
    }
    case 'read':
    case 'readdir':
    case 'readdirplus':
      return { op, handle: reader.u53(), offset: reader.u53(), size: reader.u32() }
    case 'write': {
      const [handle, offset, size, writeFlags] = [reader.u53(), reader.u53(), reader.u32(), reader.u32()]
      reader.skip(8)
      const flags = reader.u32()
      reader.skip(4)
      return {
        op,
        handle,
        offset,
        flags,
        killsSetId: (writeFlags & writeKillsSetId) !== 0,
        bytes: reader.bytes(size),
      }
    }
    case 'release':
    case 'releasedir': {
      const handle = reader.u53()
      reader.skip(4)
      const endsFlock = (reader.u32() & releaseEndsFlock) !== 0
      return { op, handle, endsFlock, owner: reader.u64() }
    }
    case 'flush': {
      const handle = reader.u53()
      reader.skip(8)
      return { op, handle, owner: reader.u64() }
    }
    case 'fsync':
    case 'fsyncdir':
      return { op, handle: reader.u53() }
    case 'setxattr': {
      const [size, flags] = [reader.u32(), reader.u32()]
      reader.skip(8)
      return { op, flags, name: reader.name(), value: reader.bytes(size).slice() }
    }
    case 'getxattr': {
      const size = reader.u32()
      reader.skip(4)
      return { op, size, name: reader.name() }
    }
    case 'listxattr':
      return { op, size: reader.u32() }
    case 'removexattr':
      return { op, name: reader.name() }
    case 'getlk':
    case 'setlk':
    case 'setlkw': {
      const [handle, owner] = [reader.u53(), reader.u64()]
      const [start, end, kind, pid] = [reader.u53OrEnd(), reader.u53OrEnd(), reader.u32(), reader.u32()]
      const isFlock = (reader.u32() & isFlockLock) !== 0
      return { op, handle, owner, isFlock, range: { start, end, kind: lockKind(kind), pid } }
    }
    case 'access':
      return { op, mask: reader.u32() }
    case 'interrupt':
      return { op, unique: reader.u64() }
    case 'fallocate':
      return { op, handle: reader.u53(), offset: reader.u53(), length: reader.u53(), mode: reader.u32() }
    case 'lseek':
      return { op, handle: reader.u53(), offset: reader.u53(), whence: reader.u32() }
    case 'init': {
      const [major, minor, maxReadahead, flags] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()]
      const high = reader.left >= 4 ? reader.u32() : 0
      return { op, major, minor, maxReadahead, flags: BigInt(flags) | (BigInt(high) << 32n) }
    }
  }
}

const valid = {
  mode: 1,
  uid: 2,
  gid: 4,
  size: 8,
  accessed: 16,
  modified: 32,
  accessedNow: 128,
  modifiedNow: 256,
  killsSetId: 2048,
} as const

function readChanges(reader: FuseReader): SetAttributes {
  const what = reader.u32()
  reader.skip(12)
  const size = reader.u53OrEnd()
  reader.skip(8)
  const seconds = [reader.i53(), reader.i53(), reader.i53()]
  const nanoseconds = [reader.u32(), reader.u32(), reader.u32()]
  const mode = reader.u32()
  reader.skip(4)
  const [uid, gid] = [reader.u32(), reader.u32()]
  const has = (bit: number): boolean => (what & bit) !== 0
  const time = (index: number): FuseTime => ({
    seconds: seconds[index] ?? 0,
    nanoseconds: nanoseconds[index] ?? 0,
  })
  return {
    ...(has(valid.mode) && { mode }),
    ...(has(valid.uid) && { uid }),
    ...(has(valid.gid) && { gid }),
    ...(has(valid.size) && { size }),
    ...(has(valid.accessed) && { accessed: has(valid.accessedNow) ? 'now' : time(0) }),
    ...(has(valid.modified) && { modified: has(valid.modifiedNow) ? 'now' : time(1) }),
    killsSetId: has(valid.killsSetId),
  }
}

function lockKind(number: number): LockRange['kind'] {
  const kind = lockKinds[number]
  if (kind === undefined) throw new KhazanaError('protocol-error', `no lock is of kind ${number}`)
  return kind
}

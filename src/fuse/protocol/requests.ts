import type { opcodes } from './opcodes.js'

/** Who asks, and of which node. */
export interface RequestHeader {
  /** The number that the reply bears. */
  readonly unique: number
  /** The node asked about; 1 is the root, 0 where the request is about none. */
  readonly node: number
  readonly uid: number
  readonly gid: number
  /** The process that asks; 0 where the kernel does not say. */
  readonly pid: number
}

/** A time since 1970; `nanoseconds` are 0 to 999,999,999 and count forwards, also before 1970. */
export interface Time {
  readonly seconds: number
  readonly nanoseconds: number
}

/** A lock on a range of bytes; `end` is the last byte, 2^63-1 for "to the end of the file". */
export interface FileLock {
  readonly start: bigint
  readonly end: bigint
  readonly type: 'read' | 'write' | 'unlock'
  readonly pid: number
}

export interface Forgotten {
  readonly node: number
  /** How many lookups are given back. */
  readonly lookups: number
}

/** Names of files are bytes, each with its own copy: they are whatever a program has written. Those of extended attributes are strings, with a character (0 to 255) for each byte. */
interface Fields {
  lookup: { readonly name: Uint8Array }
  forget: { readonly lookups: number }
  getattr: { readonly fh: number | undefined }
  setattr: {
    readonly fh: number | undefined
    readonly mode: number | undefined
    readonly uid: number | undefined
    readonly gid: number | undefined
    readonly size: number | undefined
    readonly atime: Time | 'now' | undefined
    readonly mtime: Time | 'now' | undefined
    readonly ctime: Time | undefined
    readonly lockOwner: bigint | undefined
    /** Truncation by one without CAP_FSETID: set-user-id and set-group-id bits go. */
    readonly killSuidGid: boolean
  }
  readlink: unknown
  symlink: { readonly name: Uint8Array; readonly target: Uint8Array }
  mknod: { readonly name: Uint8Array; readonly mode: number; readonly rdev: number; readonly umask: number }
  mkdir: { readonly name: Uint8Array; readonly mode: number; readonly umask: number }
  unlink: { readonly name: Uint8Array }
  rmdir: { readonly name: Uint8Array }
  /** RENAME and RENAME2 both; `flags` are those of renameat2(2): 1 no replace, 2 exchange, 4 whiteout. */
  rename: {
    readonly name: Uint8Array
    readonly newParent: number
    readonly newName: Uint8Array
    readonly flags: number
  }
  /** The header's node is the new parent. */
  link: { readonly source: number; readonly name: Uint8Array }
  open: { readonly flags: number; readonly killSuidGid: boolean }
  read: {
    readonly fh: number
    readonly offset: number
    readonly size: number
    readonly flags: number
    readonly lockOwner: bigint | undefined
  }
  write: {
    readonly fh: number
    readonly offset: number
    /** Lies in the receive buffer: valid until the answer is given, to be copied by who keeps it longer. */
    readonly data: Uint8Array
    readonly flags: number
    /** Pages that the kernel writes back: the handle is one of several that may have dirtied them. */
    readonly fromCache: boolean
    readonly killSuidGid: boolean
    readonly lockOwner: bigint | undefined
  }
  statfs: unknown
  release: {
    readonly fh: number
    readonly flags: number
    readonly flush: boolean
    readonly unlockFlock: boolean
    readonly lockOwner: bigint
  }
  fsync: { readonly fh: number; readonly dataOnly: boolean }
  /** `value` lies in the receive buffer, as the data of a write. Flags: 1 create, 2 replace. */
  setxattr: { readonly name: string; readonly value: Uint8Array; readonly flags: number }
  /** A `size` of 0 asks how long the value is. The server sees to both. */
  getxattr: { readonly name: string; readonly size: number }
  listxattr: { readonly size: number }
  removexattr: { readonly name: string }
  flush: { readonly fh: number; readonly lockOwner: bigint }
  init: {
    readonly major: number
    readonly minor: number
    readonly maxReadahead: number
    readonly flags: number
    readonly flags2: number
  }
  opendir: { readonly flags: number }
  readdir: { readonly fh: number; readonly offset: number; readonly size: number }
  releasedir: { readonly fh: number; readonly flags: number }
  fsyncdir: { readonly fh: number; readonly dataOnly: boolean }
  getlk: { readonly fh: number; readonly owner: bigint; readonly lock: FileLock; readonly isFlock: boolean }
  setlk: {
    readonly fh: number
    readonly owner: bigint
    readonly lock: FileLock
    readonly isFlock: boolean
    /** SETLKW: the answer waits until the lock is had; a signal to the process interrupts. */
    readonly waits: boolean
  }
  access: { readonly mask: number }
  create: {
    readonly name: Uint8Array
    readonly flags: number
    readonly mode: number
    readonly umask: number
    readonly killSuidGid: boolean
  }
  interrupt: { readonly interrupted: number }
  destroy: unknown
  ioctl: { readonly fh: number; readonly command: number; readonly flags: number }
  batchForget: { readonly forgotten: readonly Forgotten[] }
  fallocate: { readonly fh: number; readonly offset: number; readonly length: number; readonly mode: number }
  readdirplus: { readonly fh: number; readonly offset: number; readonly size: number }
  /** `whence` 3 seeks data, 4 a hole. */
  lseek: { readonly fh: number; readonly offset: number; readonly whence: number }
  copyFileRange: {
    readonly fh: number
    readonly offset: number
    readonly targetNode: number
    readonly targetFh: number
    readonly targetOffset: number
    readonly length: number
  }
  syncfs: unknown
  tmpfile: { readonly flags: number; readonly mode: number; readonly umask: number }
}

/** Names of the decoded requests: both forms of rename, and of a lock, are one. */
export type RequestName = Exclude<keyof typeof opcodes, 'rename2' | 'setlkw'>

/** The request of that name. */
export type RequestOf<Name extends RequestName> = Fields[Name] & {
  readonly op: Name
  readonly header: RequestHeader
}

export type FuseRequest = { [Name in RequestName]: RequestOf<Name> }[RequestName]

/** Bytes that are no request, which is damage (EPROTO). With a `unique` of 0 there is nobody to answer. */
export interface MalformedRequest {
  readonly op: 'malformed'
  readonly unique: number
  readonly reason: string
}

/** An operation of another version of the protocol: answered ENOSYS, and the kernel asks no more. */
export interface UnknownRequest {
  readonly op: 'unknown'
  readonly unique: number
  readonly opcode: number
}

export type Decoded = FuseRequest | MalformedRequest | UnknownRequest

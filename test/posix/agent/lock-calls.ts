import { LOCK, O, SEEK } from '../flags.js'
import type { Handles } from './handles.js'
import { checked, cString } from './libc.js'

const flock = checked('int flock(int fd, int operation)')
const fcntl = checked('int fcntl(int fd, int command, void *lock)')
const open = checked('int open(const void *path, int flags, unsigned int mode)')
const pread = checked('int64_t pread(int fd, void *into, size_t length, int64_t offset)')
const pwrite = checked('int64_t pwrite(int fd, void *from, size_t length, int64_t offset)')

/** Numbers of fcntl(2) where files are of 64 bits. */
const commands = { get: 5, set: 6, wait: 7, getOwn: 36, setOwn: 37, waitOwn: 38 } as const
const types = { read: 0, write: 1, unlock: 2 } as const

/** Whose lock: the process's, or the open file description's. */
export type LockOwner = 'process' | 'description'

export interface RecordLock {
  readonly type: keyof typeof types
  readonly start: number
  /** 0: to the end of all files. May be negative. */
  readonly length: number
  /** One of `SEEK`; by default from the start. */
  readonly whence?: number
}

export type FoundLock = 'none' | (RecordLock & { readonly pid: number })

/** A `struct flock`, as it lies in memory on 64 bits. */
function encode({ type, start, length, whence = SEEK.SET }: RecordLock): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeInt16LE(types[type], 0)
  bytes.writeInt16LE(whence, 2)
  bytes.writeBigInt64LE(BigInt(start), 8)
  bytes.writeBigInt64LE(BigInt(length), 16)
  return bytes
}

function decode(bytes: Buffer): FoundLock {
  const found = bytes.readInt16LE(0)
  if (found === types.unlock) return 'none'
  return {
    type: found === types.read ? 'read' : 'write',
    whence: bytes.readInt16LE(2),
    start: Number(bytes.readBigInt64LE(8)),
    length: Number(bytes.readBigInt64LE(16)),
    pid: bytes.readInt32LE(24),
  }
}

// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function lockCalls(handles: Handles) {
  return {
    flock: (fd: number, operation: number): void => void flock(fd, operation),
    setLock: (fd: number, lock: RecordLock, owner: LockOwner = 'process'): void =>
      void fcntl(fd, owner === 'process' ? commands.set : commands.setOwn, encode(lock)),
    /** Blocks the agent until the lock is its own. */
    waitLock: (fd: number, lock: RecordLock, owner: LockOwner = 'process'): void =>
      void fcntl(fd, owner === 'process' ? commands.wait : commands.waitOwn, encode(lock)),
    getLock: (fd: number, lock: RecordLock, owner: LockOwner = 'process'): FoundLock => {
      const bytes = encode(lock)
      fcntl(fd, owner === 'process' ? commands.get : commands.getOwn, bytes)
      return decode(bytes)
    },
    /** Adds one to the number in the file, `count` times, under a lock each time. The number is of 8 digits. */
    count: (path: string, count: number, by: 'flock' | 'fcntl'): void => {
      const fd = handles.opened(open(cString(path), O.RDWR, 0))
      const digits = Buffer.alloc(8)
      for (let i = 0; i < count; i++) {
        if (by === 'flock') flock(fd, LOCK.EX)
        else fcntl(fd, commands.wait, encode({ type: 'write', start: 0, length: 0 }))
        pread(fd, digits, 8, 0)
        const next = Number(digits.toString('latin1')) + 1
        pwrite(fd, Buffer.from(String(next).padStart(8, '0'), 'latin1'), 8, 0)
        if (by === 'flock') flock(fd, LOCK.UN)
        else fcntl(fd, commands.set, encode({ type: 'unlock', start: 0, length: 0 }))
      }
      handles.close(fd)
    },
    /** Of names that others may make too: those that this agent made. */
    claim: (prefix: string, count: number): number[] => {
      const won: number[] = []
      for (let i = 0; i < count; i++) {
        try {
          handles.close(handles.opened(open(cString(`${prefix}${i}`), O.WRONLY | O.CREAT | O.EXCL, 0o666)))
          won.push(i)
        } catch (error) {
          if ((error as { readonly errno?: string }).errno !== 'EEXIST') throw error
        }
      }
      return won
    },
  }
}

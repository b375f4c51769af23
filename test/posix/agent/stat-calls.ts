import { AT } from '../flags.js'
import { checked, cString } from './libc.js'

/** A moment: seconds since 1970, and nanoseconds in [0, 1e9). */
export interface Time {
  readonly s: number
  readonly ns: number
}

/** What to set a time to: see utimensat(2). */
export type NewTime = Time | 'now' | 'omit'

export interface Stat {
  readonly ino: number
  /** With the type, as in `st_mode`. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  /** Of 512 bytes. */
  readonly blocks: number
  readonly blksize: number
  readonly atime: Time
  readonly mtime: Time
  readonly ctime: Time
  readonly dev: string
  /** Major and minor number, of device nodes. */
  readonly rdev: readonly [number, number]
}

export interface FsStat {
  readonly type: number
  readonly bsize: number
  readonly frsize: number
  readonly blocks: number
  readonly bfree: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
  readonly namelen: number
}

const statx = checked('int statx(int dir, const void *path, int flags, unsigned int mask, void *into)')
const statfs = checked('int statfs(const void *path, void *into)')
const fstatfs = checked('int fstatfs(int fd, void *into)')
const access = checked('int access(const void *path, int mode)')
const faccessat = checked('int faccessat(int dir, const void *path, int mode, int flags)')
const utimensat = checked('int utimensat(int dir, const void *path, void *times, int flags)')
const futimens = checked('int futimens(int fd, void *times)')

const basicStats = 0x7ff
const utimeNow = 0x3fff_ffff
const utimeOmit = 0x3fff_fffe

function statAt(dir: number, path: string, flags: number): Stat {
  const into = Buffer.alloc(256)
  statx(dir, cString(path), flags, basicStats, into)
  const time = (at: number): Time => ({ s: Number(into.readBigInt64LE(at)), ns: into.readUInt32LE(at + 8) })
  return {
    ino: Number(into.readBigUInt64LE(32)),
    mode: into.readUInt16LE(28),
    nlink: into.readUInt32LE(16),
    uid: into.readUInt32LE(20),
    gid: into.readUInt32LE(24),
    size: Number(into.readBigUInt64LE(40)),
    blocks: Number(into.readBigUInt64LE(48)),
    blksize: into.readUInt32LE(4),
    atime: time(64),
    mtime: time(112),
    ctime: time(96),
    dev: `${into.readUInt32LE(136)}:${into.readUInt32LE(140)}`,
    rdev: [into.readUInt32LE(128), into.readUInt32LE(132)],
  }
}

function parseFsStat(into: Buffer): FsStat {
  const word = (index: number): number => Number(into.readBigInt64LE(8 * index))
  return {
    type: word(0),
    bsize: word(1),
    blocks: word(2),
    bfree: word(3),
    bavail: word(4),
    files: word(5),
    ffree: word(6),
    namelen: word(8),
    frsize: word(9),
  }
}

/** Two `struct timespec`, or NULL for "both now". */
function timesOf(atime: NewTime | null, mtime: NewTime | null): Buffer | null {
  if (atime === null || mtime === null) return null
  const times = Buffer.alloc(32)
  for (const [at, time] of [
    [0, atime],
    [16, mtime],
  ] as const) {
    const { s, ns } =
      time === 'now' ? { s: 0, ns: utimeNow } : time === 'omit' ? { s: 0, ns: utimeOmit } : time
    times.writeBigInt64LE(BigInt(s), at)
    times.writeBigInt64LE(BigInt(ns), at + 8)
  }
  return times
}

/** What is known of files without opening them, and their times. */
export const statCalls = {
  stat: (path: string): Stat => statAt(AT.FDCWD, path, 0),
  lstat: (path: string): Stat => statAt(AT.FDCWD, path, AT.SYMLINK_NOFOLLOW),
  fstat: (fd: number): Stat => statAt(fd, '', AT.EMPTY_PATH),
  fstatat: statAt,
  statfs: (path: string): FsStat => {
    const into = Buffer.alloc(256)
    statfs(cString(path), into)
    return parseFsStat(into)
  },
  fstatfs: (fd: number): FsStat => {
    const into = Buffer.alloc(256)
    fstatfs(fd, into)
    return parseFsStat(into)
  },
  /** By the real user. */
  access: (path: string, mode: number): void => void access(cString(path), mode),
  faccessat: (dir: number, path: string, mode: number, flags: number): void =>
    void faccessat(dir, cString(path), mode, flags),
  /** Null stands for the NULL pointer, which means now. */
  utimensat: (path: string, atime: NewTime | null, mtime: NewTime | null, flags = 0): void =>
    void utimensat(AT.FDCWD, cString(path), timesOf(atime, mtime), flags),
  futimens: (fd: number, atime: NewTime | null, mtime: NewTime | null): void =>
    void futimens(fd, timesOf(atime, mtime)),
}

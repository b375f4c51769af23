import { O, SEEK } from '../flags.js'
import type { Handles } from './handles.js'
import { checked, checkedWide, cString, peekMemory, pointing, silent } from './libc.js'

const opendir = pointing('void *opendir(const void *path)')
const readdir = pointing('void *readdir(void *stream)')
const closedir = checked('int closedir(void *stream)')
const telldir = checkedWide('int64_t telldir(void *stream)')
const seekdir = silent('void seekdir(void *stream, int64_t position)')
const rewinddir = silent('void rewinddir(void *stream)')
const getdents = checked('int64_t getdents64(int fd, void *into, size_t size)')
const lseek = checked('int64_t lseek(int fd, int64_t offset, int whence)')
const open = checked('int open(const void *path, int flags, unsigned int mode)')
const chdir = checked('int chdir(const void *path)')
const fchdir = checked('int fchdir(int fd)')
const getcwd = pointing('void *getcwd(void *into, size_t size)')

export interface DirectoryEntry {
  readonly name: string
  readonly ino: number
  /** One of `DT`. */
  readonly type: number
  /** Where the next entry is: for lseek. A string, since it may need 63 bits. */
  readonly next: string
}

const nameAt = 19
const pageBytes = 32_768

function parseEntries(bytes: Buffer): DirectoryEntry[] {
  const entries: DirectoryEntry[] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt16LE(at + 16)
    const name = bytes.subarray(at + nameAt, at + length)
    entries.push({
      name: name.toString('latin1', 0, name.indexOf(0)),
      ino: Number(bytes.readBigUInt64LE(at)),
      type: bytes.readUInt8(at + 18),
      next: String(bytes.readBigInt64LE(at + 8)),
    })
    at += length
  }
  return entries
}

function listAll(fd: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = []
  const into = Buffer.alloc(pageBytes)
  for (;;) {
    const length = getdents(fd, into, into.length)
    if (length === 0) return entries
    entries.push(...parseEntries(into.subarray(0, length)))
  }
}

/** Reading directories, by the C library and by the system call under it; and the current directory. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function directoryCalls(handles: Handles) {
  const streams = new Map<number, bigint>()
  const streamOf = (handle: number): bigint => {
    const stream = streams.get(handle)
    if (stream === undefined) throw new Error(`no stream ${handle}`)
    return stream
  }
  return {
    opendir: (path: string): number => {
      const stream = opendir(cString(path))
      if (stream === undefined) throw new Error('opendir failed without errno')
      const handle = handles.hold(() => {
        streams.delete(handle)
        closedir(stream)
      })
      streams.set(handle, stream)
      return handle
    },
    /** The name of the next entry, or null at the end. */
    readdir: (handle: number): string | null => {
      const entry = readdir(streamOf(handle))
      if (entry === undefined) return null
      const bytes = peekMemory(entry, peekMemory(entry, nameAt).readUInt16LE(16))
      return parseEntries(bytes)[0]?.name ?? null
    },
    telldir: (handle: number): string => String(telldir(streamOf(handle))),
    seekdir: (handle: number, position: string): void => seekdir(streamOf(handle), BigInt(position)),
    rewinddir: (handle: number): void => rewinddir(streamOf(handle)),
    closedir: (handle: number): void => handles.release(handle),
    /** One call of getdents64, with room for `size` bytes; nothing at the end. */
    getdents: (fd: number, size: number): DirectoryEntry[] => {
      const into = Buffer.alloc(size)
      return parseEntries(into.subarray(0, getdents(fd, into, size)))
    },
    /** lseek to where `DirectoryEntry.next` said. */
    seekTo: (fd: number, place: string): void => void lseek(fd, BigInt(place), SEEK.SET),
    /** All entries, those for itself and its parent too. */
    list: (path: string): DirectoryEntry[] => {
      const fd = handles.opened(open(cString(path), O.RDONLY | O.DIRECTORY, 0))
      try {
        return listAll(fd)
      } finally {
        handles.close(fd)
      }
    },
    /** The names but `.` and `..`, sorted. */
    names: (path: string): string[] => {
      const fd = handles.opened(open(cString(path), O.RDONLY | O.DIRECTORY, 0))
      try {
        return listAll(fd)
          .map(({ name }) => name)
          .filter((name) => name !== '.' && name !== '..')
          .sort()
      } finally {
        handles.close(fd)
      }
    },
    chdir: (path: string): void => void chdir(cString(path)),
    fchdir: (fd: number): void => void fchdir(fd),
    getcwd: (): string => {
      const into = Buffer.alloc(8192)
      getcwd(into, into.length)
      return into.toString('latin1', 0, into.indexOf(0))
    },
  }
}

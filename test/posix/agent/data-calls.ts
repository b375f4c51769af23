import { O } from '../flags.js'
import type { Handles } from './handles.js'
import { answeringErrno, checked, cString } from './libc.js'

const open = checked('int open(const void *path, int flags, unsigned int mode)')
const openat = checked('int openat(int dir, const void *path, int flags, unsigned int mode)')
const dup = checked('int dup(int fd)')
const read = checked('int64_t read(int fd, void *into, size_t length)')
const write = checked('int64_t write(int fd, void *from, size_t length)')
const pread = checked('int64_t pread(int fd, void *into, size_t length, int64_t offset)')
const pwrite = checked('int64_t pwrite(int fd, void *from, size_t length, int64_t offset)')
const lseek = checked('int64_t lseek(int fd, int64_t offset, int whence)')
const truncate = checked('int truncate(const void *path, int64_t length)')
const ftruncate = checked('int ftruncate(int fd, int64_t length)')
const fsync = checked('int fsync(int fd)')
const fdatasync = checked('int fdatasync(int fd)')
const syncfs = checked('int syncfs(int fd)')
const fallocate = checked('int fallocate(int fd, int mode, int64_t offset, int64_t length)')
const posixFallocate = answeringErrno('int posix_fallocate(int fd, int64_t offset, int64_t length)')
const sendfile = checked('int64_t sendfile(int out, int in, void *offset, size_t count)')
const copyRange = checked(
  'int64_t copy_file_range(int in, void *inAt, int out, void *outAt, size_t length, unsigned int flags)',
)
const fcntl = checked('int fcntl(int fd, int command, int64_t argument)')

const getFlags = 3
const setFlags = 4

/** One character per byte. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** An `off_t` to point to, or NULL: the position of the descriptor. */
function offsetAt(offset: number | null): Buffer | null {
  if (offset === null) return null
  const at = Buffer.alloc(8)
  at.writeBigInt64LE(BigInt(offset))
  return at
}

/** Descriptors and the bytes behind them. Bytes are strings with one character per byte. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function dataCalls(handles: Handles) {
  return {
    open: (path: string, flags: number, mode = 0o666): number =>
      handles.opened(open(cString(path), flags, mode)),
    openat: (dir: number, path: string, flags: number, mode = 0o666): number =>
      handles.opened(openat(dir, cString(path), flags, mode)),
    close: (fd: number): void => handles.close(fd),
    dup: (fd: number): number => handles.opened(dup(fd)),
    read: (fd: number, length: number): string => {
      const into = Buffer.alloc(length)
      return into.toString('latin1', 0, read(fd, into, length))
    },
    write: (fd: number, data: string): number => write(fd, bytesOf(data), data.length),
    pread: (fd: number, length: number, offset: number): string => {
      const into = Buffer.alloc(length)
      return into.toString('latin1', 0, pread(fd, into, length, offset))
    },
    pwrite: (fd: number, data: string, offset: number): number =>
      pwrite(fd, bytesOf(data), data.length, offset),
    lseek: (fd: number, offset: number, whence: number): number => lseek(fd, offset, whence),
    truncate: (path: string, length: number): void => void truncate(cString(path), length),
    ftruncate: (fd: number, length: number): void => void ftruncate(fd, length),
    fsync: (fd: number): void => void fsync(fd),
    fdatasync: (fd: number): void => void fdatasync(fd),
    syncfs: (fd: number): void => void syncfs(fd),
    fallocate: (fd: number, mode: number, offset: number, length: number): void =>
      void fallocate(fd, mode, offset, length),
    posixFallocate: (fd: number, offset: number, length: number): void => posixFallocate(fd, offset, length),
    /** `offset` null: from the position of `input`, which moves. */
    sendfile: (output: number, input: number, offset: number | null, count: number): number =>
      sendfile(output, input, offsetAt(offset), count),
    copyFileRange: (
      input: number,
      inputAt: number | null,
      output: number,
      outputAt: number | null,
      length: number,
      flags = 0,
    ): number => copyRange(input, offsetAt(inputAt), output, offsetAt(outputAt), length, flags),
    getFlags: (fd: number): number => fcntl(fd, getFlags, 0),
    setFlags: (fd: number, flags: number): void => void fcntl(fd, setFlags, flags),

    /** Makes a file, or empties it, and writes it. */
    writeFile: (path: string, data: string, mode = 0o666): void => {
      const fd = open(cString(path), O.WRONLY | O.CREAT | O.TRUNC, mode)
      handles.opened(fd)
      try {
        if (data !== '') writeAll(fd, bytesOf(data))
      } finally {
        handles.close(fd)
      }
    },
    /** All of a file. */
    readFile: (path: string): string => {
      const fd = handles.opened(open(cString(path), O.RDONLY, 0))
      try {
        return readAll(fd)
      } finally {
        handles.close(fd)
      }
    },
    /** Appends `count` lines, `label` and a number, one write each. */
    appendLines: (path: string, label: string, count: number): void => {
      const fd = handles.opened(open(cString(path), O.WRONLY | O.APPEND, 0))
      try {
        for (let i = 0; i < count; i++) writeAll(fd, bytesOf(`${label} ${i}\n`))
      } finally {
        handles.close(fd)
      }
    },
    /** The first `length` bytes of the file, read `count` times: the different things seen, in their order. */
    watchBytes: (path: string, length: number, count: number): string[] => {
      const fd = handles.opened(open(cString(path), O.RDONLY, 0))
      const seen: string[] = []
      const into = Buffer.alloc(length)
      for (let i = 0; i < count; i++) {
        const text = into.toString('latin1', 0, pread(fd, into, length, 0))
        if (seen.at(-1) !== text) seen.push(text)
      }
      handles.close(fd)
      return seen
    },
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) {
    done += write(fd, bytes.subarray(done), bytes.length - done)
  }
}

function readAll(fd: number): string {
  const into = Buffer.alloc(65_536)
  let text = ''
  for (;;) {
    const length = read(fd, into, into.length)
    if (length === 0) return text
    text += into.toString('latin1', 0, length)
  }
}

import { checked, cString } from './libc.js'

const set = checked('int setxattr(const void *path, const void *name, void *value, size_t size, int flags)')
const lset = checked('int lsetxattr(const void *path, const void *name, void *value, size_t size, int flags)')
const fset = checked('int fsetxattr(int fd, const void *name, void *value, size_t size, int flags)')
const get = checked('int64_t getxattr(const void *path, const void *name, void *into, size_t size)')
const lget = checked('int64_t lgetxattr(const void *path, const void *name, void *into, size_t size)')
const fget = checked('int64_t fgetxattr(int fd, const void *name, void *into, size_t size)')
const list = checked('int64_t listxattr(const void *path, void *into, size_t size)')
const llist = checked('int64_t llistxattr(const void *path, void *into, size_t size)')
const flist = checked('int64_t flistxattr(int fd, void *into, size_t size)')
const remove = checked('int removexattr(const void *path, const void *name)')
const lremove = checked('int lremovexattr(const void *path, const void *name)')
const fremove = checked('int fremovexattr(int fd, const void *name)')

const valueBytesMax = 65_536

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function read(call: (into: Buffer, size: number) => number, size: number): string {
  const into = Buffer.alloc(size)
  return into.toString('latin1', 0, call(into, size))
}

function namesIn(text: string): string[] {
  return text.split('\0').filter((name) => name !== '')
}

/** Extended attributes. Reading with a size of `size` bytes; `…Size` asks for the size alone, as a size of 0 does. */
export const xattrCalls = {
  setxattr: (path: string, name: string, value: string, flags = 0): void =>
    void set(cString(path), cString(name), bytesOf(value), value.length, flags),
  lsetxattr: (path: string, name: string, value: string, flags = 0): void =>
    void lset(cString(path), cString(name), bytesOf(value), value.length, flags),
  fsetxattr: (fd: number, name: string, value: string, flags = 0): void =>
    void fset(fd, cString(name), bytesOf(value), value.length, flags),
  getxattr: (path: string, name: string, size = valueBytesMax): string =>
    read((into, length) => get(cString(path), cString(name), into, length), size),
  getxattrSize: (path: string, name: string): number => get(cString(path), cString(name), null, 0),
  lgetxattr: (path: string, name: string, size = valueBytesMax): string =>
    read((into, length) => lget(cString(path), cString(name), into, length), size),
  fgetxattr: (fd: number, name: string, size = valueBytesMax): string =>
    read((into, length) => fget(fd, cString(name), into, length), size),
  listxattr: (path: string, size = valueBytesMax): string[] =>
    namesIn(read((into, length) => list(cString(path), into, length), size)),
  listxattrSize: (path: string): number => list(cString(path), null, 0),
  llistxattr: (path: string, size = valueBytesMax): string[] =>
    namesIn(read((into, length) => llist(cString(path), into, length), size)),
  flistxattr: (fd: number, size = valueBytesMax): string[] =>
    namesIn(read((into, length) => flist(fd, into, length), size)),
  removexattr: (path: string, name: string): void => void remove(cString(path), cString(name)),
  lremovexattr: (path: string, name: string): void => void lremove(cString(path), cString(name)),
  fremovexattr: (fd: number, name: string): void => void fremove(fd, cString(name)),
}

import { checked, cString } from './libc.js'

const link = checked('int link(const void *from, const void *to)')
const linkat = checked('int linkat(int fromDir, const void *from, int toDir, const void *to, int flags)')
const symlink = checked('int symlink(const void *target, const void *path)')
const readlink = checked('int64_t readlink(const void *path, void *into, size_t size)')
const unlink = checked('int unlink(const void *path)')
const unlinkat = checked('int unlinkat(int dir, const void *path, int flags)')
const rmdir = checked('int rmdir(const void *path)')
const rename = checked('int rename(const void *from, const void *to)')
const renameat = checked('int renameat(int fromDir, const void *from, int toDir, const void *to)')
const renameat2 = checked(
  'int renameat2(int fromDir, const void *from, int toDir, const void *to, unsigned int flags)',
)
const mkdir = checked('int mkdir(const void *path, unsigned int mode)')
const mkdirat = checked('int mkdirat(int dir, const void *path, unsigned int mode)')
const mknod = checked('int mknod(const void *path, unsigned int mode, uint64_t device)')
const chmod = checked('int chmod(const void *path, unsigned int mode)')
const fchmod = checked('int fchmod(int fd, unsigned int mode)')
const chown = checked('int chown(const void *path, unsigned int uid, unsigned int gid)')
const lchown = checked('int lchown(const void *path, unsigned int uid, unsigned int gid)')
const fchown = checked('int fchown(int fd, unsigned int uid, unsigned int gid)')

const here = -100

/** Leave this id as it is. */
const unchanged = 0xffff_ffff

/** The C library's makedev. */
function deviceOf(major: number, minor: number): bigint {
  const [big, small] = [BigInt(major), BigInt(minor)]
  return (
    ((big & 0xffff_f000n) << 32n) | ((big & 0xfffn) << 8n) | ((small & 0xffff_ff00n) << 12n) | (small & 0xffn)
  )
}

/** What makes, moves and removes names, and changes whom files belong to. */
export const nameCalls = {
  link: (from: string, to: string): void => void link(cString(from), cString(to)),
  linkat: (fromDir: number, from: string, toDir: number, to: string, flags: number): void =>
    void linkat(fromDir, cString(from), toDir, cString(to), flags),
  symlink: (target: string, path: string): void => void symlink(cString(target), cString(path)),
  /** At most `size` bytes, as the call. */
  readlink: (path: string, size = 8192): string => {
    const into = Buffer.alloc(size)
    return into.toString('latin1', 0, readlink(cString(path), into, size))
  },
  unlink: (path: string): void => void unlink(cString(path)),
  unlinkat: (dir: number, path: string, flags: number): void => void unlinkat(dir, cString(path), flags),
  rmdir: (path: string): void => void rmdir(cString(path)),
  rename: (from: string, to: string): void => void rename(cString(from), cString(to)),
  renameat: (fromDir: number, from: string, toDir: number, to: string): void =>
    void renameat(fromDir, cString(from), toDir, cString(to)),
  renameat2: (from: string, to: string, flags: number): void =>
    void renameat2(here, cString(from), here, cString(to), flags),
  mkdir: (path: string, mode = 0o777): void => void mkdir(cString(path), mode),
  mkdirat: (dir: number, path: string, mode: number): void => void mkdirat(dir, cString(path), mode),
  mknod: (path: string, mode: number, major = 0, minor = 0): void =>
    void mknod(cString(path), mode, deviceOf(major, minor)),
  chmod: (path: string, mode: number): void => void chmod(cString(path), mode),
  fchmod: (fd: number, mode: number): void => void fchmod(fd, mode),
  /** An id of -1 stays as it is. */
  chown: (path: string, uid: number, gid: number): void => void chown(cString(path), idOf(uid), idOf(gid)),
  lchown: (path: string, uid: number, gid: number): void => void lchown(cString(path), idOf(uid), idOf(gid)),
  fchown: (fd: number, uid: number, gid: number): void => void fchown(fd, idOf(uid), idOf(gid)),
}

function idOf(id: number): number {
  return id === -1 ? unchanged : id
}

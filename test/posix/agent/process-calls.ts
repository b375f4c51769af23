import { spawn, spawnSync } from 'node:child_process'
import type { Handles } from './handles.js'
import { checked, cString, silent } from './libc.js'
import { PosixError } from './posix-error.js'

const setresuid = checked('int setresuid(unsigned int real, unsigned int effective, unsigned int saved)')
const setresgid = checked('int setresgid(unsigned int real, unsigned int effective, unsigned int saved)')
const setgroups = checked('int setgroups(size_t count, void *list)')
const umask = checked('unsigned int umask(unsigned int mask)')
const setrlimit = checked('int setrlimit(int resource, void *limits)')
const signal = silent('void signal(int signal, int64_t handler)')
const socket = checked('int socket(int domain, int type, int protocol)')
const bind = checked('int bind(int fd, void *address, unsigned int length)')
const listen = checked('int listen(int fd, int backlog)')
const connect = checked('int connect(int fd, void *address, unsigned int length)')
const mount = checked(
  'int mount(const void *from, const void *to, const void *type, uint64_t flags, void *data)',
)
const umount = checked('int umount2(const void *path, int flags)')

/** Gone from the tree at once, and for good when nobody uses it any more. */
const detach = 2

/** Who an agent is to the file system. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** Supplementary groups. */
  readonly groups: readonly number[]
}

const fileSizeResource = 1
const xfsz = 25
const unixFamily = 1
const streamSocket = 1
const unlimited = 0xffff_ffff_ffff_ffffn

function unixAddress(path: string): Buffer {
  const address = Buffer.alloc(2 + path.length + 1)
  address.writeUInt16LE(unixFamily, 0)
  address.write(path, 2, 'latin1')
  return address
}

function limitFileSize(bytes: bigint): void {
  const limits = Buffer.alloc(16)
  limits.writeBigUInt64LE(bytes, 0)
  limits.writeBigUInt64LE(unlimited, 8)
  setrlimit(fileSizeResource, limits)
}

/**
 * Who the agent is, what it runs, and sockets. The saved user id stays 0, so that an agent of root can become another and
 * come back; capabilities go with the effective id all the same.
 */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function processCalls(handles: Handles) {
  return {
    pid: (): number => process.pid,
    userId: (): number => process.geteuid?.() ?? -1,
    become: ({ uid, gid, groups }: Identity): void => {
      setresuid(0, 0, 0)
      const list = Buffer.alloc(4 * groups.length)
      groups.forEach((group, index) => list.writeUInt32LE(group, 4 * index))
      setgroups(groups.length, list)
      setresgid(gid, gid, 0)
      setresuid(uid, uid, 0)
    },
    /** Only the effective user id, as a set-user-id program has. */
    becomeEffectively: (uid: number): void => void setresuid(0, uid, 0),
    /** Answers the mask before. */
    umask: (mask: number): number => umask(mask),
    limitFileSize: (bytes: number): void => limitFileSize(BigInt(bytes)),
    unlimitFileSize: (): void => limitFileSize(unlimited),
    /** Node ignores SIGXFSZ; as programs are started, it kills. */
    dieOfFileSize: (): void => signal(xfsz, 0),
    /** A listening socket, bound to the path. */
    bind: (path: string): number => {
      const fd = handles.opened(socket(unixFamily, streamSocket, 0))
      const address = unixAddress(path)
      bind(fd, address, address.length)
      listen(fd, 1)
      return fd
    },
    connect: (path: string): number => {
      const fd = handles.opened(socket(unixFamily, streamSocket, 0))
      const address = unixAddress(path)
      connect(fd, address, address.length)
      return fd
    },
    mount: (from: string, to: string, type: string, flags: number): void =>
      void mount(cString(from), cString(to), cString(type), BigInt(flags), null),
    umount: (path: string): void => void umount(cString(path), detach),
    /** Runs a program to its end; answers its output. Throws the errno of execve. */
    execute: (path: string): string => {
      const { error, stdout } = spawnSync(path, [], { encoding: 'latin1' })
      if (error !== undefined)
        throw new PosixError((error as NodeJS.ErrnoException).code ?? 'unknown', 'execve')
      return stdout
    },
    /** Starts a program that runs until it is killed by the handle. */
    start: (path: string, argument: string): number => {
      const child = spawn(path, [argument], { stdio: 'ignore' })
      child.on('error', () => undefined)
      if (child.pid === undefined) throw new PosixError('unknown', 'execve')
      return handles.hold(() => void child.kill('SIGKILL'))
    },
    stop: (handle: number): void => handles.release(handle),
    removeTree: (path: string): void => {
      const { status, stderr } = spawnSync('rm', ['-rf', '--one-file-system', path], { encoding: 'latin1' })
      if (status !== 0) throw new Error(`rm: ${stderr}`)
    },
  }
}

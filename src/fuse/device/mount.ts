import { closeSync, constants, openSync, statSync } from 'node:fs'
import { KhazanaError } from '../../stdx/errors.js'
import { errnoName, lastErrno, libc } from './libc.js'

export interface FuseMountOptions {
  /** What tools show as the source of the mount. */
  readonly source: string
  /** Whether the kernel itself checks who may do what, by owners and permissions; and everybody may come in. */
  readonly checksPermissions: boolean
}

const detach = 2

/** An open connection with the kernel, of a mount. */
export interface FuseDevice {
  /** To be closed by who has it, when the mount has ended. */
  readonly fd: number
  readonly directory: string
}

/**
 * Mounts a file system on the directory, which this process is to serve. A mount that is left there, whose process has died, is cleared away first.
 * Throws `unsupported` where the machine has no FUSE or this process may not mount, `invalid-argument` for what is no directory.
 */
export function mountDevice(directory: string, options: FuseMountOptions): FuseDevice {
  clearStale(directory)
  const mode = directoryMode(directory)
  const fd = openDevice()
  const { source, checksPermissions } = options
  const settings = [
    `fd=${fd}`,
    `rootmode=${mode.toString(8)}`,
    `user_id=${process.getuid?.() ?? 0}`,
    `group_id=${process.getgid?.() ?? 0}`,
    'allow_other',
    ...(checksPermissions ? ['default_permissions'] : []),
  ]
  if (libc.mount(source, directory, 'fuse.khazana', 0, settings.join(',')) !== 0) {
    const errno = errnoName(lastErrno())
    closeSync(fd)
    const hint = errno === 'EPERM' ? ': only root may mount' : ''
    throw new KhazanaError('unsupported', `${directory} cannot be mounted on: ${errno}${hint}`)
  }
  return { fd, directory }
}

/** Ends the mount. What is in use of it stays, without a name, until it is not in use any more. Answers whether there was one. */
export function unmountDirectory(directory: string): boolean {
  return libc.umount2(directory, 0) === 0 || libc.umount2(directory, detach) === 0
}

/** Whether what was mounted there is served by nobody any more. */
export function isStale(directory: string): boolean {
  try {
    statSync(directory)
    return false
  } catch (reason) {
    return reason instanceof Error && 'code' in reason && reason.code === 'ENOTCONN'
  }
}

function clearStale(directory: string): void {
  if (isStale(directory) && !unmountDirectory(directory))
    throw new KhazanaError(
      'unsupported',
      `a dead mount on ${directory} cannot be cleared away: ${errnoName(lastErrno())}`,
    )
}

function directoryMode(directory: string): number {
  let mode: number
  try {
    mode = statSync(directory).mode
  } catch (reason) {
    throw new KhazanaError('invalid-argument', `${directory} cannot be mounted on: ${String(reason)}`, {
      cause: reason,
    })
  }
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR)
    throw new KhazanaError(
      'invalid-argument',
      `${directory} is no directory: a file system is mounted on one`,
    )
  return mode & constants.S_IFMT
}

function openDevice(): number {
  try {
    return openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK)
  } catch (reason) {
    throw new KhazanaError('unsupported', `this machine has no FUSE: ${String(reason)}`, { cause: reason })
  }
}

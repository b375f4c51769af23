import type { ErrnoName } from '../fs/errno.js'

/** The numbers by which Linux knows the errors that file systems answer with. */
export const errnoNumbers = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
} as const satisfies Readonly<Record<ErrnoName, number>> & Readonly<Record<string, number>>

export type Errno = keyof typeof errnoNumbers

/** What an operation of a file system is answered with, to the kernel. */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError'
  readonly errno: Errno

  constructor(errno: Errno, options?: { readonly cause?: unknown }) {
    super(errno, options)
    this.errno = errno
  }
}

/** The number of what was thrown, where it says its errno; undefined for anything else. */
export function errnoOf(reason: unknown): number | undefined {
  if (reason instanceof ErrnoError) return errnoNumbers[reason.errno]
  if (!(reason instanceof Error) || !('code' in reason) || typeof reason.code !== 'string') return undefined
  return (errnoNumbers as Readonly<Record<string, number>>)[reason.code]
}

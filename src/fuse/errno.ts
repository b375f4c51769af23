import type { ErrnoName as FileSystemErrno } from '../fs/errno.js'

/** Every Linux error number that a file system answers with. */
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
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
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
  EPROTO: 71,
  EOVERFLOW: 75,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  EHOSTUNREACH: 113,
  ESTALE: 116,
  EREMOTEIO: 121,
  EDQUOT: 122,
  ECANCELED: 125,
} as const satisfies Readonly<Record<FileSystemErrno, number>> & Readonly<Record<string, number>>

export type ErrnoName = keyof typeof errnoNumbers

const made = new Map<ErrnoName, Errno>()

/**
 * The failure of an operation, as the kernel is told it. It may be thrown, or returned where an answer is asked: a
 * lookup that finds nothing is no exception. There is one of each name, made once, so that it costs no stack trace.
 */
export class Errno extends Error {
  override readonly name = 'Errno'
  readonly code: ErrnoName

  private constructor(code: ErrnoName) {
    super(code)
    this.code = code
  }

  static of(code: ErrnoName): Errno {
    const known = made.get(code)
    if (known !== undefined) return known
    const errno = new Errno(code)
    made.set(code, errno)
    return errno
  }
}

/** The errno that a thrown thing names by its `code`, as those of the file system do; undefined for anything else. */
export function errnoOf(reason: unknown): ErrnoName | undefined {
  if (!(reason instanceof Error) || !('code' in reason) || typeof reason.code !== 'string') return undefined
  return Object.hasOwn(errnoNumbers, reason.code) ? (reason.code as ErrnoName) : undefined
}

/** The name of an error's number, as `ENOENT`, for messages. */
export function errnoName(number: number): string {
  return Object.entries(errnoNumbers).find(([, each]) => each === number)?.[0] ?? `error ${number}`
}

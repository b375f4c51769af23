/** The errors of POSIX that a file system answers with, by their names. */
export type ErrnoName =
  | 'EACCES'
  | 'EAGAIN'
  | 'EBADF'
  | 'EBUSY'
  | 'EDEADLK'
  | 'EEXIST'
  | 'EFBIG'
  | 'EINTR'
  | 'EINVAL'
  | 'EIO'
  | 'EISDIR'
  | 'ELOOP'
  | 'EMLINK'
  | 'ENAMETOOLONG'
  | 'ENODATA'
  | 'ENOENT'
  | 'ENOLCK'
  | 'ENOSPC'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'ENXIO'
  | 'EOPNOTSUPP'
  | 'EPERM'
  | 'ERANGE'
  | 'EROFS'
  | 'ESTALE'
  | 'ETIMEDOUT'
  | 'EXDEV'
  | 'E2BIG'

/** What an operation of a file system fails with, and why; nothing has changed then. */
export class FsError extends Error {
  override readonly name = 'FsError'
  readonly code: ErrnoName

  constructor(code: ErrnoName, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

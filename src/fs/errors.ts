import type { ErrorCode, KhazanaError } from '../stdx/errors.js'
import { FsError } from './errno.js'
import type { ErrnoName } from './errno.js'

/** What global memory's errors are to whoever uses files. Whatever is not here is an error of the device: `EIO`. */
const errnoOf: Partial<Record<ErrorCode, ErrnoName>> = {
  'no-space': 'ENOSPC',
  timeout: 'ETIMEDOUT',
  aborted: 'EINTR',
  'no-such-region': 'ESTALE',
  unreachable: 'EIO',
}

export function fsErrorFrom(error: KhazanaError): FsError {
  return new FsError(errnoOf[error.code] ?? 'EIO', error.message, { cause: error })
}

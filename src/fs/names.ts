import { FsError } from './errno.js'
import { nameBytesMax } from './file/limits.js'

const slash = 47
const dot = 46

/** Throws `ENOENT`, `ENAMETOOLONG`, `EINVAL` for what is no name of a file; `.` and `..` are names. */
export function checkName(name: Uint8Array): void {
  if (name.length === 0) throw new FsError('ENOENT', 'a name has at least one byte')
  if (name.length > nameBytesMax)
    throw new FsError('ENAMETOOLONG', `a name has at most ${nameBytesMax} bytes`)
  if (name.includes(slash) || name.includes(0)) throw new FsError('EINVAL', 'a name has no "/" and no byte 0')
}

/** The same for one that is to be made or taken away: it is not `.` or `..`. */
export function checkNewName(name: Uint8Array, code: 'EEXIST' | 'EINVAL' | 'EBUSY' | 'ENOTEMPTY'): void {
  checkName(name)
  if (isDot(name) || isDotDot(name)) throw new FsError(code, 'not "." or ".."')
}

export function isDot(name: Uint8Array): boolean {
  return name.length === 1 && name[0] === dot
}

export function isDotDot(name: Uint8Array): boolean {
  return name.length === 2 && name[0] === dot && name[1] === dot
}

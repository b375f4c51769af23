import koffi from 'koffi'
import fs from 'node:fs'
import { KhazanaError } from '../../stdx/errors.js'
import type { DirectoryLock } from '../storage.js'

const lockExclusively = 2
const doNotWait = 4

/** flock(2): 0, or -1 with an errno. */
type FlockCall = (fd: number, operation: number) => number

/**
 * Locks the file for this process with flock(2), which Node lacks. The kernel lets go of it when the process dies in
 * whatever way, so there is nothing stale to clean up, as there is with a file whose existence means "locked". Throws
 * `directory-in-use`.
 */
export function lockFile(path: string): DirectoryLock {
  const flock = koffi.load(null).func('int flock(int, int)') as unknown as FlockCall
  const fd = fs.openSync(path, 'a+', 0o600)
  const result = flock(fd, lockExclusively | doNotWait)
  if (result !== 0) {
    const errno = koffi.errno()
    const owner = fs.readFileSync(path, 'utf8').trim()
    fs.closeSync(fd)
    const isTaken = errno === koffi.os.errno['EWOULDBLOCK'] || errno === koffi.os.errno['EAGAIN']
    if (isTaken)
      throw new KhazanaError(
        'directory-in-use',
        `${path} is locked by process ${owner === '' ? 'unknown' : owner}`,
      )
    throw new KhazanaError('storage-failed', `${path} cannot be locked: error ${errno}`)
  }
  // For people; the lock itself is the kernel's.
  fs.ftruncateSync(fd)
  fs.writeSync(fd, `${process.pid}\n`)
  let isHeld = true
  return {
    release: () => {
      if (isHeld) fs.closeSync(fd)
      isHeld = false
      return Promise.resolve()
    },
  }
}

import fs from 'node:fs'
import { KhazanaError } from '../../stdx/errors.js'
import { errnoName } from '../errno.js'
import { runFusermount } from './fusermount.js'
import type { SystemCalls } from './system-calls.js'

const detach = 2

/**
 * Makes the folder ready to be mounted upon: what a daemon that died left there is unmounted first. Throws
 * `invalid-argument` where it is no directory.
 */
export async function prepareMountPoint(path: string, calls: SystemCalls): Promise<void> {
  // Each turn removes one dead mount: they may lie upon each other.
  for (let turn = 0; turn < deadMountsMax; turn++) {
    try {
      // Asynchronous: the path may lie in a file system that this very process serves.
      const stat = await fs.promises.stat(path)
      if (!stat.isDirectory()) throw new KhazanaError('invalid-argument', `${path} is not a directory`)
      // What the dead one has said of its root the kernel may believe for long; this it always asks for.
      await fs.promises.statfs(path)
      return
    } catch (error) {
      if (error instanceof KhazanaError) throw error
      if (errorCode(error) !== 'ENOTCONN') {
        throw new KhazanaError('invalid-argument', `${path} cannot be mounted upon`, { cause: error })
      }
      await detachMount(path, calls)
    }
  }
  throw new KhazanaError('busy', `${path} lies under more than ${deadMountsMax} dead mounts`)
}

const deadMountsMax = 16

/** Takes the mount out of the tree at once; it ends when its last user lets go. Throws `unsupported`. */
export async function detachMount(path: string, calls: SystemCalls): Promise<void> {
  if (process.getuid?.() === 0) {
    if (calls.umount2(path, detach) === 0) return
    throw new KhazanaError('unsupported', `${path} cannot be unmounted: ${errnoName(calls.lastErrno())}`)
  }
  await runFusermount(['-u', '-z', '--', path])
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

import type { Errno } from '../errno.js'
import type { AttributesAnswer, Entry } from '../protocol/attributes.js'
import type { CreateAnswer, OpenAnswer, StatfsAnswer } from '../protocol/reply-writer.js'
import type { FileLock, Forgotten, RequestName, RequestOf } from '../protocol/requests.js'

/**
 * An answer at once, or a promise of it. What is at hand should be answered at once: it then costs no turn of the
 * event loop. A failure is an `Errno`, returned or thrown, or any error whose `code` is the name of one; whatever
 * else is thrown is logged and becomes EIO.
 */
export type Answer<T> = T | Errno | Promise<T | Errno>

/** The call that an operation answers. */
export interface Call {
  /**
   * Aborts when the process that asks is interrupted, or the mount ends. The operation should then fail with EINTR,
   * but may as well finish. Made when it is first asked for: who never does pays nothing.
   */
  readonly signal: AbortSignal
}

/** The bytes read; fewer than asked means the end of the file. They are written out at once and not kept. */
export type ReadAnswer = Uint8Array | readonly Uint8Array[]

type Operation<Name extends RequestName, T> = (request: RequestOf<Name>, call: Call) => Answer<T>

/**
 * A file system, as the kernel's requests see it. An operation that is missing is answered ENOSYS, upon which the
 * kernel does without it, mostly for ever: without `open` it opens by itself, without `access` it allows, without
 * `lseek` it knows no holes. Nodes are numbers that the file system gives out (1 is the root) and may forget when
 * the kernel has given back as many lookups as entries were answered.
 *
 * Calls come in the order of the kernel; the next may come before the promise of one before is settled.
 */
export interface FuseOperations {
  /** ENOENT, or an entry whose node is 0 to have the absence remembered. */
  lookup?: Operation<'lookup', Entry>
  /** Has no answer, and must not fail. */
  forget?(forgotten: readonly Forgotten[]): void
  getattr?: Operation<'getattr', AttributesAnswer>
  setattr?: Operation<'setattr', AttributesAnswer>
  readlink?: Operation<'readlink', Uint8Array>
  symlink?: Operation<'symlink', Entry>
  mknod?: Operation<'mknod', Entry>
  mkdir?: Operation<'mkdir', Entry>
  unlink?: Operation<'unlink', void>
  rmdir?: Operation<'rmdir', void>
  rename?: Operation<'rename', void>
  link?: Operation<'link', Entry>
  open?: Operation<'open', OpenAnswer>
  read?: Operation<'read', ReadAnswer>
  /** How many bytes were written. */
  write?: Operation<'write', number>
  statfs?: Operation<'statfs', StatfsAnswer>
  release?: Operation<'release', void>
  fsync?: Operation<'fsync', void>
  setxattr?: Operation<'setxattr', void>
  /** The whole value, whatever size is asked; ENODATA where there is none. */
  getxattr?: Operation<'getxattr', Uint8Array>
  /** All names, whatever size is asked. */
  listxattr?: Operation<'listxattr', readonly string[]>
  removexattr?: Operation<'removexattr', void>
  flush?: Operation<'flush', void>
  opendir?: Operation<'opendir', OpenAnswer>
  /** What a `DirectoryBuilder` of the size asked has gathered; empty at the end. */
  readdir?: Operation<'readdir', Uint8Array>
  /** What a `DirectoryPlusBuilder` of the size asked has gathered. */
  readdirplus?: Operation<'readdirplus', Uint8Array>
  releasedir?: Operation<'releasedir', void>
  fsyncdir?: Operation<'fsyncdir', void>
  /** The lock that is in the way, or the lock asked about with type `unlock`. */
  getlk?: Operation<'getlk', FileLock>
  /** EAGAIN where it is taken, unless it waits. */
  setlk?: Operation<'setlk', void>
  access?: Operation<'access', void>
  create?: Operation<'create', CreateAnswer>
  tmpfile?: Operation<'tmpfile', CreateAnswer>
  fallocate?: Operation<'fallocate', void>
  lseek?: Operation<'lseek', number>
  copyFileRange?: Operation<'copyFileRange', number>
  syncfs?: Operation<'syncfs', void>
  /** Once, when the mount has ended in whatever way. */
  destroy?(): void
}

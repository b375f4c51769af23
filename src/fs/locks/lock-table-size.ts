import type { FileLock, WaitingLock } from './file-lock.js'

/** Bytes that a file has for its table of locks: some 400 of them. */
export const lockTableBytes = 16 * 1024
/** Bytes of the table's parts. */
export const headBytes = 16
export const mountBytes = 16
export const lockBytes = 40

/** Bytes that a table takes, whoever of those who wait gets the lock. */
export function bytesNeeded(held: readonly FileLock[], waiting: readonly WaitingLock[]): number {
  const mounts = new Set<number>()
  for (const { mount } of held) mounts.add(mount.incarnation)
  for (const { mount } of waiting) mounts.add(mount.incarnation)
  // Where it comes into the middle of another one of its owner's, one becomes three, and no longer waits.
  return headBytes + mounts.size * mountBytes + (held.length + 2 * waiting.length) * lockBytes
}

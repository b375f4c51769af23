/** Locks of records as of `fcntl`, and of whole files as of `flock`: the two take no notice of each other. */
export type LockKind = 'posix' | 'flock'
/** Shared by any number of owners, or one owner's alone. */
export type LockType = 'read' | 'write'

/** The last byte that a lock may be on: "until the end of the file, wherever that will be". */
export const lockEndMax = 2n ** 63n - 1n

/** Bytes, both included: 0 <= start <= end <= 2^63 - 1. */
export interface LockRange {
  readonly start: bigint
  readonly end: bigint
}

/** A mount, from its beginning to its end. */
export interface LockMount {
  /** Its place in the list of mounts: by which others see whether it lives. */
  readonly slot: number
  /** A number that no other mount of the file system ever has: who has the place later has another one. */
  readonly incarnation: number
}

/** Whose a lock is. */
export interface LockOwner {
  readonly kind: LockKind
  readonly mount: LockMount
  /** 0 to 2^64 - 1; what it stands for is its mount's business. */
  readonly owner: bigint
}

/** A lock that somebody has, or wants to have. */
export interface FileLock extends LockOwner, LockRange {
  readonly type: LockType
  /** Of who has set it, on its own machine; for show. 0 to 2^32 - 1. */
  readonly pid: number
}

/** A lock that somebody waits for. */
export interface WaitingLock extends FileLock {
  /** Tells the waits of one mount apart. 0 to 2^53 - 1. */
  readonly ticket: number
}

export function isSameOwner(a: LockOwner, b: LockOwner): boolean {
  return a.owner === b.owner && a.kind === b.kind && a.mount.incarnation === b.mount.incarnation
}

/** Whether not both can be had at once. */
export function areInConflict(a: FileLock, b: FileLock): boolean {
  return (
    a.kind === b.kind &&
    (a.type === 'write' || b.type === 'write') &&
    a.start <= b.end &&
    b.start <= a.end &&
    !isSameOwner(a, b)
  )
}

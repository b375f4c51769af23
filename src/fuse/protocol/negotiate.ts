import { initFlags as low, initFlags2 as high } from './flags.js'
import type { InitAnswer } from './reply-writer.js'
import type { RequestOf } from './requests.js'

/** What the file system wants beyond what every mount gets. */
export interface Wishes {
  /** `kernel`: writes are gathered in the page cache and come later; the kernel then owns size and mtime. */
  readonly writes: 'through' | 'kernel'
  /** Whether the file system answers READDIRPLUS, and whether it keeps the locks; else the kernel does without. */
  readonly readdirplus: 'offered' | 'missing'
  readonly locks: 'offered' | 'missing'
  readonly maxReadaheadBytes: number
  /** Requests that the kernel keeps going in the background (readahead, writeback). */
  readonly backgroundMax: number
}

/** 256 pages: the most that the kernel takes without a changed limit; 1 MiB per read or write. */
export const pagesMax = 256
export const transferBytesMax = pagesMax * 4096

/** The version whose structs are spoken; 7.23 is the oldest whose INIT reply has the length that we write. */
const version = { major: 7, minor: 38, minorMin: 23 } as const

const wanted =
  // Several reads of a file at once, out of order: readahead would else wait for each.
  low.asyncRead |
  // Locks are the file system's, as others may hold them elsewhere.
  low.posixLocks |
  low.flockLocks |
  // OPEN with O_TRUNC in one request, not two with a moment between them.
  low.atomicTruncate |
  // "." and ".." can be looked up, so the mount can be exported through NFS and opened by handle.
  low.exportSupport |
  // Writes longer than a page, up to `transferBytesMax`.
  low.bigWrites |
  low.maxPages |
  // Names with their attributes; auto: only while the reader does stat what it reads.
  low.readdirplus |
  // Direct reads and writes go out at once, not one after another.
  low.asyncDirectIo |
  // Lookups and readdir of one directory at the same time; a file system behind must allow it.
  low.parallelDirectoryOperations |
  // The target of a link is kept until it is invalidated.
  low.cacheSymlinks |
  // Pages go when we say so, never because an attribute looks different: see `Notification`. Hence no
  // autoInvalidateData, which throws the cache away at every change of mtime.
  low.explicitInvalidateData |
  // The file system clears set-user-id bits on write and truncation: saves the kernel a getxattr per write.
  low.handleKillPrivilegesV2 |
  // The long form of SETXATTR, so that the decoder needs know but one.
  low.setxattrExtended |
  // A file system without `open` or `opendir` answers ENOSYS once and is then never asked; handles are 0.
  low.noOpenSupport |
  low.noOpendirSupport |
  // `flags2` counts.
  low.initExtended

const wantedHigh =
  // Names can be made to be looked up again, and stay what they are meanwhile.
  high.hasExpireOnly |
  // Files whose bytes are not cached can be mapped all the same, shared and writable.
  high.directIoMappings

/** Kernel checks of POSIX ACLs stay off: they need default_permissions and xattrs that say so. */

/** What a kernel can be told besides what all can, by its version of the protocol (linux/fuse.h). */
export interface Offers {
  /** Notifications of kind `epoch`: Linux 6.16, version 7.44. */
  readonly epochs: boolean
  /** Notifications of kind `expire` do not unhash: Linux 6.2; else they are as `entry`. */
  readonly expiry: boolean
}

const epochsMinor = 44

export function offersOf({ major, minor, flags2 }: RequestOf<'init'>): Offers {
  return {
    epochs: major > version.major || (major === version.major && minor >= epochsMinor),
    expiry: (flags2 & high.hasExpireOnly) !== 0,
  }
}

/** The reply to INIT, or undefined: the kernel is too old to be spoken to. */
export function negotiate(request: RequestOf<'init'>, wishes: Wishes): InitAnswer | undefined {
  if (request.major < version.major) return undefined
  if (request.major === version.major && request.minor < version.minorMin) return undefined
  let flags = wanted
  if (wishes.writes === 'kernel') flags |= low.writebackCache
  if (wishes.readdirplus === 'missing') flags &= ~low.readdirplus
  if (wishes.locks === 'missing') flags &= ~(low.posixLocks | low.flockLocks)
  const granted = flags & request.flags
  // SETXATTR has two forms, told apart by this alone.
  if ((granted & low.setxattrExtended) === 0) return undefined
  return {
    major: version.major,
    minor: version.minor,
    maxReadahead: Math.min(request.maxReadahead, wishes.maxReadaheadBytes),
    flags: granted >>> 0,
    flags2: (request.flags2 & wantedHigh) >>> 0,
    maxBackground: wishes.backgroundMax,
    congestionThreshold: Math.ceil((wishes.backgroundMax * 3) / 4),
    maxWrite: transferBytesMax,
    timeGranularityNs: 1,
    maxPages: (granted & low.maxPages) === 0 ? 0 : pagesMax,
  }
}

export interface FuseSettings {
  /** Whether locks on files and ranges come here, so that they hold for other machines too. */
  readonly locks: boolean
}

/** Bytes of one write or read: what the kernel takes at most. */
export const maxWrite = 1024 * 1024
export const maxPages = 256

/** What is asked of the kernel, of what it offers (linux/fuse.h), and why. */
const flags = {
  /** Several reads of one file at a time. */
  asyncRead: 1n << 0n,
  posixLocks: 1n << 1n,
  /** `open` with O_TRUNC is one request. */
  atomicTruncate: 1n << 3n,
  /** Looking up `.` and `..`: for files that are exported. */
  exportSupport: 1n << 4n,
  bigWrites: 1n << 5n,
  flockLocks: 1n << 10n,
  /** What names mean comes along when a directory is listed, where that pays. */
  readdirplus: 1n << 13n,
  readdirplusAuto: 1n << 14n,
  asyncDirect: 1n << 15n,
  /** Look-ups in one directory at the same time. */
  parallelDirops: 1n << 18n,
  maxPages: 1n << 22n,
  /** Set-id bits go here, as part of what makes them go. */
  handleKillPriv: 1n << 28n,
  setxattrExt: 1n << 29n,
  initExt: 1n << 30n,
  /** Files whose bytes are not cached can be mapped all the same. */
  directMmap: 1n << 36n,
} as const

export function capabilities({ locks }: FuseSettings): bigint {
  const { posixLocks, flockLocks, ...always } = flags
  let all = 0n
  for (const flag of Object.values(always)) all |= flag
  if (locks) all |= posixLocks | flockLocks
  return all
}

/** Features in the INIT request and reply: the low 32 bits, as unsigned numbers. See `init.ts` for which and why. */
export const initFlags = {
  asyncRead: 1 << 0,
  posixLocks: 1 << 1,
  atomicTruncate: 1 << 3,
  exportSupport: 1 << 4,
  bigWrites: 1 << 5,
  flockLocks: 1 << 10,
  autoInvalidateData: 1 << 12,
  readdirplus: 1 << 13,
  asyncDirectIo: 1 << 15,
  writebackCache: 1 << 16,
  noOpenSupport: 1 << 17,
  parallelDirectoryOperations: 1 << 18,
  posixAcl: 1 << 20,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  noOpendirSupport: 1 << 24,
  explicitInvalidateData: 1 << 25,
  handleKillPrivilegesV2: 1 << 28,
  setxattrExtended: 1 << 29,
  initExtended: 1 << 30,
} as const

/** Features in the upper 32 bits, which travel in `flags2`. */
export const initFlags2 = { hasExpireOnly: 1 << 3, directIoMappings: 1 << 4 } as const

/** What an answer to OPEN, OPENDIR or CREATE may ask of the kernel. */
export const openReplyFlags = {
  directIo: 1 << 0,
  keepCache: 1 << 1,
  nonSeekable: 1 << 2,
  cacheDirectory: 1 << 3,
  stream: 1 << 4,
  noFlush: 1 << 5,
  parallelDirectWrites: 1 << 6,
} as const

/** Which fields of a SETATTR are meant (`FATTR_*`). */
export const setattrValid = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  fh: 1 << 6,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
  lockOwner: 1 << 9,
  ctime: 1 << 10,
  killSuidGid: 1 << 11,
} as const

/** Bits of single requests, each in the field that its name begins with. */
export const requestFlags = {
  getattrFh: 1 << 0,
  releaseFlush: 1 << 0,
  releaseFlockUnlock: 1 << 1,
  lockFlock: 1 << 0,
  writeCache: 1 << 0,
  writeLockOwner: 1 << 1,
  writeKillSuidGid: 1 << 2,
  readLockOwner: 1 << 1,
  fsyncDataOnly: 1 << 0,
  openKillSuidGid: 1 << 0,
} as const

/** What not every file system, or not every user, can do. */
export type Capability = keyof typeof everyCapability

/** True: there; a sentence: why not. What is not there is skipped with that sentence, or must be refused cleanly. */
export type Capabilities = Readonly<Record<Capability, true | string>>

/** All that the suite asks about. */
export const everyCapability = {
  /** The suite runs as root, so that its agents may be anybody. */
  root: true,
  /** O_TMPFILE. */
  'unnamed-files': true,
  /** RENAME_EXCHANGE and RENAME_NOREPLACE. */
  'rename-exchange': true,
  'rename-noreplace': true,
  'rename-whiteout': true,
  /** Attributes of the namespace user. */
  'user-xattrs': true,
  'trusted-xattrs': true,
  fallocate: true,
  'fallocate-keep-size': true,
  'punch-hole': true,
  'zero-range': true,
  'collapse-range': true,
  'insert-range': true,
  /** SEEK_HOLE finds holes; without it there is one at the end alone, as the standard allows. */
  'finds-holes': true,
  /** `st_blocks` tells what is allocated. */
  'counts-blocks': true,
  /** Nodes of devices can be made and opened. */
  devices: true,
  /** Device nodes can be opened: the mount is not `nodev`. */
  'opens-devices': true,
  fifos: true,
  sockets: true,
  /** Shared writable mappings. */
  'shared-mappings': true,
  /** Writing through a mapping changes mtime and ctime. */
  'mappings-mark-times': true,
  flock: true,
  'record-locks': true,
  /** Locks of open file descriptions. */
  'description-locks': true,
  /** Who asks is told of such a lock that no process has it. */
  'description-locks-have-no-process': true,
  /** F_SETLKW answers EDEADLK. */
  'deadlock-detection': true,
  /** The type of each entry is in the directory. */
  'entry-types': true,
  /** Symbolic links of up to 4095 bytes, as paths may have: ext4 with smaller blocks has shorter ones. */
  'long-symlinks': true,
  /** Hard links. */
  links: true,
  'unlink-open-files': true,
  execute: true,
  /** Programs that run are not written, and the other way round. */
  'text-busy': true,
  /** Files may be of 1 TiB and more, with holes. */
  'sparse-terabytes': true,
  /** Times are kept to the nanosecond. */
  nanoseconds: true,
  /** A change is seen through the other mount at once, even while the file is open. */
  'coherent-mounts': true,
  /** Writers with O_APPEND on both mounts lose nothing. */
  'append-across-mounts': true,
  'locks-across-mounts': true,
  'mappings-across-mounts': true,
  'unlinked-across-mounts': true,
} as const

import type { PosixTheme } from '../bed.js'
import { chmodTheme } from './chmod.js'
import { chownTheme } from './chown.js'
import { copyingTheme } from './copying.js'
import { currentDirectoryTheme } from './current-directory.js'
import { descriptionLocksTheme } from './description-locks.js'
import { directoriesTheme } from './directories.js'
import { executeTheme } from './execute.js'
import { fallocateTheme } from './fallocate.js'
import { flockTheme } from './flock.js'
import { largeFilesTheme } from './large-files.js'
import { linkTheme } from './link.js'
import { mkdirTheme } from './mkdir.js'
import { mmapTheme } from './mmap.js'
import { namesTheme } from './names.js'
import { openTheme } from './open.js'
import { openSpecialTheme } from './open-special.js'
import { pathResolutionTheme } from './path-resolution.js'
import { permissionsTheme } from './permissions.js'
import { readOnlyTheme } from './read-only.js'
import { readingWritingTheme } from './reading-writing.js'
import { recordLocksTheme } from './record-locks.js'
import { renameTheme } from './rename.js'
import { renameFlagsTheme } from './rename-flags.js'
import { seekHolesTheme } from './seek-holes.js'
import { setIdTheme } from './set-id.js'
import { specialFilesTheme } from './special-files.js'
import { statfsTheme } from './statfs.js'
import { stickyTheme } from './sticky.js'
import { symlinkTheme } from './symlink.js'
import { syncTheme } from './sync.js'
import { timestampsTheme } from './timestamps.js'
import { truncateTheme } from './truncate.js'
import { unlinkTheme } from './unlink.js'
import { utimensatTheme } from './utimensat.js'
import { xattrTheme } from './xattr.js'

/** What one directory is judged by. */
export const themes: readonly PosixTheme[] = [
  openTheme,
  openSpecialTheme,
  readingWritingTheme,
  truncateTheme,
  unlinkTheme,
  linkTheme,
  symlinkTheme,
  renameTheme,
  renameFlagsTheme,
  mkdirTheme,
  pathResolutionTheme,
  namesTheme,
  directoriesTheme,
  currentDirectoryTheme,
  chmodTheme,
  chownTheme,
  setIdTheme,
  stickyTheme,
  permissionsTheme,
  timestampsTheme,
  utimensatTheme,
  xattrTheme,
  fallocateTheme,
  seekHolesTheme,
  statfsTheme,
  syncTheme,
  copyingTheme,
  largeFilesTheme,
  mmapTheme,
  flockTheme,
  recordLocksTheme,
  descriptionLocksTheme,
  specialFilesTheme,
  executeTheme,
  readOnlyTheme,
]

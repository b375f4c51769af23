import type { PosixTheme } from '../bed.js'
import { chmodTheme } from './chmod.js'
import { chownTheme } from './chown.js'
import { linkTheme } from './link.js'
import { mkdirTheme } from './mkdir.js'
import { openTheme } from './open.js'
import { openSpecialTheme } from './open-special.js'
import { pathResolutionTheme } from './path-resolution.js'
import { permissionsTheme } from './permissions.js'
import { readingWritingTheme } from './reading-writing.js'
import { renameTheme } from './rename.js'
import { renameFlagsTheme } from './rename-flags.js'
import { setIdTheme } from './set-id.js'
import { stickyTheme } from './sticky.js'
import { symlinkTheme } from './symlink.js'
import { truncateTheme } from './truncate.js'
import { unlinkTheme } from './unlink.js'

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
  chmodTheme,
  chownTheme,
  setIdTheme,
  stickyTheme,
  permissionsTheme,
]

import type { PosixTheme } from '../bed.js'
import { linkTheme } from './link.js'
import { openSpecialTheme } from './open-special.js'
import { openTheme } from './open.js'
import { readingWritingTheme } from './reading-writing.js'
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
]

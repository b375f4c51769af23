import type { PosixTheme } from '../bed.js'

/** What two mounts of one file system are judged by, besides. */
export const mountThemes: readonly PosixTheme[] = []

import type { PosixTheme } from '../bed.js'
import { mountRacesTheme } from './mount-races.js'
import { mountSharingTheme } from './mount-sharing.js'
import { mountVisibilityTheme } from './mount-visibility.js'

/** What two mounts of one file system are judged by, besides. */
export const mountThemes: readonly PosixTheme[] = [mountVisibilityTheme, mountRacesTheme, mountSharingTheme]

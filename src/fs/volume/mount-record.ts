/**
 * The pages of a mount's own region: what it would leave behind if it died at any moment, for others to clear away. Nobody else writes to it while the mount
 * lives, which is while it holds the lock on the first page.
 */
export const alivePage = 0
/** Regions that are reserved, and no file's yet: `Slots`. */
export const sparesPage = 1
/** Files without a name that are not taken away yet: `Slots`. */
export const orphansFirstPage = 2
export const orphansPages = 30
export const mountRecordPages = orphansFirstPage + orphansPages

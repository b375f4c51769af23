/** Addresses behind the first page of a file's region: 16 TiB, of which only what is written has storage. */
export const fileSpaceBytes = 2 ** 44
/** The last of them are for what belongs to the file and is no part of its contents: the page of its locks. No smaller than the largest page. */
const asideBytes = 1024 * 1024
/** Bytes of a file at most. */
export const fileBytesMax = fileSpaceBytes - asideBytes
/** Bytes that one operation writes or reads at most: longer ones are several. */
export const pieceBytesMax = 1024 * 1024
/** Bytes of a name. */
export const nameBytesMax = 255
/** Bytes of the target of a symbolic link. */
export const targetBytesMax = 4095
/** Names of one file. */
export const linksMax = 65_000
/** Pages that a new file's region has storage for from the beginning: its inode, and what most files need. */
export const newRegionPages = 4
/** Pages that a file which grows gets storage for ahead, at most. */
export const growthPagesMax = 1024

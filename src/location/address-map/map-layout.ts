/**
 * A page of the map. Numbers have their most significant byte first; what is not mentioned is zero.
 *
 *      0  magic, 4 bytes        16  first address described
 *      4  format                32  last address described
 *      5  level, 0 is a leaf    64  slots, ascending
 *      6  count, 2 bytes
 *
 * A leaf's slot is an entry of 64 bytes; a node's above it is a child of 20.
 *
 *      0  first address          0  first address; that of the first child is the page's own
 *     16  last address          16  page, 4 bytes
 *     32  kind
 *     33  number of homes
 *     36  homes, 3 bytes each
 *     48  generation, 8 bytes; or address of the other map, 16 bytes
 */
export const mapPageBytes = 4096

export const magic = 0x4b4d4150 // "KMAP"
export const format = 1

export const formatAt = 4
export const levelAt = 5
export const countAt = 6
export const startAt = 16
export const lastAt = 32
export const slotsAt = 64

export const entryBytes = 64
export const entryLastAt = 16
export const entryKindAt = 32
export const entryHomesAt = 33
export const entryHomeAt = 36
export const homeBytes = 3
export const entryDetailAt = 48

export const childBytes = 20
export const childPageAt = 16

export const reservedKind = 1
export const subtreeKind = 2

/** How many entries fit on a leaf. */
export const entriesPerPageMax = Math.floor((mapPageBytes - slotsAt) / entryBytes)
/** How many children fit on a page above the leaves. */
export const childrenPerPageMax = Math.floor((mapPageBytes - slotsAt) / childBytes)

/** The highest level of a root. Pages that are well filled reach 4 before their numbers run out. */
export const levelMax = 15
/** Pages are numbered below this. */
export const mapPagesMax = 2 ** 32

export function slotBytesAt(level: number): number {
  return level === 0 ? entryBytes : childBytes
}

export function slotsPerPageMax(level: number): number {
  return level === 0 ? entriesPerPageMax : childrenPerPageMax
}

export function getHome(view: DataView, at: number): number {
  return view.getUint8(at) * 2 ** 16 + view.getUint16(at + 1)
}

export function setHome(view: DataView, at: number, home: number): void {
  view.setUint8(at, home >>> 16)
  view.setUint16(at + 1, home & 0xffff)
}

/**
 * The log is counted in blocks. Every part of a batch begins on one and fills whole ones, so that nothing
 * acknowledged shares a disk sector with anything written later.
 */
export const blockBytes = 4096

/** Blocks in a segment, and segments in a store: so that a place packs into 32 bits in the index. */
export const segmentBlocksMax = 2 ** 16
export const segmentsMax = 2 ** 16 - 1

export function blocksOf(bytes: number): number {
  return Math.ceil(bytes / blockBytes)
}

/**
 * A point in the log's order: later segments have higher sequence numbers. Unlike slots, sequence numbers are never
 * used twice, so a position stays comparable after its segment is gone.
 */
export interface LogPosition {
  readonly sequence: number
  readonly block: number
}

export function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.sequence === b.sequence ? a.block < b.block : a.sequence < b.sequence
}

import type { Random } from '../io/random.js'
import type { Directory } from '../io/storage.js'

/**
 * What survives on one machine: files by directory, in the state of each byte that `sync` has confirmed or not. A
 * process that is killed leaves the disk as it wrote it; power that is lost takes what was not synced, or part of it.
 */
export interface SimDisk {
  /** The directory with no delays of its own, made where it is missing. The world adds time, and death. */
  openDirectory(path: string): Promise<Directory>
  hasDirectory(path: string): boolean
  /** Loses or tears what is not synced; forgets locks. Nobody uses an open handle afterwards. */
  losePower(random: Random): void
  /** Writes that would use more than this many bytes fail with `no-space`; undefined: no limit. */
  limit(bytesMax: number | undefined): void
  /** Bytes in use. */
  usedBytes(): number
}

export interface DiskProfile {
  /** Any operation, in ms. */
  readonly operationMsMin: number
  /** Mean of the exponential part on top, in ms. */
  readonly operationMsMean: number
  /** On top for `sync`: the mean, in ms. */
  readonly syncMsMean: number
  readonly bandwidthBytesPerMs: number
}

export const diskDefaults: DiskProfile = {
  operationMsMin: 0.01,
  operationMsMean: 0.03,
  syncMsMean: 0.3,
  bandwidthBytesPerMs: 500_000,
}

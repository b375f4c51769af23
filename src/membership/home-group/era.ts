import { assert } from '../../stdx/assert.js'
import type { GroupBug } from './group-bug.js'

/** Versions of one era, more than are ever used. */
export const eraVersions = 2 ** 32
/** The last era: versions are exact numbers. */
export const eraMax = 2 ** 21 - 1

/** A region's era, and the reign of its group from which on it has counted. Kept with the region, as one. */
export interface Era {
  readonly era: number
  readonly reign: number
}

/**
 * The era of a region under a new primary: it goes on by as much as the reign does. So no two primaries have the same, even where the
 * era of the one in between never reached anybody else, which is why "one higher" is not enough.
 */
export function eraIn(before: Era, reign: number, bug?: GroupBug): Era {
  assert(reign >= before.reign, 'reigns only go on')
  if (bug === 'next-era') return { era: before.era + 1, reign }
  const era = before.era + reign - before.reign
  assert(era <= eraMax, 'eras last for two million changes')
  return { era, reign }
}

/** The version of what is written over a page of that version, which may be of an earlier era. */
export function versionAfter(version: number, { era }: Era, bug?: GroupBug): number {
  if (bug === 'no-new-era') return version + 1
  return Math.max(version + 1, era * eraVersions + 1)
}

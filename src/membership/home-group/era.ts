import { assert } from '../../stdx/assert.js'
import type { GroupBug } from './group-bug.js'

/** Versions of a page in one era, more than are ever used. */
export const eraVersions = 2 ** 28
/** The last era: a store keeps versions below 2^48. */
export const eraMax = 2 ** 20 - 1

/**
 * The era of a region under a new primary. One higher than what is known here is enough: a primary writes nothing before
 * all its members have its eras, as they have all that is of before its reign; so whoever follows it goes on from there.
 */
export function nextEra(era: number): number {
  assert(era < eraMax, 'eras last for a million changes')
  return era + 1
}

/**
 * The version of what is written over a page of that version, which may be of an earlier era. No version of a page is used twice in an era, also
 * where a commit of it was refused, or the page was taken away meanwhile: pages of one version must have the same bytes.
 */
export function versionAfter(version: number, era: number, bug?: GroupBug): number {
  if (bug === 'no-new-era') return version + 1
  return Math.max(version + 1, era * eraVersions + 1)
}

/** What the home of a group knows of a page of which no commit is under way. */
export interface NamedPage {
  /** The version under which it is stored; where it was not written since it was allocated, what zeros are told under at least. */
  readonly base: number
  /** Under which it is told. */
  readonly told: number
}

/**
 * Whether bytes that a site was told under the version `name`, when they were durable, are what the page has now (docs/adr/0026-names-of-bytes.md): the page
 * is told under it, or stored under it; or it has not been written since a reign began in which it was told under the first version of that era.
 */
export function isNameOf(name: number, { base, told }: NamedPage): boolean {
  if (name === told || name === base) return true
  return name > base && name < told && name % eraVersions === 0
}

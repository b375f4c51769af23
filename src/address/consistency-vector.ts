import type { Staleness } from './lock-terms.js'

/**
 * What a region's users chose of consistency, as five settings that are independent as far as logic allows (after Swarm,
 * "configurable consistency"). `resolveVector` makes one from a preset and what differs from it, and explains what cannot be.
 */
export interface ConsistencyVector {
  /**
   * What a lock keeps others from. `exclusive`: a writer keeps out everybody, everywhere. `serial`: a writer keeps out other
   * writers, everywhere. `shared`: as `serial`, and `write-shared` locks keep out nobody. `local`: a writer keeps out
   * writers at its own site alone.
   */
  readonly concurrency: 'exclusive' | 'serial' | 'shared' | 'local'
  /**
   * What a lock that is granted is certain to see. `strict`: all that was unlocked before, in real time, and nothing changes
   * while it is held. `release`: all that was unlocked before. `bounded`: all but what is within `staleness`.
   * `background`: what has come by so far.
   */
  readonly synchronization: 'strict' | 'release' | 'bounded' | 'background'
  /** How far a read may be behind. Both 0 for `strict` and `release`, both Infinity for `background`. */
  readonly staleness: Staleness
  /**
   * While the home cannot be reached. `refuse`: locks wait, and fail in their time. `read-only`: what is held here may be
   * read, whatever its age. `available`: it may be written, too.
   */
  readonly failure: 'refuse' | 'read-only' | 'available'
  /**
   * When others can see what was written. `durable`: once it is on stable storage. `accepted`: this site at once, others as
   * soon as it has come by; `unlock` resolves before it is durable.
   */
  readonly visibility: 'durable' | 'accepted'
  /** What an open lock sees. `snapshot`: its pages as they were when it was granted. `live`: changes as they arrive. */
  readonly isolation: 'snapshot' | 'live'
}

export type ConsistencyPreset = 'strict' | 'release' | 'bounded' | 'eventual'

type Choices = {
  readonly [Setting in Exclude<keyof ConsistencyVector, 'staleness'>]: readonly ConsistencyVector[Setting][]
}

/** What the settings that are words may be. */
export const consistencyChoices: Choices = Object.freeze({
  concurrency: ['exclusive', 'serial', 'shared', 'local'],
  synchronization: ['strict', 'release', 'bounded', 'background'],
  failure: ['refuse', 'read-only', 'available'],
  visibility: ['durable', 'accepted'],
  isolation: ['snapshot', 'live'],
})

const none: Staleness = Object.freeze({ ms: 0, versions: 0 })

/** The vectors that have a name. `bounded` is a second behind at most, by any number of versions, unless told. */
export const presets: Readonly<Record<ConsistencyPreset, ConsistencyVector>> = Object.freeze({
  strict: Object.freeze({
    concurrency: 'exclusive',
    synchronization: 'strict',
    staleness: none,
    failure: 'refuse',
    visibility: 'durable',
    isolation: 'snapshot',
  }),
  release: Object.freeze({
    concurrency: 'shared',
    synchronization: 'release',
    staleness: none,
    failure: 'refuse',
    visibility: 'durable',
    isolation: 'snapshot',
  }),
  bounded: Object.freeze({
    concurrency: 'serial',
    synchronization: 'bounded',
    staleness: Object.freeze({ ms: 1000, versions: Infinity }),
    failure: 'refuse',
    visibility: 'durable',
    isolation: 'snapshot',
  }),
  eventual: Object.freeze({
    concurrency: 'local',
    synchronization: 'background',
    staleness: Object.freeze({ ms: Infinity, versions: Infinity }),
    failure: 'available',
    visibility: 'accepted',
    isolation: 'snapshot',
  }),
})

export const presetNames: readonly ConsistencyPreset[] = Object.freeze([
  'strict',
  'release',
  'bounded',
  'eventual',
])

/** The preset that the vector is, or differs from least: the one of its synchronization. */
export function nearestPreset({
  synchronization,
}: Pick<ConsistencyVector, 'synchronization'>): ConsistencyPreset {
  return synchronization === 'background' ? 'eventual' : synchronization
}

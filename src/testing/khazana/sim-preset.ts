import { unreachable } from '../../stdx/assert.js'
import type { Prng } from '../../stdx/prng.js'
import type { RegionKind } from './pledge.js'

/**
 * What regions a run has. `mixed`: of every kind but those that are switched; `switch`: regions whose consistency is changed
 * while they are used; `moving`: of every kind, and their homes move while they are used; `backed`: of every kind, most
 * of them with two or three replicas; `roaming`: as `moving`, and
 * nodes come and go, and regions are reserved, looked up and given back; else all of one kind.
 */
export type SimPreset =
  | 'strict'
  | 'release'
  | 'bounded'
  | 'eventual'
  | 'objects'
  | 'mixed'
  | 'switch'
  | 'moving'
  | 'roaming'
  | 'backed'

export const simPresets: readonly SimPreset[] = Object.freeze([
  'strict',
  'release',
  'bounded',
  'eventual',
  'objects',
  'mixed',
  'switch',
  'moving',
  'roaming',
  'backed',
])

const mixedKinds: readonly RegionKind[] = ['strict', 'release', 'bounded', 'eventual', 'objects']
/** `strict` more often: of what it promises most is checked. */
const movingKinds: readonly RegionKind[] = ['strict', 'strict', ...mixedKinds, 'switching']

/** The kind of the next region. Only `mixed`, `moving` and `roaming` draw. */
export function kindOfRegion(preset: SimPreset, random: Prng): RegionKind {
  switch (preset) {
    case 'mixed':
      return random.pick(mixedKinds)
    case 'moving':
    case 'roaming':
    case 'backed':
      return random.pick(movingKinds)
    case 'switch':
      return 'switching'
    case 'strict':
    case 'release':
    case 'bounded':
    case 'eventual':
    case 'objects':
      return preset
    default:
      return unreachable(preset)
  }
}

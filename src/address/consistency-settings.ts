import { checkNames, checkObject, checkOneOf } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { objectionTo } from './consistency-rules.js'
import { consistencyChoices, nearestPreset, presetNames, presets } from './consistency-vector.js'
import type { ConsistencyPreset, ConsistencyVector } from './consistency-vector.js'
import type { Staleness } from './lock-terms.js'

/** How a user says what consistency is wanted: a preset, or a preset and what differs from it. */
export type ConsistencySettings = ConsistencyPreset | ConsistencyDifferences

export interface ConsistencyDifferences {
  /** What the rest is. Unless told: as the region has it, or, where `synchronization` changes, that one's preset. */
  readonly preset?: ConsistencyPreset | undefined
  readonly concurrency?: ConsistencyVector['concurrency'] | undefined
  readonly synchronization?: ConsistencyVector['synchronization'] | undefined
  /** The one that is left out stays as it is; `Infinity` is no bound. */
  readonly staleness?: StalenessSettings | undefined
  readonly failure?: ConsistencyVector['failure'] | undefined
  readonly visibility?: ConsistencyVector['visibility'] | undefined
  readonly isolation?: ConsistencyVector['isolation'] | undefined
}

export interface StalenessSettings {
  /** Milliseconds: 0 to Infinity. */
  readonly ms?: number | undefined
  /** Versions of the page: a whole number from 0, or Infinity. */
  readonly versions?: number | undefined
}

const settingNames: readonly string[] = ['preset', 'staleness', ...Object.keys(consistencyChoices)]

/**
 * The whole vector that the settings mean, on top of `base`. Throws `invalid-argument` for settings that are none, and
 * for those that cannot be had together, with why, and what to use instead.
 */
export function resolveVector(
  settings: ConsistencySettings,
  base: ConsistencyVector = presets.strict,
): ConsistencyVector {
  if (typeof settings === 'string') return presets[checkPreset(settings)]
  checkObject(settings, 'consistency')
  checkSettings(settings)
  const start = startOf(settings, base)
  const vector = {
    concurrency: settings.concurrency ?? start.concurrency,
    synchronization: settings.synchronization ?? start.synchronization,
    staleness: stalenessOver(start.staleness, settings.staleness),
    failure: settings.failure ?? start.failure,
    visibility: settings.visibility ?? start.visibility,
    isolation: settings.isolation ?? start.isolation,
  }
  const objection = objectionTo(vector)
  if (objection !== undefined) throw new KhazanaError('invalid-argument', objection)
  return vector
}

/** What is not said stays as in `base`. Throws `invalid-argument`. */
export function stalenessOver(base: Staleness, settings: StalenessSettings | undefined): Staleness {
  if (settings === undefined) return base
  checkObject(settings, 'staleness')
  checkNames(settings, ['ms', 'versions'], 'staleness')
  const { ms = base.ms, versions = base.versions } = settings
  if (typeof ms !== 'number' || !(ms >= 0)) {
    throw invalid(`staleness.ms is a number of milliseconds from 0 to Infinity, not ${shown(ms)}`)
  }
  if (versions !== Infinity && (!Number.isSafeInteger(versions) || versions < 0)) {
    throw invalid(`staleness.versions is a whole number from 0, or Infinity, not ${shown(versions)}`)
  }
  return { ms, versions }
}

function startOf(
  { preset, synchronization }: ConsistencyDifferences,
  base: ConsistencyVector,
): ConsistencyVector {
  if (preset !== undefined) return presets[preset]
  if (synchronization === undefined || synchronization === base.synchronization) return base
  return presets[nearestPreset({ synchronization })]
}

function checkSettings(settings: ConsistencyDifferences): void {
  checkNames(settings, settingNames, 'consistency')
  if (settings.preset !== undefined) checkPreset(settings.preset)
  for (const setting of ['concurrency', 'synchronization', 'failure', 'visibility', 'isolation'] as const) {
    const value = settings[setting]
    if (value !== undefined) checkOneOf(value, consistencyChoices[setting], `consistency.${setting}`)
  }
}

function checkPreset(name: ConsistencyPreset): ConsistencyPreset {
  checkOneOf(name, presetNames, 'the preset of consistency')
  return name
}

/** A name that is mistyped must not pass for a wish that is fulfilled. */
function invalid(message: string): KhazanaError {
  return new KhazanaError('invalid-argument', message)
}

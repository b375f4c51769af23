import { checkObject, checkOneOf, checkText } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { stalenessOver } from './consistency-settings.js'
import type { StalenessSettings } from './consistency-settings.js'
import type { ConsistencyVector } from './consistency-vector.js'
import type { LockTerms, Staleness } from './lock-terms.js'
import type { ByteRange } from './range.js'

/** What one lock asks for that its region does not say already. */
export interface LockDemands {
  /** What the lock is on, an object or a row, for the region's own conflict test. At most `lockTagCharsMax` characters. */
  readonly tag?: string | undefined
  /**
   * How far what is read may be behind, where that is more than the region allows anyway; what is left out is as the region
   * says. `fresh`: not at all, which a region with `bounded` consistency asks its home for.
   */
  readonly staleness?: StalenessSettings | 'fresh' | undefined
  /** `live`: to see changes that arrive while the lock is open. */
  readonly isolation?: 'snapshot' | 'live' | undefined
  /** `read-only`: where the region is `bounded`, to read what is here, whatever its age, while the home cannot be reached. */
  readonly failure?: ConsistencyVector['failure'] | undefined
}

export const lockTagCharsMax = 256

const fresh: Staleness = Object.freeze({ ms: 0, versions: 0 })

/**
 * The terms of one lock. Undefined where there is nothing to say beside pages and mode, so that such locks cost no object.
 * Throws `invalid-argument`.
 */
export function termsOf(
  range: ByteRange,
  demands: LockDemands | undefined,
  consistency: ConsistencyVector,
): LockTerms | undefined {
  const tag = demands?.tag === undefined ? '' : checkTag(demands.tag)
  const staleness =
    demands?.staleness === undefined ? undefined : checkOverride(demands.staleness, consistency)
  const isolation =
    demands?.isolation === undefined ? undefined : checkIsolation(demands.isolation, consistency)
  const failure = demands?.failure === undefined ? undefined : checkFailure(demands.failure, consistency)
  const isPlain = tag === '' && staleness === undefined && isolation === undefined && failure === undefined
  if (isPlain) return undefined
  return { offset: range.offset, length: range.length, tag, staleness, isolation, failure, seize: false }
}

/**
 * How far a read may be behind when the lock demands this; undefined: as the region says. A lock may be content with
 * less than its region promises, and is then served what the region promises where that costs nothing more; or demand to
 * be fresh, where that can be had. Throws `invalid-argument` for what is neither.
 */
export function checkOverride(
  demand: StalenessSettings | 'fresh',
  { synchronization, staleness }: ConsistencyVector,
): Staleness | undefined {
  const wanted = demand === 'fresh' ? fresh : demandOver(staleness, demand)
  const isFresh = wanted.ms === 0 || wanted.versions === 0
  switch (synchronization) {
    case 'strict':
    case 'release':
      // Served anyway; but the region may be a `bounded` one by the time the lock is granted.
      return demand === 'fresh' ? fresh : undefined
    case 'bounded':
      if (isFresh) return fresh
      if (isTighter(wanted, staleness)) throw tooTight(staleness)
      return wanted
    case 'background':
      if (isTighter(wanted, staleness)) throw nobodyKnows()
      return undefined
  }
}

/** Undefined: as the region says. A `strict` region serves more than is asked. */
function checkIsolation(wanted: 'snapshot' | 'live', { isolation }: ConsistencyVector): 'live' | undefined {
  checkOneOf(wanted, ['snapshot', 'live'], 'the isolation of a lock')
  if (wanted === 'snapshot' && isolation === 'live') {
    throw new KhazanaError(
      'invalid-argument',
      "a lock may only be content with less isolation than its region's, which is 'live' already: change the region's consistency",
    )
  }
  return wanted === 'live' ? 'live' : undefined
}

/** Undefined: as the region says. */
function checkFailure(
  wanted: ConsistencyVector['failure'],
  { failure, synchronization }: ConsistencyVector,
): 'read-only' | undefined {
  checkOneOf(
    wanted,
    ['refuse', 'read-only', 'available'],
    'what a lock does while the home cannot be reached',
  )
  if (wanted === failure) return undefined
  if (wanted === 'read-only' && synchronization === 'bounded') return 'read-only'
  const region = `in a region with failure '${failure}' and synchronization '${synchronization}'`
  throw new KhazanaError(
    'invalid-argument',
    `a lock cannot have failure '${wanted}' ${region}: only 'bounded' regions can read on, with 'read-only'`,
  )
}

function demandOver(base: Staleness, demand: StalenessSettings): Staleness {
  checkObject(demand, "the staleness of a lock, unless it is 'fresh',")
  return stalenessOver(base, demand)
}

function isTighter(a: Staleness, b: Staleness): boolean {
  return a.ms < b.ms || a.versions < b.versions
}

function tooTight({ ms, versions }: Staleness): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `a lock's staleness may only be more than the region's, { ms: ${ms}, versions: ${versions} }, in both: demand ` +
      "'fresh', or change the region's consistency",
  )
}

function nobodyKnows(): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    "a lock cannot bound its staleness, nor be 'fresh', in a region with 'eventual' consistency, as nobody knows what the newest is: leave " +
      "staleness out, or give the region the consistency 'bounded'",
  )
}

function checkTag(tag: string): string {
  checkText(tag, 'the tag of a lock')
  if (tag.length > lockTagCharsMax) {
    throw new KhazanaError(
      'invalid-argument',
      `the tag of a lock has at most ${lockTagCharsMax} characters, not ${tag.length}`,
    )
  }
  // UTF-8 has no half of a surrogate pair: it would come to the home as another text.
  if (/\p{Surrogate}/u.test(tag)) {
    throw new KhazanaError('invalid-argument', 'the tag of a lock holds half of a surrogate pair')
  }
  return tag
}

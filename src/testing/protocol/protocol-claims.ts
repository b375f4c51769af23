import { presets } from '../../address/consistency-vector.js'
import type { ConsistencyPreset } from '../../address/consistency-vector.js'
import type { RegionAttributes } from '../../address/descriptor.js'
import { mayWrite } from '../../address/lock-mode.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { Staleness } from '../../address/lock-terms.js'
import type { PageRange } from '../../address/page.js'
import type { ConflictTest, LockClaim, MergeFunction } from '../../consistency/contract.js'
import { unreachable } from '../../stdx/assert.js'

/** What a protocol promises: what the acceptance suite holds it to. */
export interface ProtocolClaims {
  /**
   * What a section sees. `linearizable`: sections on a page are, in real time. `release`: all that was unlocked before it was
   * asked for. `bounded`: all but what is within `staleness`. `eventual`: what has come by, and its own site's writes.
   */
  readonly reads: 'linearizable' | 'release' | 'bounded' | 'eventual'
  /** For `bounded`. A lock whose terms say less gets less; a second, and any number of versions, unless told. */
  readonly staleness?: Staleness
  /**
   * Whom a writer keeps out. `exclusive`: everybody. `serial`: writers. `shared`: writers, while `write-shared` locks keep out
   * nobody. `local`: writers at its own site. Where it is `exclusive` or `serial`, a writer sees what was written before.
   */
  readonly writes: 'exclusive' | 'serial' | 'shared' | 'local'
  /** Whether the bytes are on stable storage when `unlock` resolves, or only at the site. */
  readonly unlockMeans: 'durable' | 'accepted'
  /** What differs from the preset that goes with `reads`. */
  readonly attributes?: Partial<RegionAttributes>
  /** Whether it obeys the application's test of conflicts, where a region names one. */
  readonly conflicts?: boolean
  /** Whether it uses the merge function, where a region names one. */
  readonly merge?: boolean
  /** Modes in which a second lock at the same site, with nobody else wanting the page, costs no message. */
  readonly hits?: readonly LockMode[]
}

export const boundUnlessTold: Staleness = { ms: 1000, versions: Infinity }

/** The attributes of a region that is to be kept as claimed. */
export function attributesOf(claims: ProtocolClaims): Partial<RegionAttributes> {
  const preset = presets[presetOf(claims)]
  const staleness = claims.reads === 'bounded' ? (claims.staleness ?? boundUnlessTold) : preset.staleness
  return { consistency: { ...preset, staleness }, ...claims.attributes }
}

function presetOf({ reads }: ProtocolClaims): ConsistencyPreset {
  return reads === 'linearizable' ? 'strict' : reads
}

/** The bound of what a section of that mode sees, where its caller demands nothing. */
export function boundOf(claims: ProtocolClaims, mode: LockMode): Staleness {
  const isFresh = mayWrite(mode) && (claims.writes === 'exclusive' || claims.writes === 'serial')
  switch (claims.reads) {
    case 'linearizable':
    case 'release':
      return { ms: 0, versions: 0 }
    case 'bounded':
      return isFresh ? { ms: 0, versions: 0 } : (claims.staleness ?? boundUnlessTold)
    case 'eventual':
      return { ms: Infinity, versions: Infinity }
    default:
      return unreachable(claims.reads)
  }
}

/** A lock, as far as the claims on exclusion say anything of it. */
export interface ClaimedLock {
  readonly site: string
  readonly mode: LockMode
  readonly range: PageRange
  readonly claim: LockClaim
}

/** Whether two locks must not be held at once. */
export function excludes(
  claims: ProtocolClaims,
  test: ConflictTest | undefined,
): (a: ClaimedLock, b: ClaimedLock) => boolean {
  return (a, b) => {
    if (test !== undefined) return test(a.claim, b.claim)
    return overlap(a.range, b.range) && modesExclude(claims, a, b)
  }
}

function modesExclude({ writes }: ProtocolClaims, a: ClaimedLock, b: ClaimedLock): boolean {
  switch (writes) {
    case 'exclusive':
      return mayWrite(a.mode) || mayWrite(b.mode)
    case 'serial':
      return mayWrite(a.mode) && mayWrite(b.mode)
    case 'shared':
      return a.mode === 'write' && b.mode === 'write'
    case 'local':
      return a.site === b.site && a.mode === 'write' && b.mode === 'write'
    default:
      return unreachable(writes)
  }
}

export function overlap(a: PageRange, b: PageRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count
}

/** An application's test of conflicts: by bytes, whatever pages they are on. */
export const bytesConflict: ConflictTest = (a, b) => {
  const isApart = a.offset >= b.offset + b.length || b.offset >= a.offset + a.length
  return !isApart && (mayWrite(a.mode) || mayWrite(b.mode))
}

/** An application's merge function: of two bytes the larger stands. */
export const largerStands: MergeFunction = (mine, theirs) =>
  mine.map((byte, at) => Math.max(byte, theirs[at] ?? 0))

import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms, Staleness } from '../../address/lock-terms.js'
import type { PageRange } from '../../address/page.js'
import { clockDriftMax } from '../../stdx/clock-drift.js'
import type { CmOptions, ConflictTest, LockClaim } from '../contract.js'
import { messagePagesMax, overlaps } from './message.js'
import type { PlantedBug } from './planted-bug.js'

/**
 * What makes a protocol of the machine of copies. A copy is a state of the page that was durable at the home; the home
 * knows who holds which. A policy says how copies are kept in step, when one may be used without a question to the home,
 * and which locks take turns in the home's lock table.
 */
export interface CopiesPolicy {
  /** Whether locks of this mode over so many pages take turns in the home's lock table. */
  takesTurn(mode: LockMode, count: number): boolean
  /** Whether two that take turns may not be held at once. Symmetric. */
  conflicts(a: Turn, b: Turn): boolean
  /**
   * Whether a lock that was asked for at `askedAt` may be granted on the copy without asking the home. Never, of a copy
   * that has no bytes, or lacks what was written here.
   */
  isUsable(copy: CopyView, terms: LockTerms, askedAt: number, link: 'connected' | 'cut-off'): boolean
  needsLease(mode: LockMode, terms: LockTerms): boolean
  /**
   * What the home does for the holders of copies before a commit is answered. `update`: it sends them the changes.
   * Otherwise `versionsMax`: a copy that would be further behind is invalidated first; Infinity: nothing is.
   */
  readonly holders: { readonly kind: 'update' } | { readonly kind: 'leave'; readonly versionsMax: number }
  readonly plantedBug: PlantedBug | undefined
}

/** What a policy may know of a copy. */
export interface CopyView {
  /** Whether the home counts on this copy, and tells it what its protocol wants told. */
  readonly isTracked: boolean
  /** On the site's clock: all that was unlocked anywhere before then is in it. */
  readonly freshAt: number
}

/** A lock that takes turns, as the policy sees it. */
export interface Turn {
  readonly range: PageRange
  readonly claim: LockClaim
}

export type PolicyFactory = (options: CmOptions, plantedBug: PlantedBug | undefined) => CopiesPolicy

/**
 * Many writers a page (after Munin). Reads and, where concurrency is `shared`, `write-shared` locks wait for nobody;
 * others that write take turns. Copies are kept up to date: who holds one has all that was unlocked before.
 */
export const releasePolicy: PolicyFactory = ({ attributes, conflicts }, plantedBug) => {
  const { concurrency } = attributes.consistency
  const test = guarded(conflicts, plantedBug)
  return {
    takesTurn: (mode) => mode === 'write' || (mode === 'write-shared' && concurrency !== 'shared'),
    conflicts: (a, b) => isWrite(a) && isWrite(b) && conflictOf(a, b, test),
    isUsable: (copy) => copy.isTracked,
    needsLease: () => true,
    holders: { kind: 'update' },
    plantedBug,
  }
}

/**
 * Writers take turns; a read is answered from a copy that is within the staleness. A read of more pages than one answer
 * brings takes a turn, too: its pages would be of different moments otherwise.
 */
export const boundedPolicy: PolicyFactory = ({ attributes, conflicts }, plantedBug) => {
  const { staleness, failure } = attributes.consistency
  /** Whether what is here may be read while the home cannot be reached. */
  const goesOn = (terms: LockTerms): boolean => (terms.failure ?? failure) === 'read-only'
  const test = guarded(conflicts, plantedBug)
  return {
    takesTurn: (mode, count) => mode !== 'read' || count > messagePagesMax,
    conflicts: (a, b) =>
      isWrite(a) && isWrite(b)
        ? conflictOf(a, b, test)
        : isWrite(a) !== isWrite(b) && overlaps(a.range, b.range),
    isUsable: (copy, terms, askedAt, link) => {
      if (plantedBug === 'stale-past-bound') return true
      // What the lock itself demands stands even then.
      if (link === 'cut-off' && goesOn(terms) && terms.staleness === undefined) return true
      const { ms, versions } = boundOf(staleness, terms.staleness)
      const isYoung = ms === Infinity || (ms > 0 && copy.freshAt >= askedAt - ms * (1 - clockDriftMax))
      // How many versions it is behind only the home knows, which keeps tracked copies within the region's bound.
      const isNear = versions === Infinity || (copy.isTracked && staleness.versions <= versions)
      return isYoung && isNear
    },
    needsLease: (mode, terms) => mode !== 'read' || (!goesOn(terms) && staleness.versions < Infinity),
    holders: { kind: 'leave', versionsMax: staleness.versions },
    plantedBug,
  }
}

/**
 * What holds for a lock: what it demands, where that is less in both respects than what its region promises; else the
 * tighter of both.
 */
function boundOf(region: Staleness, demanded: Staleness | undefined): Staleness {
  if (demanded === undefined) return region
  if (demanded.ms >= region.ms && demanded.versions >= region.versions) return demanded
  return {
    ms: Math.min(region.ms, demanded.ms),
    versions: Math.min(region.versions, demanded.versions),
  }
}

/** All locks take turns, by the application's test where there is one; each grant brings what its holder lacks. */
export const objectsPolicy: PolicyFactory = ({ conflicts }, plantedBug) => {
  const test = guarded(conflicts, plantedBug)
  return {
    takesTurn: () => true,
    conflicts: (a, b) =>
      test === undefined ? (isWrite(a) || isWrite(b)) && overlaps(a.range, b.range) : test(a.claim, b.claim),
    isUsable: () => false,
    needsLease: () => true,
    holders: { kind: 'leave', versionsMax: Infinity },
    plantedBug,
  }
}

function isWrite(turn: Turn): boolean {
  return turn.claim.mode !== 'read'
}

function conflictOf(a: Turn, b: Turn, test: ConflictTest | undefined): boolean {
  return test === undefined ? overlaps(a.range, b.range) : test(a.claim, b.claim)
}

/**
 * The application's test, asked both ways round: if it is not symmetric, whoever of the two conflicts has its way. What it
 * throws counts as a conflict. Claims of children are not to be trusted, and waiting harms nobody but who made the claim.
 */
function guarded(
  test: ConflictTest | undefined,
  plantedBug: PlantedBug | undefined,
): ConflictTest | undefined {
  if (plantedBug === 'ignore-conflict') return () => false
  if (test === undefined) return undefined
  return (a, b) => {
    try {
      return test(a, b) || test(b, a)
    } catch {
      return true
    }
  }
}

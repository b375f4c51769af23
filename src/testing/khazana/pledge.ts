import type { AttributeSettings } from '../../address/attributes.js'
import { presets } from '../../address/consistency-vector.js'
import type { ConsistencyVector } from '../../address/consistency-vector.js'
import type { Staleness } from '../../address/lock-terms.js'
import type { ConflictTest, MergeFunction } from '../../consistency/contract.js'
import { unreachable } from '../../stdx/assert.js'
import type { Prng } from '../../stdx/prng.js'
import type { SectionClaim } from './section-log.js'

/** What a region's users may rely on: how the programs of a run use it, and how it is judged. */
export interface Pledge {
  /**
   * `linearizable`: sections on a key are, in real time. `release`: a section sees what was unlocked before it was asked for.
   * `bounded`: all but what is within `staleness`. `eventual`: its own site's writes, and never less than before; at rest
   * all sites have the same.
   */
  readonly reads: SimulatedClaims['reads']
  /** The most that any state of the region allows. */
  readonly staleness: Staleness
  /** Whether a copy that is cut off from the home may be read, whatever its age. */
  readonly whenCutOff: 'refuse' | 'read-only'
  /** Whom `write` locks keep out. */
  readonly excludes: SectionClaim['excludes']
  /** Whether `write-shared` locks keep out nobody. */
  readonly writeShared: 'beside' | 'as-write'
  readonly isolation: ConsistencyVector['isolation']
  /** What the region is switched among, while it is used; empty where it stays as it is. */
  readonly changes: readonly AttributeSettings[]
  /** How the region is made. */
  readonly attributes: AttributeSettings
}

/** Kinds of regions. `switching`: its consistency is changed while it is used. */
export type RegionKind = 'strict' | 'release' | 'bounded' | 'eventual' | 'objects' | 'switching'

const none: Staleness = { ms: 0, versions: 0 }
const byTag = 'by-tag'
const growOnly = 'grow-only-set'

/** What all sites of a run have registered. */
export const conflictTests: Readonly<Record<string, ConflictTest>> = Object.freeze({
  [byTag]: (a, b) => a.tag === b.tag && (a.mode !== 'read' || b.mode !== 'read'),
})

export const mergeFunctions: Readonly<Record<string, MergeFunction>> = Object.freeze({
  [growOnly]: (mine, theirs) => mine.map((byte, at) => byte | (theirs[at] ?? 0)),
})

export const strict: Pledge = {
  reads: 'linearizable',
  staleness: none,
  whenCutOff: 'refuse',
  excludes: 'everybody',
  writeShared: 'as-write',
  isolation: 'snapshot',
  changes: [],
  attributes: {},
}

/** A pledge of the kind, with what is left open drawn. A strict one draws nothing. */
export function drawPledge(kind: RegionKind, random: Prng): Pledge {
  switch (kind) {
    case 'strict':
      return strict
    case 'release':
      return drawRelease(random)
    case 'bounded':
      return drawBounded(random)
    case 'eventual':
      return drawEventual(random)
    case 'objects':
      return { ...strict, excludes: 'by-tag', attributes: { conflicts: byTag } }
    case 'switching':
      return drawSwitching(random)
    default:
      return unreachable(kind)
  }
}

/** What a protocol from outside claims, for regions with these attributes. */
export function pledgeOf(claims: SimulatedClaims, attributes: AttributeSettings): Pledge {
  const { reads, writes, staleness = presets.bounded.staleness } = claims
  return {
    ...strict,
    reads,
    staleness: reads === 'bounded' ? staleness : none,
    excludes: writes === 'exclusive' ? 'everybody' : writes === 'local' ? 'nobody' : 'writers',
    writeShared: writes === 'shared' ? 'beside' : 'as-write',
    attributes,
  }
}

/** What a run holds a protocol to. */
export interface SimulatedClaims {
  /** What a section sees: as `Pledge` has it. */
  readonly reads: 'linearizable' | 'release' | 'bounded' | 'eventual'
  /** For `bounded`; a second, and any number of versions, unless told. */
  readonly staleness?: Staleness
  /**
   * Whom a writer keeps out. `exclusive`: everybody. `serial`: writers. `shared`: writers, while `write-shared` locks keep out
   * nobody. `local`: writers at its own site.
   */
  readonly writes: 'exclusive' | 'serial' | 'shared' | 'local'
}

/** Whether a page of the region's set takes what others wrote into what it has. */
export function isMerged({ attributes }: Pledge): boolean {
  return attributes.merge === growOnly
}

/** Whether write locks of the region exclude everybody, page by page, at all times: then they have fences. */
export function isAlwaysStrict({ reads, excludes, changes, attributes }: Pledge): boolean {
  const isPlain = reads === 'linearizable' && excludes === 'everybody' && changes.length === 0
  return isPlain && attributes.protocol === undefined
}

function drawIsolation(random: Prng): Pledge['isolation'] {
  return random.chance(0.25) ? 'live' : 'snapshot'
}

function drawRelease(random: Prng): Pledge {
  const isolation = drawIsolation(random)
  const isSerial = random.chance(0.2)
  const concurrency = isSerial ? 'serial' : 'shared'
  return {
    ...strict,
    reads: 'release',
    excludes: 'writers',
    writeShared: isSerial ? 'as-write' : 'beside',
    isolation,
    attributes: { consistency: { preset: 'release', concurrency, isolation } },
  }
}

function drawBounded(random: Prng): Pledge {
  const isolation = drawIsolation(random)
  const whenCutOff = random.chance(0.4) ? 'read-only' : 'refuse'
  const ms = Math.round(random.logarithmic(50, 3000))
  const versions = random.pick([0, 0, 1, 1, 2, 3])
  const which = random.unit()
  const staleness =
    which < 0.5 ? { ms, versions: Infinity } : which < 0.75 ? { ms: Infinity, versions } : { ms, versions }
  return {
    ...strict,
    reads: 'bounded',
    staleness,
    whenCutOff,
    excludes: 'writers',
    isolation,
    attributes: { consistency: { preset: 'bounded', staleness, failure: whenCutOff, isolation } },
  }
}

function drawEventual(random: Prng): Pledge {
  const isolation = drawIsolation(random)
  const merge = random.chance(0.4) ? growOnly : ''
  return {
    ...strict,
    reads: 'eventual',
    excludes: 'nobody',
    isolation,
    attributes: { consistency: { preset: 'eventual', isolation }, merge },
  }
}

/** Whatever the region is at the moment, writers of one key keep each other out, and no read is older than it may be. */
function drawSwitching(random: Prng): Pledge {
  const ms = Math.round(random.logarithmic(50, 1000))
  const bounded = { consistency: { preset: 'bounded', staleness: { ms } }, conflicts: '' } as const
  const objects = { consistency: 'strict', conflicts: byTag } as const
  const changes = random
    .shuffle<AttributeSettings>([
      { consistency: 'strict', conflicts: '' },
      { consistency: 'release', conflicts: '' },
      bounded,
      objects,
    ])
    .slice(0, random.int(2, 4))
  const isStale = changes.includes(bounded)
  return {
    ...strict,
    reads: isStale ? 'bounded' : 'release',
    staleness: isStale ? { ms, versions: Infinity } : none,
    excludes: changes.includes(objects) ? 'writers-by-tag' : 'writers',
    changes,
    attributes: random.pick(changes),
  }
}

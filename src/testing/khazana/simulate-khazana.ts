import type { AttributeSettings } from '../../address/attributes.js'
import type { AnyProtocol } from '../../consistency/contract.js'
import { KhazanaError } from '../../stdx/errors.js'
import { Prng } from '../../stdx/prng.js'
import { DirectoryDisk } from '../directory-disk.js'
import type { FaultPlan } from '../faults.js'
import { SimDirectory } from '../sim-directory.js'
import { simulate } from '../sim-runner.js'
import type { SimReport } from '../sim-runner.js'
import type { TraceSink } from '../trace.js'
import type { SimulatedClaims } from './pledge.js'
import { presetOfBug } from './planted-bugs.js'
import type { PlantedBug } from './planted-bugs.js'
import { simPresets } from './sim-preset.js'
import type { SimPreset } from './sim-preset.js'
import { KhazanaWorkload } from './workload.js'
import type { OutsideRegions } from './region-making.js'

export interface SimulateKhazanaOptions {
  /** A whole number from 0 to 2^53 - 1: all that happens follows from it. */
  readonly seed: number
  /** Client operations in all, at least 1. */
  readonly operations: number
  /** What regions there are; drawn from the seed where it is not given, or that which has the planted bug. */
  readonly preset?: SimPreset
  /** What goes wrong; drawn from the seed where it is not given. */
  readonly faults?: FaultPlan
  /** A fault of a protocol, to see that it is found. */
  readonly plantedBug?: PlantedBug
  /** Beside the built-in ones, at all sites; of two with one name the later counts. */
  readonly protocols?: readonly AnyProtocol[]
  /**
   * All regions are made with these instead of what a preset says: name a protocol of yours here. Needs `claims`. Of plug-ins
   * there is the merge function `grow-only-set`, and the conflict test `by-tag`.
   */
  readonly attributes?: AttributeSettings
  /** What is promised in regions with these attributes. */
  readonly claims?: SimulatedClaims
  readonly traceSink?: TraceSink
}

/**
 * Runs the real nodes, clients and stores for one seed in a simulated world, and judges what came of it by what each region
 * promises. Throws `invalid-argument`.
 */
export async function simulateKhazana(options: SimulateKhazanaOptions): Promise<SimReport> {
  const { plantedBug, protocols, attributes, claims, preset, ...rest } = options
  const outside = outsideOf(attributes, claims)
  const chosen = preset ?? (plantedBug === undefined ? drawPreset(options.seed) : presetOfBug(plantedBug))
  return simulate({
    ...rest,
    // As many as a region with three replicas outlives.
    ...(chosen === 'backed' && { machinesDownMax: 2 }),
    workload: new KhazanaWorkload({ preset: chosen, plantedBug, protocols, outside }),
    makeDisk: () => new DirectoryDisk((path) => new SimDirectory({ path })),
  })
}

function drawPreset(seed: number): SimPreset {
  return Prng.fromSeed(seed).fork('preset').pick(simPresets)
}

function outsideOf(
  attributes: AttributeSettings | undefined,
  claims: SimulatedClaims | undefined,
): OutsideRegions | undefined {
  if (attributes !== undefined && claims !== undefined) return { attributes, claims }
  if (attributes === undefined && claims === undefined) return undefined
  throw new KhazanaError(
    'invalid-argument',
    'attributes and claims go together: what regions are like, and promise',
  )
}

import type { AttributeSettings } from '../../address/attributes.js'
import type { Khazana } from '../../client/khazana.js'
import type { Prng } from '../../stdx/prng.js'
import type { Place } from './place.js'
import { drawPledge, pledgeOf, strict } from './pledge.js'
import type { Pledge, SimulatedClaims } from './pledge.js'
import { planRegion, planSingle } from './region-plan.js'
import type { Shape } from './shape.js'
import { kindOfRegion } from './sim-preset.js'
import type { SimPreset } from './sim-preset.js'
import type { Pair } from './transfers.js'

const mixedKeysMore = 6
/** Where there are regions of several kinds. */
const manifoldPresets: readonly SimPreset[] = ['mixed', 'moving', 'roaming', 'backed']
/** Where some things are released together. */
const pairedPresets: readonly SimPreset[] = ['strict', 'mixed', 'moving', 'backed']

/** What regions are made with, and held to, instead of what the preset says. */
export interface OutsideRegions {
  readonly attributes: AttributeSettings
  readonly claims: SimulatedClaims
}

export interface RegionMaking {
  readonly preset: SimPreset
  readonly outside: OutsideRegions | undefined
  /** At whose nodes regions are reserved. */
  readonly owners: readonly Khazana[]
  readonly shape: Shape
  readonly random: Prng
}

export interface MadeRegions {
  readonly places: readonly Place[]
  /** Keys of regions of their own, some of which have one home, and some not. */
  readonly pairs: readonly Pair[]
}

/** Reserves regions of a few pages at different nodes. */
export async function makeRegions(making: RegionMaking): Promise<MadeRegions> {
  return { places: await reservePlaces(making), pairs: await reservePairs(making) }
}

async function reservePlaces(making: RegionMaking): Promise<readonly Place[]> {
  const { preset, owners, shape, random } = making
  const { keys, pageSize } = shape
  const places: Place[] = []
  const keysMin = manifoldPresets.includes(preset) ? keys + mixedKeysMore : keys
  for (let key = 0; key < keysMin;) {
    const khazana = random.pick(owners)
    const pledge = drawPledgeOf(making, random.fork(`pledge of key ${key}`))
    const { cells, pages } = planRegion({ pledge, firstKey: key, pageSize, random })
    const minReplicas = drawReplicas(preset, pledge, random.fork(`replicas of key ${key}`))
    const region = await khazana.reserve(pages * pageSize, { ...pledge.attributes, pageSize, minReplicas })
    await region.allocate()
    for (const cell of cells) places.push({ region: region.address, pageSize, cell, pledge })
    key += cells.length
  }
  return places
}

async function reservePairs(making: RegionMaking): Promise<readonly Pair[]> {
  const { preset, outside, owners, shape } = making
  const { pageSize } = shape
  const random = making.random.fork('pairs')
  const pairs: Pair[] = []
  if (outside !== undefined || !pairedPresets.includes(preset) || random.chance(0.3)) return pairs
  for (let pair = 1, count = random.int(1, 2); pair <= count; pair++) {
    const places: Place[] = []
    for (const half of ['a', 'b']) {
      const cell = planSingle(`pair-${pair}${half}`, random.int(1, 2), pageSize)
      const minReplicas = preset === 'backed' ? random.pick([1, 2, 2, 3]) : 1
      const khazana = random.pick(owners)
      const region = await khazana.reserve(cell.length, { pageSize, minReplicas })
      await region.allocate()
      places.push({ region: region.address, pageSize, cell, pledge: strict })
    }
    places.sort((a, b) => (a.region < b.region ? -1 : 1))
    const [first, second] = places
    if (first !== undefined && second !== undefined) pairs.push([first, second])
  }
  return pairs
}

/** What was accepted and is not durable may be lost with a takeover: programs that hold a site to its own writes would be right to complain. */
function drawReplicas(preset: SimPreset, { reads, changes }: Pledge, random: Prng): number {
  const isBacked = preset === 'backed' && reads !== 'eventual' && changes.length === 0
  return isBacked ? random.pick([1, 2, 2, 2, 3]) : 1
}

function drawPledgeOf({ preset, outside }: RegionMaking, random: Prng): Pledge {
  if (outside !== undefined) return pledgeOf(outside.claims, outside.attributes)
  return drawPledge(kindOfRegion(preset, random), random)
}

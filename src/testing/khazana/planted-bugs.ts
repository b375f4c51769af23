import { boundedWith, crewObjectsWith, releaseWith } from '../../consistency/copies/copies.js'
import { plantedBugs as copiesBugs } from '../../consistency/copies/planted-bug.js'
import type { PlantedBug as CopiesBug } from '../../consistency/copies/planted-bug.js'
import type { AnyProtocol } from '../../consistency/contract.js'
import { crewWith } from '../../consistency/crew/crew.js'
import { plantedBugs as crewBugs } from '../../consistency/crew/planted-bug.js'
import type { PlantedBug as CrewBug } from '../../consistency/crew/planted-bug.js'
import { eventualWith } from '../../consistency/eventual/eventual.js'
import { eventualBugs } from '../../consistency/eventual/planted-bug.js'
import type { EventualBug } from '../../consistency/eventual/planted-bug.js'
import type { GroupBug } from '../../membership/home-group/group-bug.js'
import { mendBugs } from '../../node/group/mend-bug.js'
import type { MendBug } from '../../node/group/mend-bug.js'
import { moveBugs } from '../../node/home/move-bug.js'
import type { MoveBug } from '../../node/home/move-bug.js'
import { spaceBugs } from '../../node/pools/space-bug.js'
import type { SpaceBug } from '../../node/pools/space-bug.js'
import { transactionBugs } from '../../node/transaction/transaction-bug.js'
import type { TransactionBug } from '../../node/transaction/transaction-bug.js'
import { unreachable } from '../../stdx/assert.js'
import type { SimPreset } from './sim-preset.js'

/** A fault of one of the protocols, of how homes move, of home groups, of how damaged pages are mended, of how several locks are released together, or of how address space is handed out, to see that it is found. */
export type PlantedBug =
  | `strict:${CrewBug}`
  | `release:${CopiesBug}`
  | `bounded:${CopiesBug}`
  | `objects:${CopiesBug}`
  | `eventual:${EventualBug}`
  | `moving:${MoveBug}`
  | `roaming:${SpaceBug}`
  | `backed:${MendBug | SimulatedGroupBug | TransactionBug}`

/** Those that whole clusters show soon; all others the model checker finds (`test/membership/home-group`). */
const simulatedGroupBugs = [
  'skip-the-lease',
  'acknowledge-before-backups',
  'no-new-era',
  'acknowledge-before-durable',
  'ignore-the-reign',
] as const satisfies readonly GroupBug[]
type SimulatedGroupBug = (typeof simulatedGroupBugs)[number]

/** Bugs that change nothing in the protocol that they would be planted in. */
const harmless: readonly PlantedBug[] = [
  'release:stale-past-bound',
  'release:mix-moments',
  'objects:skip-an-update',
  'objects:acknowledge-before-holders',
  'objects:stale-past-bound',
  'objects:mix-moments',
  'objects:forget-own-write',
]

/** Bugs that random clusters hardly ever show, so that scenes of their own must catch them (`test/consistency`, `test/node/healing.test.ts`). */
const rare: readonly PlantedBug[] = ['eventual:drop-a-dirty-page', 'backed:take-any-version']

export const plantedBugs: readonly PlantedBug[] = [
  ...crewBugs.map((bug) => `strict:${bug}` as const),
  ...copiesBugs.map((bug) => `release:${bug}` as const),
  ...copiesBugs.map((bug) => `bounded:${bug}` as const),
  ...copiesBugs.map((bug) => `objects:${bug}` as const),
  ...eventualBugs.map((bug) => `eventual:${bug}` as const),
  ...moveBugs.map((bug) => `moving:${bug}` as const),
  ...spaceBugs.map((bug) => `roaming:${bug}` as const),
  ...simulatedGroupBugs.map((bug) => `backed:${bug}` as const),
  ...mendBugs.map((bug) => `backed:${bug}` as const),
  ...transactionBugs.map((bug) => `backed:${bug}` as const),
].filter((bug) => !harmless.includes(bug) && !rare.includes(bug))

/** The preset whose regions show the bug. */
export function presetOfBug(bug: PlantedBug): Exclude<SimPreset, 'mixed' | 'switch'> {
  return partsOf(bug)[0]
}

/** The protocol with the bug in it, to be registered in place of the built-in one; undefined where it is in none. */
export function protocolWith(bug: PlantedBug): AnyProtocol | undefined {
  const [preset, name] = partsOf(bug)
  switch (preset) {
    case 'strict':
      return crewWith(name)
    case 'release':
      return releaseWith(name)
    case 'bounded':
      return boundedWith(name)
    case 'objects':
      return crewObjectsWith(name)
    case 'eventual':
      return eventualWith(name)
    case 'moving':
    case 'roaming':
    case 'backed':
      return undefined
    default:
      return unreachable(preset)
  }
}

/** The fault of how homes move. */
export function moveBugOf(bug: PlantedBug | undefined): MoveBug | undefined {
  if (bug === undefined) return undefined
  const [preset, name] = partsOf(bug)
  return preset === 'moving' ? name : undefined
}

/** The fault of how address space is handed out. */
export function spaceBugOf(bug: PlantedBug | undefined): SpaceBug | undefined {
  if (bug === undefined) return undefined
  const [preset, name] = partsOf(bug)
  return preset === 'roaming' ? name : undefined
}

/** The fault of how damaged pages are mended. */
export function mendBugOf(bug: PlantedBug | undefined): MendBug | undefined {
  return mendBugs.find((name) => bug === `backed:${name}`)
}

/** The fault of home groups. */
export function groupBugOf(bug: PlantedBug | undefined): GroupBug | undefined {
  return simulatedGroupBugs.find((name) => bug === `backed:${name}`)
}

/** The fault of how several locks are released together. */
export function transactionBugOf(bug: PlantedBug | undefined): TransactionBug | undefined {
  return transactionBugs.find((name) => bug === `backed:${name}`)
}

type Parts<B extends PlantedBug = PlantedBug> = B extends `${infer P}:${infer N}` ? [P, N] : never

function partsOf(bug: PlantedBug): Parts {
  return bug.split(':') as Parts
}

import type { Scenario } from '../scenario.js'
import { firstReads } from './first-reads.js'
import { lockAlone, lockCounter, lockHandOver } from './locks.js'
import { manyFiles } from './many-files.js'
import { random } from './random.js'
import { sequential } from './sequential.js'
import { sights } from './sights.js'
import { sqlite } from './sqlite.js'
import { tree } from './tree.js'

/** In the order of the table. */
export const allScenarios: readonly Scenario[] = [
  sequential,
  random,
  manyFiles,
  tree,
  sqlite,
  firstReads,
  sights,
  lockAlone,
  lockHandOver,
  lockCounter,
]

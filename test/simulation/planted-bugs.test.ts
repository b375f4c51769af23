import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plantedBugs, simulateKhazana } from '../../src/testing/index.js'
import type { FaultPlan, PlantedBug, SimPreset } from '../../src/testing/index.js'
import { doublePowerCuts, fullDisks, oneWays, partitions, powerCuts, rottenDisks } from './bug-faults.js'

const operations = 200
/** Within so many seeds each planted bug must be found: from the one that shows it today, so that this is quick. */
const seedsMax = 40

interface Conditions {
  /** That of the bug's name unless told. */
  readonly preset?: SimPreset
  /** Drawn from the seed unless told. */
  readonly faults?: FaultPlan
  readonly operations?: number
  /** 1 unless told. */
  readonly firstSeed?: number
}

/** Where a bug does harm soon. */
const conditions: Partial<Record<PlantedBug, Conditions>> = {
  'strict:grant-before-durable': { faults: powerCuts, firstSeed: 36 },
  'strict:no-fence-beyond-the-lost': { firstSeed: 28 },
  'strict:acknowledge-before-durable': { faults: powerCuts, firstSeed: 8 },
  // Of regions with replicas. The home must live, and be out of reach for longer than a lease while commits are on their way.
  'strict:numbers-given-again': { preset: 'backed', faults: oneWays, operations: 400, firstSeed: 170 },
  'strict:resend-without-comparing': { preset: 'backed', faults: partitions, operations: 300, firstSeed: 14 },
  // A disk takes a while to be filled.
  'strict:keep-failed-bytes': { faults: fullDisks, operations: 600, firstSeed: 11 },
  'strict:grant-while-recalled': { operations: 600, firstSeed: 6 },
  'release:acknowledge-before-holders': { firstSeed: 4 },
  'bounded:skip-an-update': { firstSeed: 12 },
  'bounded:acknowledge-before-holders': { faults: partitions, firstSeed: 49 },
  'objects:acknowledge-before-durable': { faults: powerCuts, firstSeed: 8 },
  'eventual:lower-stamp-wins': { firstSeed: 3 },
  // Others know where it is: the old home must be started again, and be asked by one that does not.
  'moving:forget-where-it-went': { faults: powerCuts, operations: 600, firstSeed: 15 },
  'roaming:forget-grants': { firstSeed: 10 },
  'roaming:take-pools-as-free': { firstSeed: 11 },
  'eventual:no-sync-after-loss': { faults: powerCuts },
  'backed:skip-the-lease': { faults: partitions, operations: 300 },
  'backed:acknowledge-before-backups': { faults: powerCuts, operations: 300 },
  // The primary must die, and the backup lose its power with what it has said to have.
  'backed:acknowledge-before-durable': { faults: doublePowerCuts, operations: 400, firstSeed: 27 },
  'backed:no-new-era': { faults: powerCuts, operations: 300, firstSeed: 10 },
  // Two homes must each have a part of a transaction, and one die before it hears of the decision.
  'backed:forget-a-decision': { faults: powerCuts, operations: 400, firstSeed: 27 },
  'backed:serve-zeros': { faults: rottenDisks, operations: 400, firstSeed: 18 },
  'backed:commit-without-the-last': { faults: powerCuts, operations: 400, firstSeed: 55 },
}

describe('a simulated cluster with a bug planted in a protocol, in how homes move, address space is handed out, or pages are mended', () => {
  for (const plantedBug of plantedBugs) {
    it(`is caught with "${plantedBug}" within ${seedsMax} seeds`, async (t) => {
      const { firstSeed = 1, ...others } = conditions[plantedBug] ?? {}
      for (let seed = firstSeed; seed < firstSeed + seedsMax; seed++) {
        const report = await simulateKhazana({ seed, operations, plantedBug, ...others })
        if (report.ok) continue
        t.diagnostic(`caught at seed ${seed} as ${report.failure?.kind}`)
        return
      }
      assert.fail(`not caught in ${seedsMax} seeds`)
    })
  }
})

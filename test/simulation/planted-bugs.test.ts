import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plantedBugs, simPresets, simulateKhazana } from '../../src/testing/index.js'
import type { FaultPlan, PlantedBug } from '../../src/testing/index.js'

const operations = 200
/** Within so many seeds each planted bug must be found: from the one that shows it today, so that this is quick. */
const seedsMax = 40

/**
 * Slow disks under machines that lose their power: what is shared, or acknowledged, before it is durable gets lost. With
 * faults drawn from the seed alone such a moment is rare.
 */
const powerCuts: FaultPlan = {
  rates: { 'power-off': { gapMs: 800, lastsMs: 20 }, 'slow-disk': { gapMs: 20, lastsMs: 20_000 } },
  machinesDownMax: 1,
  slownessMax: 300,
}

/** Sites that cannot be told in time what has changed. */
const partitions: FaultPlan = {
  rates: { partition: { gapMs: 300, lastsMs: 1000 }, pause: { gapMs: 1000, lastsMs: 1000 } },
  machinesDownMax: 1,
  slownessMax: 300,
}

/** Commits that fail, while their authors cannot be told. */
const fullDisks: FaultPlan = {
  rates: { 'disk-full': { gapMs: 200, lastsMs: 500 }, partition: { gapMs: 300, lastsMs: 1000 } },
  machinesDownMax: 1,
  slownessMax: 100,
}

interface Conditions {
  /** Drawn from the seed unless told. */
  readonly faults?: FaultPlan
  readonly operations?: number
  /** 1 unless told. */
  readonly firstSeed?: number
}

/** Where a bug does harm soon. */
const conditions: Partial<Record<PlantedBug, Conditions>> = {
  'strict:grant-before-durable': { faults: powerCuts, firstSeed: 8 },
  'strict:acknowledge-before-durable': { faults: powerCuts, firstSeed: 8 },
  // A disk takes a while to be filled.
  'strict:keep-failed-bytes': { faults: fullDisks, operations: 600, firstSeed: 10 },
  'strict:grant-while-recalled': { firstSeed: 6 },
  'release:acknowledge-before-holders': { firstSeed: 4 },
  'bounded:skip-an-update': { firstSeed: 10 },
  'bounded:acknowledge-before-holders': { faults: partitions, firstSeed: 11 },
  'objects:acknowledge-before-durable': { faults: powerCuts, firstSeed: 8 },
  'eventual:lower-stamp-wins': { firstSeed: 3 },
  'moving:forget-where-it-went': { firstSeed: 23 },
  'eventual:no-sync-after-loss': { faults: powerCuts },
}

describe('a simulated cluster with a bug planted in a protocol, or in how homes move', () => {
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

  for (const [name, faults] of Object.entries({ powerCuts, partitions, fullDisks })) {
    it(`is found right with none, under the same ${name}`, async () => {
      for (const [index, preset] of simPresets.entries()) {
        const seed = index + 1
        const report = await simulateKhazana({ preset, seed, operations, faults })
        assert.ok(report.ok, `${preset}, seed ${seed}: ${report.failure?.message}`)
      }
    })
  }
})

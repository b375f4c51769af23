import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plantedBugs, simPresets, simulateKhazana } from '../../src/testing/index.js'
import type { FaultPlan, PlantedBug } from '../../src/testing/index.js'

const operations = 200
/** Within so many seeds each planted bug must be found. */
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

/** Disks that are full every other moment. */
const fullDisks: FaultPlan = {
  rates: { 'disk-full': { gapMs: 100, lastsMs: 100 }, 'slow-disk': { gapMs: 50, lastsMs: 20_000 } },
  machinesDownMax: 1,
  slownessMax: 30,
}

/** Where a bug does harm; with faults drawn from the seed for those that are not named. */
const plans: Partial<Record<PlantedBug, FaultPlan>> = {
  'strict:grant-before-durable': powerCuts,
  'strict:acknowledge-before-durable': powerCuts,
  'strict:keep-failed-bytes': fullDisks,
  'bounded:acknowledge-before-holders': partitions,
  'objects:acknowledge-before-durable': powerCuts,
  'eventual:drop-a-dirty-page': powerCuts,
  'eventual:no-sync-after-loss': powerCuts,
}

describe('a simulated cluster with a bug planted in a protocol', () => {
  for (const plantedBug of plantedBugs) {
    it(`is caught with "${plantedBug}" within ${seedsMax} seeds`, async (t) => {
      const faults = plans[plantedBug]
      for (let seed = 1; seed <= seedsMax; seed++) {
        const plan = faults === undefined ? {} : { faults }
        const report = await simulateKhazana({ seed, operations, plantedBug, ...plan })
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

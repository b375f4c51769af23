import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plantedBugs, simulateKhazana } from '../../src/testing/index.js'
import type { FaultPlan } from '../../src/testing/index.js'

const operations = 300
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

describe('a simulated cluster with a bug planted in its protocol', () => {
  for (const plantedBug of plantedBugs) {
    it(`is caught with "${plantedBug}" within ${seedsMax} seeds`, async (t) => {
      for (let seed = 1; seed <= seedsMax; seed++) {
        for (const faults of [undefined, powerCuts]) {
          const plan = faults === undefined ? {} : { faults }
          const report = await simulateKhazana({ preset: 'strict', seed, operations, plantedBug, ...plan })
          if (report.ok) continue
          t.diagnostic(`caught at seed ${seed} as ${report.failure?.kind}`)
          return
        }
      }
      assert.fail(`not caught in ${seedsMax} seeds`)
    })
  }

  it('is found right with none, under the same power cuts', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const report = await simulateKhazana({ preset: 'strict', seed, operations, faults: powerCuts })
      assert.ok(report.ok, `seed ${seed}: ${report.failure?.message}`)
    }
  })
})

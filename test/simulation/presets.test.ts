import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bounded } from '../../src/consistency/copies/copies.js'
import { simPresets, simulateKhazana } from '../../src/testing/index.js'
import type { SimPreset, SimReport, SimulatedClaims } from '../../src/testing/index.js'

const operations = 200
/** How many seeds of each preset; `npm test -- --long` sets more. */
const seeds = Number(process.env['KHAZANA_SIM_SEEDS'] ?? 10)
function explain({ seed, failure }: SimReport, preset: SimPreset, count: number): string {
  const again = `npm run sim -- --preset ${preset} --seed ${seed} --ops ${count}`
  return `${preset}, seed ${seed}: ${failure?.kind}: ${failure?.message}\nrepeat: ${again}`
}

// `strict` has a test of its own.
const presets = simPresets.filter((preset) => preset !== 'strict')

describe('a simulated cluster with regions of other consistency', () => {
  for (const preset of presets) {
    it(`keeps what "${preset}" promises over ${seeds} seeds of faults`, async () => {
      let acknowledged = 0
      const faults = new Set<string>()
      for (let seed = 1; seed <= seeds; seed++) {
        const report = await simulateKhazana({ preset, seed, operations })
        assert.ok(report.ok, explain(report, preset, operations))
        acknowledged += report.acknowledged
        for (const kind of Object.keys(report.faults)) faults.add(kind)
      }
      // A run in which nothing was written, or nothing went wrong, would show nothing.
      assert.ok(acknowledged > seeds * 40, `only ${acknowledged} writes were acknowledged`)
      assert.ok(faults.size >= 5, `only ${[...faults].join(', ')} happened`)
    })

    it(`does the same again from the same seed with "${preset}"`, async () => {
      const first = await simulateKhazana({ preset, seed: 11, operations })
      const again = await simulateKhazana({ preset, seed: 11, operations })
      assert.equal(first.traceHash, again.traceHash)
      assert.deepEqual(first.history, again.history)
    })
  }

  it('holds a protocol from outside to what it claims, and no more', async () => {
    const protocols = [{ ...bounded, name: 'from-outside' }]
    const staleness = { ms: 400, versions: Infinity }
    const consistency = { preset: 'bounded', staleness } as const
    const attributes = { protocol: 'from-outside', consistency }
    const judge = async (claims: SimulatedClaims): Promise<readonly SimReport[]> => {
      const reports: SimReport[] = []
      for (let seed = 1; seed <= 4; seed++) {
        reports.push(await simulateKhazana({ seed, operations, protocols, attributes, claims }))
      }
      return reports
    }
    for (const report of await judge({ reads: 'bounded', staleness, writes: 'serial' })) {
      assert.ok(report.ok, `seed ${report.seed}: ${report.failure?.message}`)
    }
    const overstated = await judge({ reads: 'release', writes: 'serial' })
    assert.ok(overstated.some(({ failure }) => failure?.kind === 'consistency'))
  })
})

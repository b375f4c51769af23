import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { simPresets, simulateKhazana } from '../../src/testing/index.js'
import { fullDisks, partitions, powerCuts } from './bug-faults.js'

const operations = 200

describe('a simulated cluster under faults that show planted bugs', () => {
  for (const [name, faults] of Object.entries({ powerCuts, partitions, fullDisks })) {
    it(`is found right without one, under ${name}`, async () => {
      for (const [index, preset] of simPresets.entries()) {
        const seed = index + 1
        const report = await simulateKhazana({ preset, seed, operations, faults })
        assert.ok(report.ok, `${preset}, seed ${seed}: ${report.failure?.message}`)
      }
    })
  }
})

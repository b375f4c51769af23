import assert from 'node:assert/strict'
import { it } from 'node:test'
import { simulateKhazana } from '../../src/testing/index.js'
import { rottenDisks } from './bug-faults.js'

const operations = 400
/** The first showed that a backup which had been removed while it was away kept its copy, and what was damaged in it, for ever. */
const seeds = [5, 7, 26]

it('regions with replicas outlive disks that damage what they keep, one at a time', async (t) => {
  let rotten = 0
  for (const seed of seeds) {
    const report = await simulateKhazana({ preset: 'backed', seed, operations, faults: rottenDisks })
    assert.ok(report.ok, `seed ${seed}: ${report.failure?.kind}: ${report.failure?.message}`)
    rotten += report.counts['rotten'] ?? 0
  }
  t.diagnostic(`${rotten} pages were damaged`)
  assert.ok(rotten >= 2 * seeds.length, `only ${rotten} pages were damaged`)
})

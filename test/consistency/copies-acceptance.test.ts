import { describe, it } from 'node:test'
import { presets } from '../../src/address/consistency-vector.js'
import { bounded, crewObjects, release } from '../../src/consistency/copies/copies.js'
import { runProtocolTests } from '../../src/testing/protocol/run-protocol-tests.js'

const runner = { describe, it }
/** Long enough for locks to meet: in shorter runs planted bugs go unseen. */
const runs = { seeds: 50, steps: 800 }

runProtocolTests(
  runner,
  release,
  { reads: 'release', writes: 'shared', unlockMeans: 'durable', hits: ['read', 'write-shared'] },
  runs,
)

describe('where write-shared locks take turns, too', () => {
  runProtocolTests(
    runner,
    release,
    {
      reads: 'release',
      writes: 'serial',
      unlockMeans: 'durable',
      hits: ['read'],
      attributes: { consistency: { ...presets.release, concurrency: 'serial' } },
    },
    runs,
  )
})

for (const staleness of [
  { ms: 1000, versions: Infinity },
  { ms: 300, versions: 2 },
]) {
  describe(`within ${staleness.ms} ms and ${staleness.versions} versions`, () => {
    runProtocolTests(
      runner,
      bounded,
      { reads: 'bounded', staleness, writes: 'serial', unlockMeans: 'durable', hits: ['read'] },
      runs,
    )
  })
}

runProtocolTests(
  runner,
  crewObjects,
  { reads: 'linearizable', writes: 'exclusive', unlockMeans: 'durable', conflicts: true },
  runs,
)

describe('where a region names no test', () => {
  runProtocolTests(
    runner,
    crewObjects,
    { reads: 'linearizable', writes: 'exclusive', unlockMeans: 'durable' },
    runs,
  )
})

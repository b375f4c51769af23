import assert from 'node:assert/strict'
import { it } from 'node:test'
import { simulateKhazana } from '../../src/testing/index.js'
import type { FaultPlan, SimPreset } from '../../src/testing/index.js'
import { oneWays } from './bug-faults.js'

/** Seeds of which each once showed a fault of ours that is mended. What they showed is in the comments. */
const regressions: readonly (readonly [
  preset: SimPreset,
  seed: number,
  operations: number,
  faults?: FaultPlan,
])[] = [
  // As a region was brought to rest, a lock that was taken back made room for another, which was then asked for twice.
  ['switch', 59, 200],
  ['switch', 202, 400],
  // A client whose node could not find the region at that moment was refused, and had no reason ever to ask again.
  ['eventual', 136, 300],
  ['eventual', 1143, 400],
  // A client that was cut off while a home moved lost what it had written, as after a change of protocol.
  ['moving', 179, 300],
  // A client that came back to a node that was started again had the numbers there of another's new session, and ended it.
  ['moving', 431, 300],
  // A move that was given up let messages through for which the region was still being looked for.
  ['moving', 348, 300],
  // A region was to move to a node that its home had not heard of yet, which was taken for a mistake.
  ['moving', 549, 400],
  // A pool was handed over while a region was being reserved in it.
  ['roaming', 46, 600],
  // A node that had just joined took itself for the manager, and denied what it had not heard of.
  ['roaming', 94, 600],
  // A region came to a node that had looked for it there before it asked the others.
  ['roaming', 36, 600],
  // A region that was to come from a node that has left was waited for, for ever.
  ['roaming', 24, 600],
  // The founder made the root of the address map again after that had moved.
  ['roaming', 81, 600],
  // An address was taken for that of a region that was no more, and denied to belong to the one that had it since.
  ['roaming', 31, 600],
  ['roaming', 32, 800],
  // A node that had left when nobody could hear it was looked for, for ever.
  ['roaming', 454, 800],
  // A handle that knew sooner than its node that the node is the home was told that there is no such region.
  ['roaming', 583, 800],
  // A node joined that was told of none but the one which let it in, and that one left.
  ['roaming', 261, 800],
  // A region was handed over to a node that had left, and had come back only to say so.
  ['roaming', 248, 800],
  // Regions whose home had left were waited for there for two seconds before they were looked for.
  ['roaming', 4029, 800],
  // A read that waited while the home moved was served from the old copy, as if the site were cut off.
  ['roaming', 3074, 800],
  // A backup got a commit of a region that it had not been told of yet, and kept nothing of it.
  ['backed', 1007, 800],
  // A node that was no member of the group any more gave the region's address to another.
  ['backed', 1050, 800],
  // A node took the word of another that had no copy any more for that there is no such region.
  ['backed', 1147, 800],
  // A client that knew sooner than its node who the new home is was not heard.
  ['backed', 3024, 600],
  // A backup that was removed while its session went on kept its copy for ever.
  ['backed', 22, 400, oneWays],
  // A node that was told of a group before it had gone on with those of before went on with that one twice, and led it twice.
  ['backed', 17_504, 5000],
  // A page was freed, and read all the same by a client that was cut off.
  ['bounded', 2069, 400],
]

it('promises are kept where they were once broken', async () => {
  for (const [preset, seed, operations, faults] of regressions) {
    const report = await simulateKhazana({ preset, seed, operations, ...(faults && { faults }) })
    const again = `npm run sim -- --preset ${preset} --seed ${seed} --ops ${operations}`
    assert.ok(report.ok, `${report.failure?.kind}: ${report.failure?.message}\nrepeat: ${again}`)
  }
})

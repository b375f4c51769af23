import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeId } from '../../src/address/identity.js'
import { leftoversText } from '../../src/node/cluster/leftovers.js'
import type { Leftovers } from '../../src/node/cluster/leftovers.js'

const nothing: Leftovers = {
  regions: 0,
  maps: 0,
  newHomes: [],
  oldHomes: [],
  returns: 0,
  releases: 0,
  pools: [],
  idsFor: undefined,
}

test('what a node still has is told in words, each kind of it', () => {
  const [two, three] = [nodeId(2), nodeId(3)]
  const rows: readonly (readonly [Partial<Leftovers>, string])[] = [
    [{}, ''],
    [{ regions: 1 }, '1 region'],
    [{ regions: 12, maps: 2 }, '12 regions, 2 maps of its address space'],
    [{ newHomes: [three, two, three] }, 'a region that was handed over (waits for nodes 2, 3)'],
    [{ oldHomes: [two] }, 'whether a region is to come here (waits for node 2)'],
    [{ returns: 1 }, '1 address of a region that ended here'],
    [{ releases: 1 }, '1 release that is pending'],
    [{ releases: 2 }, '2 releases that are pending'],
    [{ pools: [undefined, undefined] }, '2 pools of address space'],
    [{ pools: [undefined, three] }, '2 pools of address space (promised to node 3)'],
    [{ idsFor: two }, 'numbers for new nodes (promised to node 2)'],
  ]
  for (const [left, text] of rows) assert.equal(leftoversText({ ...nothing, ...left }).join(', '), text)
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { nodeId, nodeIdMax } from '../../src/address/identity.js'
import { sliceOf, sliceOwner, systemSpaceBytes } from '../../src/location/address-slice.js'
import { PoolGrants, poolBytesMin } from '../../src/location/pool-grants.js'
import { PoolHints } from '../../src/location/pool-hints.js'

const node = nodeId(7)

describe('Address space that managers grant', () => {
  it('comes from slices of which no two overlap', () => {
    const nodes = [1, 2, 3, 1000, nodeIdMax].map(nodeId)
    for (const owner of nodes) {
      const { start, end } = sliceOf(owner)
      assert.equal(sliceOwner(addressFrom(start)), owner)
      assert.equal(sliceOwner(addressFrom(end - 1n)), owner)
    }
    assert.equal(sliceOf(nodeId(1)).end, sliceOf(nodeId(2)).start)
    assert.equal(sliceOwner(addressFrom(systemSpaceBytes - 1n)), undefined, "the system's own")
    assert.equal(sliceOwner(addressFrom((1n << 128n) - 1n)), undefined, "another cluster's")
  })

  it('is given upwards, in units, and never twice', () => {
    const grants = new PoolGrants(nodeId(1))
    const first = grants.next(node, 1n)
    assert.deepEqual(first, { start: systemSpaceBytes, size: poolBytesMin, node })
    assert.deepEqual(grants.next(node, 1n), first, 'as long as it is not added')
    grants.add(first)
    const large = grants.next(node, poolBytesMin + 1n)
    assert.deepEqual([large.start, large.size], [systemSpaceBytes + poolBytesMin, 2n * poolBytesMin])
    grants.add(large)
    assert.equal(grants.find(addressFrom(large.start + large.size - 1n)), large)
    assert.equal(grants.find(addressFrom(large.start + large.size)), undefined)
  })

  it('ends with the slice', () => {
    const grants = new PoolGrants(nodeId(3))
    const { start, end } = sliceOf(nodeId(3))
    const all = grants.next(node, end - start)
    assert.equal(all.size, end - start)
    grants.add(all)
    assert.throws(() => grants.next(node, 1n), { code: 'no-space' })
  })
})

describe('Hints of pools', () => {
  const a = nodeId(1)
  const b = nodeId(2)
  const report = (starts: readonly bigint[], diskFreeBytes = 0) => ({
    pools: starts.map((start) => ({ start: addressFrom(start), size: 10n, map: undefined })),
    freeBytes: 5n,
    largestFreeBytes: 5n,
    diskFreeBytes,
  })

  it('follow what nodes said last of themselves', () => {
    const hints = new PoolHints()
    hints.set(a, report([0n, 100n]))
    assert.deepEqual(
      [0n, 9n, 10n, 105n].map((at) => hints.find(addressFrom(at))),
      [a, a, undefined, a],
    )
    hints.set(b, report([100n]))
    hints.set(a, report([0n]))
    assert.equal(hints.find(addressFrom(100n)), b, 'a pool that went from one to the other')
    hints.forget(a)
    assert.deepEqual([hints.find(addressFrom(0n)), hints.get(a)], [undefined, undefined])
  })

  it('tell who has most room', () => {
    const hints = new PoolHints()
    hints.set(a, report([], 10))
    hints.set(b, report([], 20))
    assert.deepEqual(hints.byRoom(), [b, a])
  })
})

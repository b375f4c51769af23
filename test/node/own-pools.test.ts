import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { nodeId } from '../../src/address/identity.js'
import { withResolvers } from '../../src/io/deadline.js'
import { OwnPools } from '../../src/node/pools/own-pools.js'

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const pool = { start: addressFrom(0x100_0000_0000n), size: BigInt(GiB), map: undefined }

function poolsWith(commit: () => Promise<void> = () => Promise.resolve()): OwnPools {
  return new OwnPools({
    store: { list: () => [], commit },
    grantPool: () => Promise.reject(new Error('no more')),
    prepare: () => Promise.resolve(),
    changed: () => undefined,
  })
}

describe('Pools that are handed over', () => {
  it('are free at the new node, but for what is known to be taken', async () => {
    const pools = poolsWith()
    await pools.adopt(pool, () => [{ address: pool.start, size: MiB }])
    assert.equal(pools.freeBytes, BigInt(GiB - MiB))
    assert.equal(await pools.take(MiB, MiB), addressFrom(pool.start + BigInt(MiB)))
  })

  it('do not come to a node that is leaving with nothing left', async () => {
    const pools = poolsWith()
    assert.equal(pools.close(), true)
    await assert.rejects(
      pools.adopt(pool, () => []),
      { code: 'closed' },
    )
    pools.reopen()
    await pools.adopt(pool, () => [])
    assert.deepEqual([...pools.all()], [pool])
  })

  it('keep a node from leaving while they are on the way, and until it has handed them on', async () => {
    const disk = withResolvers<void>()
    let commits = 0
    const pools = poolsWith(() => (++commits === 1 ? disk.promise : Promise.resolve()))
    const adopted = pools.adopt(pool, () => [])
    assert.equal(pools.close(), false, 'one is coming')
    disk.resolve()
    await adopted
    assert.equal(pools.close(), false, 'it has come')
    await pools.beginLeaving(pool, nodeId(3))
    assert.equal(pools.close(), false, 'it is promised, and no more')
    await pools.endLeaving(pool)
    assert.equal(pools.close(), true)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LeaseBound } from '../../src/node/group/lease-bound.js'
import { FakeClock } from './fake-world.js'

const sessionMs = 3000

describe('what a node grants to others', () => {
  it('has a bound only where the node has a lease, and nothing rests on the lease before that lasts as long as all that was granted without', async () => {
    const clock = new FakeClock()
    const start = clock.now()
    const lease = { isHeld: false, validUntil: -Infinity, look: () => undefined }
    const bound = new LeaseBound(clock, lease, sessionMs)
    assert.equal(bound.limit(), Infinity)
    await clock.advance(500)
    assert.equal(bound.limit(), Infinity)
    lease.isHeld = true
    lease.validUntil = start + 500 + sessionMs - 1
    assert.equal(bound.isComplete, false)
    assert.equal(bound.limit(), sessionMs - 1)
    lease.validUntil = start + 500 + sessionMs
    assert.equal(bound.isComplete, true)
    await clock.advance(sessionMs)
    assert.equal(bound.limit(), 0)
  })
})

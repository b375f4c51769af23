import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { patiently } from '../../src/fuse/front/patience.js'
import { PendingCall } from '../../src/fuse/server/pending-call.js'

describe('an operation whose program is interrupted', () => {
  it('is not disturbed where it is about to end', async () => {
    const call = new PendingCall()
    const answer = patiently(call, delay(50, 'done'))
    call.interrupt()
    assert.equal(await answer, 'done')
  })

  it('ends with EINTR where it goes on for long', async () => {
    const never = new Promise<string>(() => undefined)
    const call = new PendingCall()
    const answer = patiently(call, never)
    call.interrupt()
    const start = performance.now()
    await assert.rejects(Promise.resolve(answer), { code: 'EINTR' })
    assert.ok(performance.now() - start > 900)
  })

  it('fails as it would have failed', async () => {
    const call = new PendingCall()
    await assert.rejects(Promise.resolve(patiently(call, Promise.reject(new Error('planted')))), /planted/)
    assert.equal(patiently(call, 'at once'), 'at once')
  })
})

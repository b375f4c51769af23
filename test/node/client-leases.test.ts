import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientLeases } from '../../src/node/client-leases.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { FakeClock, settle } from './fake-world.js'

const leaseMs = 1600

class FakeSession {
  validUntil = -Infinity
  #told: (() => void) | undefined

  whenValid(): Promise<void> {
    if (this.validUntil > -Infinity) return Promise.resolve()
    return new Promise((resolve) => {
      this.#told = resolve
    })
  }

  renewed(validUntil: number): void {
    this.validUntil = validUntil
    this.#told?.()
  }
}

describe('the leases of the clients of a node', () => {
  function scene(): {
    clock: FakeClock
    leases: ClientLeases
    session: FakeSession
    closing: AbortController
  } {
    const clock = new FakeClock()
    return {
      clock,
      leases: new ClientLeases(clock, leaseMs),
      session: new FakeSession(),
      closing: new AbortController(),
    }
  }

  /** Whether it is covered by now. */
  function watch(leases: ClientLeases, session: FakeSession, signal: AbortSignal): { how: string } {
    const seen = { how: 'waits' }
    leases.coveredBy(session, signal).then(
      () => (seen.how = 'covered'),
      (reason: unknown) => (seen.how = KhazanaError.from(reason).code),
    )
    return seen
  }

  it('are covered by a session that is valid for as long, and not before', async () => {
    const { clock, leases, session, closing } = scene()
    const now = clock.now()
    leases.granted(1000)
    leases.granted(300)
    const seen = watch(leases, session, closing.signal)
    await settle()
    assert.equal(seen.how, 'waits')
    session.renewed(now + 400)
    await clock.advance(350)
    assert.equal(seen.how, 'waits')
    session.renewed(now + 999)
    await clock.advance(200)
    assert.equal(seen.how, 'waits')
    session.renewed(now + 1000)
    await clock.advance(leaseMs / 16)
    assert.equal(seen.how, 'covered')
  })

  it('are no longer than a lease, whatever the limit', async () => {
    const { clock, leases, session, closing } = scene()
    leases.granted(Infinity)
    session.renewed(clock.now() + leaseMs)
    const seen = watch(leases, session, closing.signal)
    await settle()
    assert.equal(seen.how, 'covered')
  })

  it('are waited for until the node closes', async () => {
    const { clock, leases, session, closing } = scene()
    leases.granted(1000)
    session.renewed(clock.now() + 1)
    const seen = watch(leases, session, closing.signal)
    await settle()
    closing.abort(new KhazanaError('closed', 'enough'))
    await settle()
    assert.equal(seen.how, 'closed')
  })
})

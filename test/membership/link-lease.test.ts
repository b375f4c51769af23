import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LeaseGranter, LeaseHolder } from '../../src/membership/link-lease.js'
import { clockDriftMax } from '../../src/stdx/clock-drift.js'

const leaseMs = 3000

describe('the leases of a link', () => {
  it('end at the holder before they end at the granter, whatever the delays, the losses and the clocks', () => {
    // Each clock has an origin and a rate of its own; the rates differ by less than the bound.
    const clocks = fc.record({
      origin: fc.integer({ min: -1e9, max: 1e9 }),
      rate: fc.double({ min: 1, max: 1 / (1 - clockDriftMax), noNaN: true }),
    })
    const renewals = fc.array(
      fc.record({
        pauseMs: fc.integer({ min: 1, max: 4000 }),
        thereMs: fc.integer({ min: 0, max: 2000 }),
        backMs: fc.integer({ min: 0, max: 2000 }),
        limitMs: fc.oneof(fc.constant(Infinity), fc.integer({ min: -100, max: 5000 })),
        lost: fc.constantFrom('none', 'none', 'renew', 'renewed'),
      }),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(clocks, clocks, renewals, (holderClock, granterClock, script) => {
        const atHolder = (trueMs: number): number => holderClock.origin + trueMs * holderClock.rate
        const atGranter = (trueMs: number): number => granterClock.origin + trueMs * granterClock.rate
        const holder = new LeaseHolder()
        const granter = new LeaseGranter(leaseMs, atGranter(0))
        let now = 0
        for (const { pauseMs, thereMs, backMs, limitMs, lost } of script) {
          now += pauseMs
          const renewal = holder.ask(atHolder(now))
          if (lost === 'renew') continue
          now += thereMs
          granter.heard(atGranter(now))
          const validForMs = granter.grant(limitMs)
          now += backMs
          if (lost === 'none') assert.ok(holder.answered(renewal, validForMs))
          const holderEnds = (holder.validUntil - holderClock.origin) / holderClock.rate
          const granterEnds = (granter.expiresAt - granterClock.origin) / granterClock.rate
          assert.ok(holderEnds <= granterEnds + 1e-3, `${holderEnds} is after ${granterEnds}`)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('give a holder nothing until its first renewal is answered, then as long as is granted', () => {
    const holder = new LeaseHolder()
    assert.equal(holder.validUntil, -Infinity)
    const renewal = holder.ask(1000)
    assert.ok(holder.waiting)
    assert.ok(holder.answered(renewal, leaseMs))
    assert.ok(!holder.waiting)
    assert.equal(holder.validUntil, 1000 + leaseMs * (1 - clockDriftMax))
  })

  it('count from the renewal that is answered, not from a later one', () => {
    const holder = new LeaseHolder()
    const first = holder.ask(1000)
    holder.ask(2000)
    assert.ok(holder.answered(first, leaseMs))
    assert.equal(holder.validUntil, 1000 + leaseMs * (1 - clockDriftMax))
    assert.ok(holder.waiting)
  })

  it('never shrink, and take no answer that nobody asked for', () => {
    const holder = new LeaseHolder()
    assert.ok(!holder.answered(1, leaseMs))
    const first = holder.ask(1000)
    holder.answered(first, leaseMs)
    const before = holder.validUntil
    const second = holder.ask(1100)
    assert.ok(holder.answered(second, 0))
    assert.ok(holder.answered(first, 2 * leaseMs), 'an answer that came before is no fault')
    assert.equal(holder.validUntil, before)
    assert.ok(!holder.answered(3, leaseMs))
    assert.ok(!holder.answered(0, leaseMs))
  })

  it('are granted for no longer than the granter itself may', () => {
    const granter = new LeaseGranter(leaseMs, 0)
    assert.equal(granter.grant(Infinity), leaseMs)
    assert.equal(granter.grant(1200), 1200)
    assert.equal(granter.grant(-5), 0)
  })
})

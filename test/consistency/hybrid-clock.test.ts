import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  HybridClock,
  aheadMsMax,
  isFarAhead,
  never,
  stampEpochMs,
  stampMax,
  stampsPerMs,
} from '../../src/consistency/eventual/hybrid-clock.js'
import type { Stamp } from '../../src/consistency/eventual/hybrid-clock.js'

const day = aheadMsMax

describe('The hybrid clock', () => {
  it('follows the wall clock, and counts within a millisecond', () => {
    const clock = new HybridClock()
    const at = stampEpochMs + 1000
    assert.equal(clock.next(at, never), 1000 * stampsPerMs)
    assert.equal(clock.next(at, never), 1000 * stampsPerMs + 1)
    assert.equal(clock.next(at + 0.5, never), 1000 * stampsPerMs + 2)
    assert.equal(clock.next(at + 1, never), 1001 * stampsPerMs)
  })

  it('carries into the next millisecond rather than to give a stamp twice', () => {
    const clock = new HybridClock()
    const stamps = Array.from({ length: 3 * stampsPerMs }, () => clock.next(stampEpochMs, never))
    assert.ok(stamps.every((stamp, index) => index === 0 || stamp > (stamps[index - 1] ?? never)))
    assert.equal(clock.next(stampEpochMs + 2, never), stamps.length + 1)
  })

  it('goes on upwards where the wall clock goes back', () => {
    const clock = new HybridClock()
    const before = clock.next(stampEpochMs + day, never)
    assert.equal(clock.next(stampEpochMs, never), before + 1)
    assert.equal(clock.next(0, never), before + 2)
  })

  it('stays above what it is told of', () => {
    const clock = new HybridClock()
    assert.equal(clock.next(stampEpochMs, 5000 as Stamp), 5001)
    clock.observe(9000 as Stamp)
    clock.observe(7 as Stamp)
    assert.equal(clock.next(stampEpochMs, never), 9001)
  })

  it('fits six bytes, whatever the wall clock says', () => {
    for (const wallTime of [8.64e15, Number.MAX_SAFE_INTEGER, 4e12]) {
      const clock = new HybridClock()
      const first = clock.next(wallTime, never)
      assert.ok(first < stampMax - 1e12, `room above ${first}`)
      assert.equal(clock.next(wallTime, first), first + 1)
    }
    assert.equal(new HybridClock().next(stampEpochMs, stampMax as Stamp), stampMax)
  })

  it('believes no stamp that is more than a day ahead', () => {
    const tomorrow = (day * stampsPerMs) as Stamp
    assert.equal(isFarAhead(tomorrow, stampEpochMs), false)
    assert.equal(isFarAhead((tomorrow + 1) as Stamp, stampEpochMs), true)
    assert.equal(isFarAhead((tomorrow + 1) as Stamp, stampEpochMs + 1), false)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  attemptMsMax,
  attemptMsMin,
  ReleaseSchedule,
  retryMsMax,
  retryMsMin,
  widthMax,
} from '../../src/node/releases/release-schedule.js'

function numbersOf(schedule: ReleaseSchedule, now: number): number[] {
  return schedule.begin(now).map(({ number }) => number)
}

function nextOf(schedule: ReleaseSchedule): number | undefined {
  return schedule.nextAt
}

describe('when releases are tried', () => {
  it('is at once, and then later and later, up to a bound, each attempt for longer, up to a bound', () => {
    const schedule = new ReleaseSchedule()
    schedule.add(1, 'a', 0)
    const pauses: number[] = []
    const times: number[] = []
    let now = 0
    for (let attempt = 0; attempt < 12; attempt++) {
      const [begun, ...others] = schedule.begin(now)
      assert.equal(begun?.number, 1)
      assert.deepEqual(others, [])
      times.push(begun.timeoutMs)
      assert.equal(nextOf(schedule), undefined)
      schedule.failed(1, now)
      const next = nextOf(schedule) ?? 0
      assert.deepEqual(schedule.begin(next - 1), [])
      pauses.push(next - now)
      now = next
    }
    assert.deepEqual(pauses.slice(0, 3), [retryMsMin, retryMsMin * 2, retryMsMin * 4])
    assert.equal(pauses.at(-1), retryMsMax)
    assert.deepEqual([times[0], times.at(-1)], [attemptMsMin, attemptMsMax])
  })

  it('is one at a time of one region, and of others meanwhile', () => {
    const schedule = new ReleaseSchedule()
    schedule.add(1, 'a', 0)
    schedule.add(2, 'a', 0)
    schedule.add(3, 'b', 0)
    assert.deepEqual(numbersOf(schedule, 0), [1, 3])
    assert.deepEqual(numbersOf(schedule, 0), [])
    schedule.ended(1)
    assert.equal(schedule.nextAt, 0)
    assert.deepEqual(numbersOf(schedule, 0), [2])
    schedule.ended(2)
    schedule.ended(3)
    assert.equal(schedule.nextAt, undefined)
  })

  it('is for each by itself: one that fails holds up no other', () => {
    const schedule = new ReleaseSchedule()
    schedule.add(1, 'a', 0)
    for (let now = 0; now < 100_000; now = schedule.nextAt ?? 0) {
      schedule.begin(now)
      schedule.failed(1, now)
    }
    const now = 100_000
    schedule.add(2, 'a', now)
    assert.deepEqual(numbersOf(schedule, now), [2])
  })

  it('is so many at a time', () => {
    const schedule = new ReleaseSchedule()
    for (let number = 0; number < widthMax + 2; number++) schedule.add(number, `region ${number}`, 0)
    assert.equal(schedule.begin(0).length, widthMax)
    assert.equal(schedule.nextAt, undefined)
    schedule.ended(0)
    assert.deepEqual(numbersOf(schedule, 0), [widthMax])
  })

  it('is at once again where somebody waits, or asks once more', () => {
    const schedule = new ReleaseSchedule()
    schedule.add(1, 'a', 0)
    for (const now of [0, 1000, 2000, 4000, 8000]) {
      schedule.begin(now)
      schedule.failed(1, now)
    }
    schedule.hurry(1, 8001)
    assert.deepEqual(numbersOf(schedule, 8001), [1])
    schedule.failed(1, 8001)
    assert.equal(schedule.nextAt, 8001 + retryMsMin)
    assert.deepEqual(numbersOf(schedule, 9000), [1])
    schedule.again(1, 9000)
    assert.deepEqual(numbersOf(schedule, 9000), [1])
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clockDriftMax } from '../../src/stdx/clock-drift.js'
import { NodeLease } from '../../src/membership/node-lease.js'
import type { NodeLeaseEffect, NodeLeaseEvent } from '../../src/membership/node-lease.js'
import { Prng } from '../../src/stdx/prng.js'

const ttlMs = 3000

function play(lease: NodeLease, ...events: readonly NodeLeaseEvent[]): string[] {
  return events.map((event) => lease.step(event).map(wordsOf).join(', '))
}

function wordsOf(effect: NodeLeaseEffect): string {
  switch (effect.kind) {
    case 'alarm':
      return `alarm at ${effect.at}`
    case 'renew':
    case 'held':
      return `${effect.kind} ${effect.lease}`
    case 'register':
    case 'extended':
    case 'lapsed':
      return effect.kind
  }
}

const registered = (now: number, askedAt: number, lease = '7'): NodeLeaseEvent => ({
  kind: 'registered',
  now,
  lease,
  ttlMs,
  askedAt,
})
const renewed = (now: number, askedAt: number, lease = '7'): NodeLeaseEvent => ({
  kind: 'renewed',
  now,
  lease,
  askedAt,
})

describe('A lease at the coordinator', () => {
  it('is kept alive, and counts from before it was asked for', () => {
    const lease = new NodeLease(ttlMs)
    assert.equal(lease.validUntil, -Infinity)
    assert.deepEqual(
      play(
        lease,
        { kind: 'start', now: 0 },
        registered(40, 10),
        { kind: 'alarm', now: 1010 },
        renewed(1500, 1010),
      ),
      ['register', 'held 7, alarm at 130', 'renew 7', 'extended, alarm at 1610'],
    )
    assert.equal(lease.validUntil, 1010 + ttlMs * (1 - clockDriftMax))
  })

  it('is past when its time is, whatever comes then, and a new one begins anew', () => {
    const lease = new NodeLease(ttlMs)
    play(lease, { kind: 'start', now: 0 }, registered(0, 0), { kind: 'alarm', now: 1000 })
    assert.deepEqual(play(lease, renewed(4000, 1000), registered(4010, 4000, '8')), [
      'lapsed, register',
      'held 8, alarm at 4100',
    ])
    assert.deepEqual(play(lease, { kind: 'alarm', now: 5000 }, { kind: 'ended', now: 5001, lease: '8' }), [
      'renew 8',
      'lapsed, register',
    ])
  })

  it('is not held where it was past before it was heard of', () => {
    const lease = new NodeLease(ttlMs)
    assert.deepEqual(play(lease, { kind: 'start', now: 0 }, registered(2970, 0)), ['register', 'register'])
    assert.equal(lease.validUntil, -Infinity)
  })

  it('is asked for again where nobody answers, one question at a time', () => {
    const lease = new NodeLease(ttlMs)
    assert.deepEqual(
      play(
        lease,
        { kind: 'start', now: 0 },
        { kind: 'alarm', now: 10 },
        { kind: 'failed', now: 20 },
        {
          kind: 'alarm',
          now: 270,
        },
      ),
      ['register', '', 'alarm at 270', 'register'],
    )
  })

  it('is never valid here when it has ended there, over 3,000 seeds of drift, silence and pauses', () => {
    let held = 0
    let lapsed = 0
    let extended = 0
    for (let seed = 1; seed <= 3000; seed++) {
      const random = Prng.fromSeed(seed)
      // The coordinator's clock is the true one; this node's may be slower or faster by as much as is allowed.
      const rate = 1 + random.pick([-1, 0, 1]) * clockDriftMax
      const lease = new NodeLease(ttlMs)
      const endsAt = new Map<string, number>()
      let next = 1
      let time = 0
      let alarm = Infinity
      const queue: { at: number; event: (now: number) => NodeLeaseEvent }[] = []
      const isThere = (id: string, at: number): boolean => (endsAt.get(id) ?? -Infinity) > at
      const perform = (effects: readonly NodeLeaseEffect[]): void => {
        for (const effect of effects) {
          if (effect.kind === 'alarm') alarm = effect.at / rate
          else if (effect.kind === 'held') held += 1
          else if (effect.kind === 'lapsed') lapsed += 1
          else if (effect.kind === 'extended') extended += 1
          else {
            const askedAt = time * rate
            const there = time + random.exponential(200)
            const back = there + random.exponential(200)
            if (random.chance(0.2)) {
              queue.push({ at: back + 500, event: (now) => ({ kind: 'failed', now }) })
              // It may have been heard all the same.
              if (effect.kind === 'renew' && random.chance(0.5) && isThere(effect.lease, there))
                endsAt.set(effect.lease, there + ttlMs)
            } else if (effect.kind === 'register') {
              const id = String(next++)
              endsAt.set(id, there + ttlMs)
              queue.push({
                at: back,
                event: (now) => ({ kind: 'registered', now, lease: id, ttlMs, askedAt }),
              })
            } else if (isThere(effect.lease, there)) {
              endsAt.set(effect.lease, there + ttlMs)
              queue.push({
                at: back,
                event: (now) => ({ kind: 'renewed', now, lease: effect.lease, askedAt }),
              })
            } else queue.push({ at: back, event: (now) => ({ kind: 'ended', now, lease: effect.lease }) })
          }
        }
      }
      perform(lease.step({ kind: 'start', now: 0 }))
      for (let steps = 0; steps < 60; steps++) {
        queue.sort((a, b) => a.at - b.at)
        const isAlarm = alarm < (queue[0]?.at ?? Infinity)
        const due = isAlarm ? alarm : (queue[0]?.at ?? Infinity)
        assert.ok(due < Infinity, `seed ${seed}: it waits for nothing`)
        // The process may be stopped for any time.
        const before = time
        time = Math.max(time, due) + (random.chance(0.1) ? random.exponential(3000) : 0)
        // The last moment before this event at which something might still rest on it.
        const last = Math.min(time, lease.validUntil / rate - 1e-6)
        if (last >= before) {
          const isThereStill = [...endsAt.values()].some((end) => end > last)
          assert.ok(isThereStill, `seed ${seed}: valid at ${last}, and no lease is there`)
        }
        if (isAlarm) {
          alarm = Infinity
          perform(lease.step({ kind: 'alarm', now: time * rate }))
        } else {
          const event = queue.shift()
          if (event !== undefined) perform(lease.step(event.event(time * rate)))
        }
      }
    }
    assert.ok(held > 3000 && lapsed > 1000 && extended > 1000, `held ${held}, lapsed ${lapsed}`)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LeaseId, Revision, Transaction } from '../../src/coordinator/coordinator.js'
import { CoordinatorState } from '../../src/coordinator/coordinator-state.js'
import type { ChangesRequest, Request } from '../../src/coordinator/request.js'
import { emptyState, stateLimits } from '../../src/coordinator/state-terms.js'
import type { StateEffect, StateEvent, StateLimits } from '../../src/coordinator/state-terms.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { bytes } from '../../src/testing/coordinator/scene-tools.js'

/** The state machine, driven by hand. */
class Bench {
  readonly #state: CoordinatorState
  #id = 0
  nowMs = 0

  constructor(limits: Partial<StateLimits> = {}) {
    this.#state = new CoordinatorState({ ...stateLimits, ...limits }, emptyState)
  }

  step(event: StateEvent): StateEffect[] {
    return this.#state.step(this.nowMs, event)
  }

  ask(request: Request | ChangesRequest): StateEffect[] {
    return this.step({ kind: 'asked', id: ++this.#id, request })
  }

  put(key: string, value = 'x', lease?: LeaseId): StateEffect[] {
    const puts = [{ key, value: bytes(value), ...(lease === undefined ? {} : { lease }) }]
    return this.transact({ puts })
  }

  transact(transaction: Transaction): StateEffect[] {
    return this.ask({ kind: 'transact', transaction })
  }

  persisted(): StateEffect[] {
    return this.step({ kind: 'persisted' })
  }

  /** A lease of a second. */
  grant(): LeaseId {
    this.ask({ kind: 'grant', ttlMs: 1_000 })
    const lease = answerOf(this.persisted())
    return (lease as { readonly id: LeaseId }).id
  }

  list(): string[] {
    const { found } = answerOf(this.ask({ kind: 'list', prefix: '' })) as {
      readonly found: readonly { readonly key: string }[]
    }
    return found.map(({ key }) => key)
  }
}

function kinds(effects: readonly StateEffect[]): string[] {
  return effects.map(({ kind }) => kind)
}

function answerOf(effects: readonly StateEffect[]): unknown {
  const [answer] = effects.filter((effect) => effect.kind === 'answer')
  assert.ok(answer !== undefined, 'it is answered')
  return answer.answer
}

function failureOf(effects: readonly StateEffect[]): string {
  const [failure] = effects.filter((effect) => effect.kind === 'fail')
  assert.ok(failure !== undefined, 'it fails')
  return failure.error.code
}

const fullDisk = new KhazanaError('no-space', 'the disk is full')

describe('the state of a coordinator', () => {
  it('answers a change when it is durable, one at a time, and shows nothing before', () => {
    const bench = new Bench()
    assert.deepEqual(kinds(bench.put('a')), ['persist'])
    assert.deepEqual(kinds(bench.put('b')), [])
    assert.deepEqual(bench.list(), [])
    assert.deepEqual(kinds(bench.persisted()), ['answer', 'persist'])
    assert.deepEqual(bench.list(), ['a'])
    assert.deepEqual(kinds(bench.persisted()), ['answer'])
    assert.deepEqual(bench.list(), ['a', 'b'])
  })

  it('decides a change on what is durable by then', () => {
    const bench = new Bench()
    const create: Transaction = {
      conditions: [{ kind: 'absent', key: 'a' }],
      puts: [{ key: 'a', value: bytes('x') }],
    }
    bench.transact(create)
    bench.transact(create)
    const effects = bench.persisted()
    assert.deepEqual(kinds(effects), ['answer', 'answer'])
    assert.deepEqual(answerOf(effects.slice(1)), { kind: 'refused', revision: 2 })
  })

  it('goes on after a change that the disk has refused', () => {
    const bench = new Bench()
    bench.put('a')
    bench.put('b')
    const effects = bench.step({ kind: 'not-persisted', error: fullDisk })
    assert.deepEqual(kinds(effects), ['fail', 'persist'])
    assert.equal(failureOf(effects), 'no-space')
    bench.persisted()
    assert.deepEqual(bench.list(), ['b'])
  })

  it('ends a lease whose end the disk has refused later, and keeps it alive no more', () => {
    const bench = new Bench()
    const lease = bench.grant()
    bench.put('a', 'x', lease)
    bench.persisted()
    bench.nowMs = 1_000
    assert.deepEqual(kinds(bench.step({ kind: 'lease-due', lease })), ['persist'])
    assert.equal(answerOf(bench.ask({ kind: 'keep-alive', lease })), 'ended')
    assert.deepEqual(kinds(bench.step({ kind: 'not-persisted', error: fullDisk })), ['arm'])
    assert.equal(answerOf(bench.ask({ kind: 'keep-alive', lease })), 'ended')
    assert.deepEqual(bench.list(), ['a'])
    assert.deepEqual(kinds(bench.step({ kind: 'lease-due', lease })), ['persist'])
    assert.deepEqual(kinds(bench.persisted()), ['disarm'])
    assert.deepEqual(bench.list(), [])
  })

  it('lets the timer of a lease that was kept alive go off in vain', () => {
    const bench = new Bench()
    const lease = bench.grant()
    bench.nowMs = 900
    assert.deepEqual(kinds(bench.ask({ kind: 'keep-alive', lease })), ['arm', 'answer'])
    bench.nowMs = 1_000
    assert.deepEqual(bench.step({ kind: 'lease-due', lease }), [{ kind: 'arm', lease, afterMs: 900 }])
    bench.nowMs = 1_900
    assert.deepEqual(kinds(bench.step({ kind: 'lease-due', lease })), ['persist'])
  })

  it('never gives the number of a lease twice, also after a restart', () => {
    const bench = new Bench()
    const [first, second] = [bench.grant(), bench.grant()]
    assert.notEqual(first, second)
    const stored = { ...emptyState, nextLease: 3, leases: [{ id: second, ttlMs: 1_000 }] }
    const again = new CoordinatorState(stateLimits, stored)
    assert.deepEqual(again.start(0), [{ kind: 'arm', lease: second, afterMs: 1_000 }])
    again.step(0, { kind: 'asked', id: 1, request: { kind: 'grant', ttlMs: 1_000 } })
    assert.deepEqual(answerOf(again.step(0, { kind: 'persisted' })), { id: '3', ttlMs: 1_000 })
  })

  it('has room for so many keys and bytes, and can always be made smaller', () => {
    const bench = new Bench({ keysMax: 2, entryBytesMax: 20 })
    for (const key of ['a', 'b']) {
      bench.put(key)
      bench.persisted()
    }
    assert.equal(failureOf(bench.put('c')), 'no-space')
    assert.deepEqual(kinds(bench.transact({ puts: [{ key: 'c', value: bytes('x') }], deletes: ['a'] })), [
      'persist',
    ])
    bench.persisted()
    assert.equal(failureOf(bench.put('b', 'x'.repeat(18))), 'no-space')
    bench.put('b', 'x'.repeat(17))
    bench.persisted()
    assert.deepEqual(bench.list(), ['b', 'c'])
    bench.transact({ deletes: ['b', 'c'] })
    bench.persisted()
    assert.deepEqual(bench.list(), [])
  })

  it('is busy beyond so many leases, changes and waits', () => {
    const bench = new Bench({ leasesMax: 1, queuedMax: 1, waitingMax: 1 })
    bench.grant()
    assert.equal(failureOf(bench.ask({ kind: 'grant', ttlMs: 1_000 })), 'busy')
    bench.put('a')
    bench.put('b')
    assert.equal(failureOf(bench.put('c')), 'busy')
    const changes: ChangesRequest = { kind: 'changes', prefix: '', from: 9 as Revision, waitMs: 1 }
    assert.deepEqual(bench.ask(changes), [])
    assert.equal(failureOf(bench.ask(changes)), 'busy')
  })

  it('remembers the latest changes, as many as it may, and answers a megabyte at a time', () => {
    const bench = new Bench({ historyRevisionsMax: 100, historyBytesMax: 2_000_000 })
    const value = 'x'.repeat(300_000)
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      bench.put(key, value)
      bench.persisted()
    }
    const changes = (from: number): unknown =>
      answerOf(bench.ask({ kind: 'changes', prefix: '', from: from as Revision, waitMs: 1 }))
    assert.deepEqual(changes(3), { kind: 'compacted', revision: 4 })
    const news = changes(4) as {
      readonly news: readonly { readonly revision: number }[]
      readonly next: number
    }
    assert.deepEqual(
      news.news.map(({ revision }) => revision),
      [4, 5, 6],
    )
    assert.equal(news.next, 7)
  })

  it('tells who has waited in vain how far it is', () => {
    const bench = new Bench()
    const from = 2 as Revision
    assert.deepEqual(
      bench.step({ kind: 'asked', id: 7, request: { kind: 'changes', prefix: 'b', from, waitMs: 1 } }),
      [],
    )
    bench.put('a')
    assert.deepEqual(kinds(bench.persisted()), ['answer'])
    const effects = bench.step({ kind: 'waited', id: 7 })
    assert.deepEqual(effects, [{ kind: 'answer', id: 7, answer: { kind: 'news', news: [], next: 3 } }])
    assert.deepEqual(bench.step({ kind: 'waited', id: 7 }), [])
  })
})

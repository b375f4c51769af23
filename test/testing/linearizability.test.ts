import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { HistoryRecorder } from '../../src/testing/history.js'
import type { Operation } from '../../src/testing/history.js'
import { checkLinearizability } from '../../src/testing/linearizability.js'
import { isLinearizableByForce } from './brute-force.js'
import { randomHistory } from './random-history.js'

/** `[from, to]` are orders; `to` null: outcome unknown. */
function one(
  op: 'read' | 'write',
  value: string | null,
  span: readonly [from: number, to: number | null],
  more: Partial<Operation> = {},
): Operation {
  const [invokeOrder, completeOrder] = span
  return {
    process: `c${invokeOrder}`,
    op,
    key: 'k',
    value,
    invoke: invokeOrder,
    complete: completeOrder,
    ok: true,
    invokeOrder,
    completeOrder,
    ...more,
  }
}

function refused(history: readonly Operation[], why: RegExp): void {
  const verdict = checkLinearizability(history)
  assert.ok(verdict.kind === 'violation', verdict.kind)
  assert.match(verdict.explanation, why)
  assert.equal(isLinearizableByForce(history), false)
}

function accepted(history: readonly Operation[]): void {
  assert.deepEqual(checkLinearizability(history), { kind: 'ok' })
  assert.equal(isLinearizableByForce(history), true)
}

test('an empty history, and reads of nothing, are right', () => {
  accepted([])
  accepted([one('read', null, [0, 1]), one('read', null, [2, 3])])
})

test('writes and reads one after the other are right', () => {
  accepted([
    one('write', 'a', [0, 1]),
    one('read', 'a', [2, 3]),
    one('write', 'b', [4, 5]),
    one('read', 'b', [6, 7]),
  ])
})

test('a read beside a write may see either value', () => {
  accepted([one('write', 'a', [0, 5]), one('read', null, [1, 2]), one('read', 'a', [3, 4])])
})

test('but not the new value first and then the old one', () => {
  refused(
    [one('write', 'a', [0, 5]), one('read', 'a', [1, 2]), one('read', null, [3, 4])],
    /order that fits real time/,
  )
})

test('a stale read is refused, and the explanation shows the write that it missed', () => {
  const history = [
    one('write', 'a', [0, 1]),
    one('read', 'a', [2, 3]),
    one('write', 'b', [4, 5]),
    one('read', 'a', [6, 7]),
    one('write', 'c', [8, 9]),
  ]
  refused(history, /wrote "b" to k: asked 4\.000, done 5\.000\n.*read "a" from k: asked 6\.000/)
  const verdict = checkLinearizability(history)
  assert.ok(verdict.kind === 'violation' && verdict.operations.length === 3, 'only what is needed is shown')
})

test('a read of nothing after an acknowledged write is refused', () => {
  refused([one('write', 'a', [0, 1]), one('read', null, [2, 3])], /wrote "a".*\n.*read nothing/)
})

test('a value that nobody wrote is refused, so a torn one is too', () => {
  refused([one('write', 'a', [0, 1]), one('read', 'x', [2, 3])], /nobody wrote/)
  refused(
    [one('write', 'aaaa', [0, 3]), one('write', 'bbbb', [1, 4]), one('read', 'aabb', [2, 5])],
    /nobody wrote/,
  )
})

test('a value seen before its writing began is refused', () => {
  refused([one('read', 'a', [0, 1]), one('write', 'a', [2, 3])], /before its writing began/)
})

test('a value of a write known not to have happened is refused', () => {
  refused([one('write', 'a', [0, 1], { ok: false }), one('read', 'a', [2, 3])], /nobody wrote/)
})

test('two critical sections that overlapped lose an update, and are refused', () => {
  refused(
    [
      one('write', 'a', [0, 1]),
      one('write', 'b', [2, 4], { old: 'a' }),
      one('write', 'c', [3, 5], { old: 'a' }),
    ],
    /two critical sections/,
  )
})

test('critical sections one after the other are right, and nothing may come between', () => {
  const chain = [
    one('write', 'a', [0, 1], { old: null }),
    one('write', 'b', [2, 3], { old: 'a' }),
    one('write', 'c', [4, 5], { old: 'b' }),
  ]
  accepted([...chain, one('read', 'c', [6, 7])])
  accepted([...chain, one('write', 'x', [3.5, 7]), one('read', 'x', [8, 9])])
  refused(
    [...chain.slice(0, 2), one('write', 'x', [3.2, 3.4]), one('write', 'c', [4, 5], { old: 'b' })],
    /order that fits real time/,
  )
})

test('an older value in a chain of critical sections is refused after a newer one', () => {
  refused(
    [
      one('write', 'a', [0, 1], { old: null }),
      one('write', 'b', [2, 3], { old: 'a' }),
      one('read', 'a', [4, 5]),
    ],
    /after what replaced it/,
  )
})

test('critical sections that read each other are refused', () => {
  refused([one('write', 'a', [0, 5], { old: 'b' }), one('write', 'b', [1, 6], { old: 'a' })], /circle/)
})

test('a write of unknown outcome may happen never, or late, but only once', () => {
  accepted([one('write', 'a', [0, null]), one('read', null, [2, 3])])
  accepted([one('write', 'a', [0, null]), one('read', null, [2, 3]), one('read', 'a', [4, 5])])
  accepted([
    one('write', 'a', [0, null]),
    one('write', 'b', [2, 3]),
    one('read', 'b', [4, 5]),
    one('read', 'a', [6, 7]),
  ])
  refused([one('write', 'a', [0, null]), one('read', 'a', [2, 3]), one('read', null, [4, 5])], /real time/)
})

test('a critical section of unknown outcome counts if its value was seen, and not otherwise', () => {
  const lost = one('write', 'b', [2, null], { old: 'a' })
  const won = one('write', 'c', [3, 4], { old: 'a' })
  accepted([one('write', 'a', [0, 1]), lost, won])
  refused([one('write', 'a', [0, 1]), lost, won, one('read', 'b', [5, 6])], /two critical sections/)
})

test('keys are registers of their own', () => {
  accepted([one('write', 'a', [0, 1]), one('read', null, [2, 3], { key: 'other' })].slice(0, 1))
  assert.equal(
    checkLinearizability([one('write', 'a', [0, 1]), one('read', null, [2, 3], { key: 'other' })]).kind,
    'ok',
  )
})

test('a value written twice leaves its key undecided, and a violation elsewhere is still found', () => {
  const twice = [one('write', 'a', [0, 1]), one('write', 'a', [2, 3])]
  assert.equal(checkLinearizability(twice).kind, 'undecided')
  const wrong = one('read', 'ghost', [4, 5], { key: 'other' })
  assert.equal(checkLinearizability([...twice, wrong]).kind, 'violation')
})

test('what a real register does under random interleavings is accepted', () => {
  for (let seed = 0; seed < 300; seed++) {
    const verdict = checkLinearizability(randomHistory(Prng.fromSeed(seed), { clients: 6, operations: 80 }))
    assert.deepEqual(verdict, { kind: 'ok' }, `seed ${seed}`)
  }
})

test('on tiny histories, right or spoiled, the answer is that of trying all orders', () => {
  const counts = { right: 0, wrong: 0 }
  for (let seed = 0; seed < 6000; seed++) {
    const random = Prng.fromSeed(seed)
    const history = spoiled(random, randomHistory(random, { clients: 3, operations: random.int(2, 7) }))
    const isRight = isLinearizableByForce(history)
    const verdict = checkLinearizability(history)
    assert.equal(verdict.kind === 'ok', isRight, `seed ${seed}: ${JSON.stringify(verdict)}`)
    if (verdict.kind === 'violation') {
      assert.equal(
        isLinearizableByForce(verdict.operations),
        false,
        `seed ${seed}: shown is enough to be wrong`,
      )
    }
    counts[isRight ? 'right' : 'wrong']++
  }
  assert.ok(counts.right > 1000 && counts.wrong > 1000, JSON.stringify(counts))
})

/** Half of the time as it is; else with one operation that says or saw something else. */
function spoiled(random: Prng, history: readonly Operation[]): readonly Operation[] {
  const values = [null, ...history.filter((each) => each.op === 'write').map((each) => each.value)]
  const at = random.int(0, history.length - 1)
  const style = random.int(0, 5)
  return history.map((each, index) => {
    if (index !== at || style >= 3) return each
    if (each.op === 'read') return { ...each, value: random.pick(values) }
    return style === 0 ? { ...each, ok: false } : { ...each, old: random.pick(values) }
  })
}

test('a value that is read once too late is mostly noticed in long histories', () => {
  let noticed = 0
  const runs = 200
  for (let seed = 0; seed < runs; seed++) {
    const random = Prng.fromSeed(seed)
    const history = randomHistory(random, { clients: 4, operations: 100 })
    const reads = history.filter((each) => each.op === 'read' && each.ok)
    const late = random.pick(reads.slice(Math.floor(reads.length / 2)))
    const early = random.pick(reads.slice(0, Math.floor(reads.length / 2)))
    const changed = history.map((each) => (each === late ? { ...each, value: early.value } : each))
    if (checkLinearizability(changed).kind === 'violation') noticed++
  }
  assert.ok(noticed > runs * 0.8, `${noticed} of ${runs}`)
})

test('10,000 operations of 16 clients on one key are judged in less than a second', (context) => {
  const history = randomHistory(Prng.fromSeed(1), { clients: 16, operations: 10_000 })
  const startedMs = performance.now()
  assert.deepEqual(checkLinearizability(history), { kind: 'ok' })
  const tookMs = performance.now() - startedMs
  context.diagnostic(`${history.length} operations in ${tookMs.toFixed(0)} ms`)
  assert.ok(tookMs < 1000)
})

test('the recorder makes histories that the checker takes', () => {
  let nowMs = 0
  const recorder = new HistoryRecorder(() => nowMs++)
  recorder.write('c1', 'k', 'a').wrote()
  recorder.read('c2', 'k').read('a')
  recorder.write('c1', 'k', 'b').unknown()
  recorder.read('c2', 'k').failed()
  recorder.write('c1', 'k', 'c').failed()
  assert.deepEqual(checkLinearizability(recorder.operations()), { kind: 'ok' })
  recorder.read('c2', 'k').read(null)
  assert.equal(checkLinearizability(recorder.operations()).kind, 'violation')
})

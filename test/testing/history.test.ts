import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { HistoryRecorder, describeOperation, readHistory, writeHistory } from '../../src/testing/history.js'
import { randomHistory } from './random-history.js'

test('an operation has its times, and orders without ties', () => {
  const recorder = new HistoryRecorder(() => 7.5)
  const write = recorder.write('c1', 'k', 'a')
  const read = recorder.read('c2', 'k')
  read.read(null)
  write.wrote()
  assert.deepEqual(recorder.operations(), [
    {
      process: 'c1',
      op: 'write',
      key: 'k',
      value: 'a',
      ok: true,
      invoke: 7.5,
      complete: 7.5,
      invokeOrder: 0,
      completeOrder: 3,
    },
    {
      process: 'c2',
      op: 'read',
      key: 'k',
      value: null,
      ok: true,
      invoke: 7.5,
      complete: 7.5,
      invokeOrder: 1,
      completeOrder: 2,
    },
  ])
})

test('without an answer a write may have happened and a read says nothing', () => {
  const recorder = new HistoryRecorder(() => 1)
  recorder.write('c1', 'k', 'a')
  recorder.write('c1', 'k', 'b').unknown(null)
  recorder.read('c2', 'k')
  const [open, unknown, read] = recorder.operations()
  assert.deepEqual([open?.ok, open?.complete, unknown?.ok, unknown?.complete], [true, null, true, null])
  assert.equal(unknown?.old, null)
  assert.equal(read?.ok, false)
  assert.equal(recorder.open().length, 2)
  assert.equal(recorder.acknowledged, 0)
})

test('an operation ends once: what is said later changes nothing', () => {
  const recorder = new HistoryRecorder(() => 1)
  const write = recorder.write('c1', 'k', 'a')
  write.failed()
  write.wrote()
  assert.equal(recorder.operations()[0]?.ok, false)
  assert.equal(recorder.acknowledged, 0)
})

test('a history survives being written and read', () => {
  const history = randomHistory(Prng.fromSeed(1), { clients: 5, operations: 200 })
  const text = writeHistory(history)
  assert.equal(text.split('\n').length, history.length + 1)
  assert.deepEqual(readHistory(text), history)
  assert.deepEqual(readHistory(''), [])
})

test('a line that is no operation is refused with its number', () => {
  const good = writeHistory(randomHistory(Prng.fromSeed(2), { clients: 1, operations: 1 }))
  for (const bad of ['{', '[]', 'null', '{"process":"c"}', good.trim().replace('"invoke":', '"Invoke":')]) {
    assert.throws(
      () => readHistory(`${good}${bad}\n`),
      (error) =>
        error instanceof KhazanaError && error.code === 'bad-format' && error.message.includes('line 2'),
      bad,
    )
  }
})

test('operations read as sentences', () => {
  const recorder = new HistoryRecorder(() => 2)
  recorder.write('c1', 'k', 'b').wrote('a')
  recorder.write('c1', 'k', 'c').unknown()
  assert.deepEqual(recorder.operations().map(describeOperation), [
    'c1 read "a" and wrote "b" to k: asked 2.000, done 2.000',
    'c1 wrote "c" to k: asked 2.000, never heard again',
  ])
})

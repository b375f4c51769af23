import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lostVersions, lostWrites } from '../../src/testing/acknowledged-writes.js'
import { HistoryRecorder } from '../../src/testing/history.js'

const acknowledged = [
  { key: 'x', version: 1, value: 'a' },
  { key: 'x', version: 3, value: 'c' },
  { key: 'x', version: 2, value: 'b' },
  { key: 'y', version: 1, value: 'd' },
]

function recovered(x: [number, string | null], y: [number, string | null] = [1, 'd']) {
  return new Map([
    ['x', { version: x[0], value: x[1] }],
    ['y', { version: y[0], value: y[1] }],
  ])
}

test('the newest acknowledged version, or a newer one, is no loss', () => {
  assert.deepEqual(lostVersions(acknowledged, recovered([3, 'c'])), [])
  assert.deepEqual(lostVersions(acknowledged, recovered([4, 'unacknowledged'])), [])
})

test('an older version, other bytes of the version, or nothing at all is a loss', () => {
  assert.match(
    lostVersions(acknowledged, recovered([2, 'b']))[0]?.explanation ?? '',
    /version 3, "c".*version 2, "b"/,
  )
  assert.equal(lostVersions(acknowledged, recovered([3, 'b'])).length, 1)
  assert.deepEqual(
    lostVersions(acknowledged, new Map()).map((loss) => loss.key),
    ['x', 'y'],
  )
})

function history(): HistoryRecorder {
  let nowMs = 0
  const recorder = new HistoryRecorder(() => nowMs++)
  recorder.write('c', 'x', 'a').wrote()
  const slow = recorder.write('c', 'x', 'slow')
  recorder.write('d', 'x', 'b').wrote()
  slow.wrote()
  return recorder
}

test('of writes side by side either may be the last', () => {
  for (const value of ['b', 'slow'])
    assert.deepEqual(lostWrites(history().operations(), new Map([['x', value]])), [])
})

test('a value that an acknowledged write came after is a loss, and so are nothing and inventions', () => {
  for (const [value, why] of [
    ['a', /recovered is "a", but later d wrote "b"/],
    [null, /recovered is null, but later/],
    ['ghost', /never written/],
  ] as const) {
    assert.match(lostWrites(history().operations(), new Map([['x', value]]))[0]?.explanation ?? '', why)
  }
  assert.equal(lostWrites(history().operations(), new Map()).length, 1)
})

test('a write of unknown outcome may be what is found, or not; one that failed may not', () => {
  const recorder = history()
  recorder.write('c', 'x', 'maybe').unknown()
  recorder.write('c', 'x', 'no').failed()
  const losses = (value: string) => lostWrites(recorder.operations(), new Map([['x', value]])).length
  assert.deepEqual([losses('maybe'), losses('b'), losses('no')], [0, 0, 1])
  recorder.write('c', 'x', 'last').wrote()
  assert.deepEqual(
    [losses('maybe'), losses('b'), losses('last')],
    [0, 1, 0],
    'it may still happen after the last one',
  )
})

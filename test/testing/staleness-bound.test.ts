import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkStaleness } from '../../src/testing/protocol/staleness-bound.js'
import { historyOf } from './small-history.js'

const written = ['A w x=1 0-10', 'A w x=2 20-30', 'A w x=3 40-50', 'A w x=4 60-70']

function verdictOf(read: string, ms: number, versions: number): string {
  const verdict = checkStaleness(historyOf(...written, read), () => ({ ms, versions }))
  return verdict.kind === 'violation' ? (verdict.explanation.split('\n')[1] ?? '') : verdict.kind
}

test('a read may be so many milliseconds behind, and no more', () => {
  assert.equal(verdictOf('B r x=3 100-110', 30, Infinity), 'ok')
  assert.match(verdictOf('B r x=3 101-110', 30, Infinity), /31 ms out of date, where 30 are allowed/)
  assert.equal(verdictOf('B r x=2 80-110', 30, Infinity), 'ok')
  assert.match(verdictOf('B r x=1 80-110', 30, Infinity), /50 ms/)
})

test('a read may be so many versions behind, and no more', () => {
  assert.equal(verdictOf('B r x=2 500-510', Infinity, 2), 'ok')
  assert.match(verdictOf('B r x=1 500-510', Infinity, 2), /3 versions behind, where 2 are allowed/)
  assert.match(verdictOf('B r x=- 500-510', Infinity, 3), /4 versions behind/)
})

test('both bounds have to hold', () => {
  assert.match(verdictOf('B r x=3 500-510', 100, 5), /ms out of date/)
  assert.match(verdictOf('B r x=1 75-80', 100, 2), /versions behind/)
})

test('a bound of 0 demands the newest', () => {
  assert.equal(verdictOf('B r x=4 71-72', 0, 0), 'ok')
  assert.equal(verdictOf('B r x=3 65-72', 0, 0), 'ok')
  assert.match(verdictOf('B r x=3 71-72', 0, Infinity), /ms out of date/)
  assert.match(verdictOf('B r x=3 71-72', Infinity, 0), /versions behind/)
})

test('without a bound, anything that was ever written will do, and nothing else', () => {
  assert.equal(verdictOf('B r x=- 500-510', Infinity, Infinity), 'ok')
  assert.match(verdictOf('B r x=9 500-510', Infinity, Infinity), /which nobody wrote/)
})

test('each read has the bound of its caller', () => {
  const history = historyOf(...written, 'B r x=3 100-101', 'C r x=3 102-103')
  const verdict = checkStaleness(history, ({ process }) =>
    process === 'C' ? { ms: 0, versions: 0 } : { ms: Infinity, versions: Infinity },
  )
  assert.equal(verdict.kind === 'violation' ? verdict.operations[0]?.process : verdict.kind, 'C')
})

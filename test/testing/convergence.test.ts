import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConvergence } from '../../src/testing/protocol/convergence.js'
import type { ReplicaContent, WriteOrder } from '../../src/testing/protocol/convergence.js'
import { historyOf } from './small-history.js'

function at(site: string, value: string | null): ReplicaContent {
  return { site, values: new Map([['x', value]]) }
}

function judge(value: string | null, order: WriteOrder, ...lines: readonly string[]): string {
  const verdict = checkConvergence([at('A', value), at('B', value)], historyOf(...lines), order)
  return verdict.kind === 'ok' ? 'ok' : verdict.explanation
}

test('all sites that have a page have the same', () => {
  const history = historyOf('A w x=1 0-1', 'A w x=2 2-3')
  const verdict = checkConvergence([at('A', '2'), at('B', '1')], history, 'real-time')
  assert.equal(verdict.kind === 'violation' ? verdict.explanation : '', 'A has "2", and B has "1"')
  assert.equal(
    checkConvergence([at('A', '2'), { site: 'B', values: new Map() }], history, 'real-time').kind,
    'ok',
  )
})

test('nothing comes out of thin air', () => {
  assert.match(judge('7', 'real-time', 'A w x=1 0-1'), /which nobody wrote/)
  assert.match(judge('7', 'real-time', 'A f x=7 0-1'), /which nobody wrote/)
  assert.match(judge('7', 'causal'), /which nobody wrote/)
  assert.equal(judge(null, 'causal'), 'ok')
})

test('no acknowledged write is lost to one before it', () => {
  assert.equal(judge('2', 'real-time', 'A w x=1 0-1', 'B w x=2 2-3'), 'ok')
  assert.match(judge('1', 'real-time', 'A w x=1 0-1', 'B w x=2 2-3'), /has to stand/)
  assert.match(judge(null, 'real-time', 'A w x=1 0-1'), /has to stand/)
  assert.match(judge(null, 'causal', 'A w x=1 0-1'), /has to stand/)
})

test('of writes that were under way together, and of unknown ones, any may stand', () => {
  assert.equal(judge('1', 'real-time', 'A w x=1 0-3', 'B w x=2 1-4'), 'ok')
  assert.equal(judge('1', 'real-time', 'A w x=1 0-?', 'B w x=2 1-4'), 'ok')
  assert.equal(judge('2', 'real-time', 'A w x=1 3-?', 'B w x=2 1-2'), 'ok')
})

test('by cause, a write stands before those that its author had seen, and no others', () => {
  assert.equal(judge('1', 'causal', 'A w x=1 0-1', 'B w x=2 2-3'), 'ok')
  assert.match(judge('1', 'causal', 'A w x=1 0-1', 'A w x=2 2-3'), /has to stand/)
  assert.match(judge('1', 'causal', 'A w x=1 0-1', 'B w x=2(1) 2-3'), /has to stand/)
  assert.match(judge('1', 'causal', 'A w x=1 0-1', 'B r x=1 2-3', 'B w x=2 4-5'), /has to stand/)
})

test('a cause may go by way of other keys and processes', () => {
  const chain = ['A w x=1 0-1', 'A w y=1 2-3', 'B r y=1 4-5', 'B w z=1 6-7', 'C w x=2 10-11']
  assert.equal(judge('1', 'causal', ...chain), 'ok')
  assert.match(judge('1', 'causal', ...chain, 'C r z=1 8-9'), /has to stand/)
})

test('a merge has to hold all that was written', () => {
  const order: WriteOrder = { absorbs: (found, written) => Number(found) >= Number(written) }
  assert.equal(judge('2', order, 'A w x=2 0-1', 'B w x=1 2-3'), 'ok')
  assert.match(judge('1', order, 'A w x=2 0-1', 'B w x=1 2-3'), /has to stand/)
})

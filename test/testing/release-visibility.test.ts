import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkReleaseVisibility } from '../../src/testing/protocol/release-visibility.js'
import { historyOf } from './small-history.js'

function isRight(...lines: readonly string[]): void {
  assert.deepEqual(checkReleaseVisibility(historyOf(...lines)), { kind: 'ok' })
}

function isWrong(reason: RegExp, ...lines: readonly string[]): void {
  const verdict = checkReleaseVisibility(historyOf(...lines))
  assert.match(verdict.kind === 'violation' ? verdict.explanation : verdict.kind, reason, lines.join('; '))
}

test('a section sees the last write that was acknowledged before it began', () => {
  isRight('A w x=1 0-1', 'A w x=2 2-3', 'B r x=2 4-5')
  isWrong(/was overwritten before/, 'A w x=1 0-1', 'A w x=2 2-3', 'B r x=1 4-5')
  isWrong(/nothing was written at first/, 'A w x=1 0-1', 'B r x=- 4-5')
})

test('it may see any of those that were under way together, and in any order', () => {
  isRight('A w x=1 0-3', 'B w x=2 1-4', 'C r x=1 5-6', 'C r x=2 7-8', 'C r x=1 9-10')
})

test('it may see a write that is not acknowledged yet, or that before it', () => {
  isRight('A w x=1 0-1', 'A w x=2 2-9', 'B r x=1 3-4', 'B r x=2 5-6')
  isRight('A w x=1 0-1', 'A w x=2 2-?', 'B r x=1 3-4', 'B r x=2 5-6', 'B r x=1 7-8')
})

test('what a writer saw before it wrote is judged, too', () => {
  isWrong(/was overwritten before/, 'A w x=1 0-1', 'B w x=2(-) 2-3')
  isRight('A w x=1 0-1', 'B w x=2(1) 2-3')
})

test('nobody sees what was never written, is written later, or failed', () => {
  isWrong(/which nobody wrote/, 'B r x=7 0-1')
  isWrong(/before that was written/, 'B r x=1 0-1', 'A w x=1 2-3')
  isWrong(/failed/, 'A f x=1 0-1', 'B r x=1 2-3')
})

test('a value that was written twice leaves the key undecided', () => {
  assert.equal(checkReleaseVisibility(historyOf('A w x=1 0-1', 'B w x=1 2-3')).kind, 'undecided')
})

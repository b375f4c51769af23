import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { RangeSet, type NumberRange } from '../../src/address/range-set.js'

const valueMax = 60

const someRange = fc.record({
  first: fc.nat(valueMax - 1),
  count: fc.integer({ min: 1, max: 20 }),
})
const someCommand = fc.record({ kind: fc.constantFrom('add' as const, 'remove' as const), range: someRange })

describe('a set of ranges', () => {
  test('behaves as a plain set of numbers', () => {
    fc.assert(
      fc.property(fc.array(someCommand, { maxLength: 40 }), someRange, (commands, probe) => {
        const set = new RangeSet()
        const model = new Set<number>()
        for (const { kind, range } of commands) {
          const sizeBefore = model.size
          for (const value of valuesOf(range)) {
            if (kind === 'add') model.add(value)
            else model.delete(value)
          }
          assert.equal(set[kind](range), Math.abs(model.size - sizeBefore))
          assert.equal(set.size, model.size)
        }
        const values = [...set].flatMap(valuesOf)
        assert.deepEqual(values, [...model].sort(ascending))
        for (let value = 0; value < valueMax + 20; value++) assert.equal(set.has(value), model.has(value))

        const probed = valuesOf(probe).filter((value) => model.has(value))
        assert.equal(set.contains(probe), probed.length === probe.count)
        assert.equal(set.countIn(probe), probed.length)
        assert.deepEqual([...set.within(probe)].flatMap(valuesOf), probed)
      }),
      { numRuns: 500 },
    )
  })

  test('keeps runs that never touch', () => {
    fc.assert(
      fc.property(fc.array(someCommand, { maxLength: 40 }), (commands) => {
        const set = new RangeSet()
        for (const { kind, range } of commands) set[kind](range)
        const runs = [...set]
        assert.equal(set.runs, runs.length)
        let endBefore = -1
        for (const { first, count } of runs) {
          assert.ok(first > endBefore && count > 0)
          endBefore = first + count
        }
      }),
    )
  })

  test('joins ranges that touch, and splits those that lose their middle', () => {
    const set = new RangeSet()
    set.add({ first: 0, count: 4 })
    set.add({ first: 8, count: 4 })
    set.add({ first: 4, count: 4 })
    assert.deepEqual([...set], [{ first: 0, count: 12 }])
    assert.equal(set.remove({ first: 5, count: 2 }), 2)
    assert.deepEqual(
      [...set],
      [
        { first: 0, count: 5 },
        { first: 7, count: 5 },
      ],
    )
  })

  test('takes numbers up to 2^53 - 1, and costs runs, not members', () => {
    const set = new RangeSet()
    set.add({ first: 0, count: Number.MAX_SAFE_INTEGER })
    assert.equal(set.size, Number.MAX_SAFE_INTEGER)
    set.remove({ first: 2 ** 52, count: 1 })
    assert.equal(set.runs, 2)
    assert.equal(set.has(2 ** 52), false)
    assert.equal(set.has(2 ** 52 + 1), true)
  })

  test('asserts that its arguments are ranges', () => {
    const set = new RangeSet()
    for (const range of [
      { first: -1, count: 1 },
      { first: 0, count: 0 },
      { first: 0.5, count: 1 },
      { first: Number.NaN, count: 1 },
      { first: Number.MAX_SAFE_INTEGER, count: 1 },
    ]) {
      assert.throws(() => set.add(range), { name: 'AssertionError' })
      assert.throws(() => set.contains(range), { name: 'AssertionError' })
    }
    assert.equal(set.size, 0)
  })
})

function valuesOf({ first, count }: NumberRange): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function ascending(a: number, b: number): number {
  return a - b
}

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
          assert.equal(set[kind](range.first, range.count), Math.abs(model.size - sizeBefore))
          assert.equal(set.total, model.size)
        }
        const values = [...set].flatMap(valuesOf)
        assert.deepEqual(values, [...model].sort(ascending))
        for (let value = 0; value < valueMax + 20; value++)
          assert.equal(set.includes(value, 1), model.has(value))

        const probed = valuesOf(probe).filter((value) => model.has(value))
        assert.equal(set.includes(probe.first, probe.count), probed.length === probe.count)
        assert.deepEqual(set.within(probe.first, probe.count).flatMap(valuesOf), probed)
      }),
      { numRuns: 500 },
    )
  })

  test('keeps runs that never touch', () => {
    fc.assert(
      fc.property(fc.array(someCommand, { maxLength: 40 }), (commands) => {
        const set = new RangeSet()
        for (const { kind, range } of commands) set[kind](range.first, range.count)
        const runs = [...set]
        assert.equal(set.fragments, runs.length)
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
    set.add(0, 4)
    set.add(8, 4)
    set.add(4, 4)
    assert.deepEqual([...set], [{ first: 0, count: 12 }])
    assert.equal(set.remove(5, 2), 2)
    assert.deepEqual(
      [...set],
      [
        { first: 0, count: 5 },
        { first: 7, count: 5 },
      ],
    )
  })

  test('may be changed by whoever goes over a part of it', () => {
    const set = new RangeSet()
    for (const first of [0, 4, 8]) set.add(first, 2)
    for (const { first, count } of set.within(1, 8)) set.remove(first, count)
    assert.deepEqual(
      [...set],
      [
        { first: 0, count: 1 },
        { first: 9, count: 1 },
      ],
    )
  })

  test('takes numbers up to 2^53 - 1, and costs runs, not members', () => {
    const set = new RangeSet()
    set.add(0, Number.MAX_SAFE_INTEGER)
    assert.equal(set.total, Number.MAX_SAFE_INTEGER)
    set.remove(2 ** 52, 1)
    assert.equal(set.fragments, 2)
    assert.equal(set.includes(2 ** 52, 1), false)
    assert.equal(set.includes(2 ** 52 + 1, 1), true)
  })

  test('asserts that its arguments are ranges', () => {
    const set = new RangeSet()
    for (const { first, count } of [
      { first: -1, count: 1 },
      { first: 0, count: 0 },
      { first: 0.5, count: 1 },
      { first: Number.NaN, count: 1 },
      { first: Number.MAX_SAFE_INTEGER, count: 1 },
    ]) {
      assert.throws(() => set.add(first, count), { name: 'AssertionError' })
      assert.throws(() => set.remove(first, count), { name: 'AssertionError' })
      assert.throws(() => set.includes(first, count), { name: 'AssertionError' })
      assert.throws(() => set.within(first, count), { name: 'AssertionError' })
    }
    assert.equal(set.total, 0)
  })
})

function valuesOf({ first, count }: NumberRange): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function ascending(a: number, b: number): number {
  return a - b
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssertionError } from '../../src/stdx/assert.js'
import { Prng, seedMax } from '../../src/stdx/prng.js'

function first(prng: Prng, count: number): number[] {
  return Array.from({ length: count }, () => prng.uint32())
}

test('the same seed gives the same numbers, another seed others', () => {
  assert.deepEqual(first(Prng.fromSeed(7), 100), first(Prng.fromSeed(7), 100))
  const starts = new Set([0, 1, 2, 2 ** 32, 2 ** 33, seedMax].map((seed) => Prng.fromSeed(seed).uint32()))
  assert.equal(starts.size, 6)
})

test('the numbers never change, so that a seed means the same for ever', () => {
  assert.deepEqual(first(Prng.fromSeed(1), 3), [223_223_205, 2_136_465_450, 1_976_069_126])
})

test('a seed is a whole number that is not negative', () => {
  for (const seed of [-1, 0.5, NaN, 2 ** 53]) assert.throws(() => Prng.fromSeed(seed), AssertionError)
})

test('a fork depends on its label and the seed, not on what was drawn before', () => {
  const early = Prng.fromSeed(3)
  const late = Prng.fromSeed(3)
  late.bytes(1000)
  assert.deepEqual(first(early.fork('disk'), 10), first(late.fork('disk'), 10))
  const forks = ['a', 'b', 'ab', 'ba', ''].map((label) => early.fork(label).uint32())
  assert.equal(new Set(forks).size, 5)
  assert.notDeepEqual(first(Prng.fromSeed(4).fork('disk'), 10), first(early.fork('disk'), 10))
})

test('words are spread evenly over all bits', () => {
  const prng = Prng.fromSeed(11)
  const ones = new Array<number>(32).fill(0)
  const draws = 20_000
  for (let draw = 0; draw < draws; draw++) {
    const word = prng.uint32()
    for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] ?? 0) + ((word >>> bit) & 1)
  }
  for (const count of ones)
    assert.ok(Math.abs(count / draws - 0.5) < 0.02, `a bit is set in ${count} of ${draws}`)
})

test('ranges are inclusive and evenly used', () => {
  const prng = Prng.fromSeed(5)
  const counts = new Map<number, number>()
  for (let draw = 0; draw < 30_000; draw++) {
    const value = prng.int(-1, 1)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  assert.deepEqual([...counts.keys()].sort(), [-1, 0, 1])
  for (const count of counts.values()) assert.ok(Math.abs(count - 10_000) < 500)
  assert.equal(prng.int(9, 9), 9)
})

test('bytes of any length, all values, none fixed', () => {
  const prng = Prng.fromSeed(6)
  assert.equal(prng.bytes(0).length, 0)
  assert.equal(prng.bytes(7).length, 7)
  assert.equal(new Set(prng.bytes(10_000)).size, 256)
})

test('chances, gaps and shuffles behave as named', () => {
  const prng = Prng.fromSeed(8)
  const hits = Array.from({ length: 10_000 }, () => prng.chance(0.1)).filter(Boolean).length
  assert.ok(hits > 850 && hits < 1150, `${hits} hits`)
  assert.equal(prng.chance(0), false)
  assert.equal(prng.chance(1), true)
  const gaps = Array.from({ length: 10_000 }, () => prng.exponential(5))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  assert.ok(Math.abs(mean - 5) < 0.3 && Math.min(...gaps) >= 0, `mean ${mean}`)
  const items = [1, 2, 3, 4, 5, 6, 7, 8, 9]
  const shuffled = prng.shuffle(items)
  assert.notDeepEqual(shuffled, items)
  assert.deepEqual([...shuffled].sort(), items)
  assert.ok(items.includes(prng.pick(items)))
  const spread = Array.from({ length: 1000 }, () => prng.logarithmic(1, 10_000))
  assert.ok(spread.every((value) => value >= 1 && value < 10_000))
  const below = spread.filter((value) => value < 100).length
  assert.ok(below > 400 && below < 600, `${below} of 1000 below the middle order of magnitude`)
})

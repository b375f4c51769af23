import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { checkRange, pageOf, pagesOf, wholeRegion, type ByteRange } from '../../src/address/range.js'
import { regionBytesMax } from '../../src/address/region-size.js'

const regionBytes = 64 * 1024

describe('a range of bytes', () => {
  test('is accepted where the region has it', () => {
    for (const range of [
      { offset: 0, length: 1 },
      { offset: 0, length: regionBytes },
      { offset: regionBytes - 1, length: 1 },
      wholeRegion(regionBytes),
    ]) {
      assert.doesNotThrow(() => checkRange(range, regionBytes))
    }
  })

  test('is an invalid argument where it is no range of any region', () => {
    const bad: unknown[] = [-1, Number.NaN, 0.5, Infinity, -Infinity, '0', '1', null, undefined, 1n, {}, []]
    for (const value of bad) {
      const offset = { offset: value, length: 1 } as ByteRange
      assert.throws(() => checkRange(offset, regionBytes), {
        code: 'invalid-argument',
        message: /^an offset is/,
      })
      const length = { offset: 0, length: value } as ByteRange
      assert.throws(() => checkRange(length, regionBytes), {
        code: 'invalid-argument',
        message: /^a length is/,
      })
    }
    assert.throws(() => checkRange({ offset: 0, length: 0 }, regionBytes), { code: 'invalid-argument' })
  })

  test('is out of range where it leaves the region, and the message says what would fit', () => {
    assert.throws(() => checkRange({ offset: 4096, length: regionBytes }, regionBytes), {
      code: 'out-of-range',
      message:
        '65536 bytes at offset 4096 leave the region of 65536 bytes: at offset 4096, ask for 61440 bytes or fewer',
    })
    assert.throws(() => checkRange({ offset: regionBytes, length: 1 }, regionBytes), {
      code: 'out-of-range',
      message: '1 bytes at offset 65536 leave the region of 65536 bytes: offsets end at 65535',
    })
  })

  test('is out of range where its numbers are huge, also where their sum is rounded', () => {
    const huge = [Number.MAX_SAFE_INTEGER, 2 ** 53, 2 ** 60, Number.MAX_VALUE]
    for (const value of huge) {
      for (const range of [
        { offset: value, length: 1 },
        { offset: 0, length: value },
        { offset: value, length: value },
      ]) {
        assert.throws(() => checkRange(range, regionBytesMax), { code: 'out-of-range' })
      }
    }
  })

  test('lies in those pages that hold one of its bytes', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 1, max: 50_000 }), (offset, length) => {
        const pages = new Set<number>()
        for (let at = offset; at < offset + length; at++) pages.add(Math.trunc(at / 4096))
        const { first, count } = pagesOf({ offset, length }, 4096)
        assert.deepEqual(
          Array.from({ length: count }, (_, index) => first + index),
          [...pages],
        )
      }),
      { numRuns: 50 },
    )
  })

  test('of the largest region lies in all its pages', () => {
    assert.deepEqual(pagesOf(wholeRegion(regionBytesMax), 4096), { first: 0, count: 2 ** 40 })
    assert.equal(pageOf(regionBytesMax - 1, 4096), 2 ** 40 - 1)
  })
})

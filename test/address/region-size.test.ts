import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { regionBytesMax, regionSize } from '../../src/address/region-size.js'

describe('the size of a region', () => {
  test('is rounded up to whole pages, one at least', () => {
    assert.equal(regionSize(1, 4096), 4096)
    assert.equal(regionSize(4096, 4096), 4096)
    assert.equal(regionSize(4097, 4096), 8192)
    assert.equal(regionSize(1, 1024 * 1024), 1024 * 1024)
  })

  test('is exact up to the largest, 2^52 bytes', () => {
    assert.equal(regionBytesMax, 2 ** 52)
    assert.equal(regionSize(regionBytesMax, 4096), regionBytesMax)
    assert.equal(regionSize(regionBytesMax - 1, 4096), regionBytesMax)
    assert.equal(regionSize(regionBytesMax - 4097, 4096), regionBytesMax - 4096)
  })

  test('is refused where it is no whole number within the bounds', () => {
    for (const bytes of [0, -4096, 0.5, Number.NaN, Infinity, regionBytesMax + 1, '4096', undefined, 4096n]) {
      assert.throws(() => regionSize(bytes as number, 4096), {
        code: 'invalid-argument',
        message: /from 1 to 4PiB, not /,
      })
    }
  })

  test('needs a good page size', () => {
    for (const pageSize of [0, 2048, 4095, 5000, 2 * 1024 * 1024, Number.NaN]) {
      assert.throws(() => regionSize(4096, pageSize), {
        code: 'invalid-argument',
        message: /^a page size is/,
      })
    }
  })
})

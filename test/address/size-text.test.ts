import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatSize, parseSize } from '../../src/address/size-text.js'

describe('the text of a size', () => {
  test('is a number of bytes, or of a binary unit', () => {
    const sizes: [string, number][] = [
      ['0', 0],
      ['4096', 4096],
      ['4KiB', 4096],
      ['1MiB', 2 ** 20],
      ['1GiB', 2 ** 30],
      ['3TiB', 3 * 2 ** 40],
      ['4PiB', 2 ** 52],
    ]
    for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes)
  })

  test('is exact and reads back as the same number', () => {
    assert.equal(formatSize(4096), '4KiB')
    assert.equal(formatSize(4097), '4097')
    assert.equal(formatSize(1536 * 1024), '1536KiB')
    assert.equal(formatSize(0), '0')
    const someSize = fc
      .tuple(fc.nat(2 ** 20), fc.constantFrom(1, 2 ** 10, 2 ** 20, 2 ** 30))
      .map(([count, unit]) => count * unit)
    fc.assert(fc.property(someSize, (bytes) => assert.equal(parseSize(formatSize(bytes)), bytes)))
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => assert.equal(parseSize(formatSize(bytes)), bytes)))
  })

  test('is refused with advice where it is anything else', () => {
    for (const text of [
      '',
      ' ',
      '-1',
      '+1',
      '1.5GiB',
      '0x10',
      '1e3',
      'KiB',
      '4 KiB',
      '4KiB ',
      'constructor',
      '４',
    ]) {
      assert.throws(() => parseSize(text), {
        code: 'invalid-argument',
        message: /^a size is like 4096, 64KiB or 1GiB/,
      })
    }
    for (const text of ['64KB', '64k', '64K', '64kib', '64 KiB']) {
      assert.throws(() => parseSize(text), {
        code: 'invalid-argument',
        message: /: for the binary unit write 64KiB$/,
      })
    }
    assert.throws(() => parseSize('2EB'), { message: /: for the binary unit write 2EiB$/ })
  })

  test('is refused where it is over 2^53 - 1, however long', () => {
    assert.equal(parseSize('9007199254740991'), Number.MAX_SAFE_INTEGER)
    for (const text of [
      '9007199254740992',
      '8PiB',
      '8192PiB',
      '9999999999999999PiB',
      '1EiB',
      '10EiB',
      '3YiB',
    ]) {
      assert.throws(() => parseSize(text), {
        code: 'invalid-argument',
        message: `the size "${text}" is over the largest possible, 8191PiB`,
      })
    }
    assert.throws(
      () => parseSize('9'.repeat(100_000)),
      (error: Error) => error.message.length < 200,
    )
  })

  test('only ever gives a size or a typed error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          assert.ok(Number.isSafeInteger(parseSize(text)))
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'invalid-argument')
        }
      }),
    )
  })
})

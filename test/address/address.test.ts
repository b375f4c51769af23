import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  addAddress,
  addressFrom,
  addressFromParts,
  addressHigh,
  addressLow,
  addressSpaceEnd,
  formatAddress,
  parseAddress,
  readAddress,
  writeAddress,
  type Address,
} from '../../src/address/address.js'
import { KhazanaError } from '../../src/stdx/errors.js'

const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
const addresses = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((sum, each) => (sum << 16n) | BigInt(each), 0n))
  .map(addressFrom)

const invalid = (reason: unknown): boolean =>
  reason instanceof KhazanaError && reason.code === 'invalid-argument'

/** The value of an IPv6 text that is known to be valid, by the plainest means. */
function valueOf(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const count = (half: string): number => (half === '' ? 0 : half.split(':').length)
  const zeros = Array.from({ length: 8 - count(head) - count(tail ?? '') }, () => '0')
  const groups = [head, tail === undefined ? '' : zeros.join(':'), tail ?? ''].filter((part) => part !== '')
  return groups
    .join(':')
    .split(':')
    .reduce((sum, each) => sum * 65536n + BigInt(parseInt(each, 16)), 0n)
}

describe('an address as text', () => {
  it('is the canonical form of RFC 5952', () => {
    const examples: readonly (readonly [bigint, string])[] = [
      [0n, '::'],
      [1n, '::1'],
      [0x14000n, '::1:4000'],
      [1n << 112n, '1::'],
      [0x2001_0db8_0000_0000_0001_0000_0000_0001n, '2001:db8::1:0:0:1'],
      [0x2001_0db8_0000_0001_0001_0001_0001_0001n, '2001:db8:0:1:1:1:1:1'],
      [0x0001_0000_0000_0002_0000_0000_0000_0003n, '1:0:0:2::3'],
      [addressSpaceEnd - 1n, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ]
    for (const [value, text] of examples) assert.equal(formatAddress(addressFrom(value)), text)
  })

  it('is read back as what was printed, and is IPv6 to others', () => {
    fc.assert(
      fc.property(addresses, (address) => {
        const text = formatAddress(address)
        assert.equal(parseAddress(text), address)
        assert.ok(isIPv6(text))
        // The platform's own canonical form; it writes the last two groups as IPv4 in two ranges.
        const platform = new URL(`http://[${text}]/`).hostname.slice(1, -1)
        assert.equal(text, platform)
      }),
      { numRuns: 2000 },
    )
  })

  it('may be spelled in every way that IPv6 allows, without a zone or IPv4', () => {
    const piece = fc.oneof(
      { weight: 6, arbitrary: fc.stringMatching(/^[0-9a-fA-F]{1,4}$/) },
      { weight: 1, arbitrary: fc.constantFrom('', ':', '0', '00000', 'g', '1.2.3.4', '%1', ' ') },
    )
    const texts = fc
      .tuple(fc.array(piece, { maxLength: 9 }), fc.nat({ max: 9 }), fc.boolean())
      .map(([pieces, at, gap]) => {
        const joined = (some: readonly string[]): string => some.join(':')
        return gap ? `${joined(pieces.slice(0, at))}::${joined(pieces.slice(at))}` : joined(pieces)
      })
    let valid = 0
    fc.assert(
      fc.property(texts, (text) => {
        if (isIPv6(text) && !/[.%]/.test(text)) {
          valid++
          assert.equal(parseAddress(text), valueOf(text))
        } else {
          assert.throws(() => parseAddress(text), invalid)
        }
      }),
      { numRuns: 20_000, seed: 7 },
    )
    assert.ok(valid > 1000, `only ${valid} valid texts were tried`)
  })

  it('is refused where it is no address, however long', () => {
    for (const text of [
      '',
      ':',
      ':::',
      '1',
      '1:2:3:4:5:6:7',
      '::1::',
      '::ffff:1.2.3.4',
      'fe80::1%eth0',
      '[::1]',
    ]) {
      assert.throws(() => parseAddress(text), invalid, text)
    }
    assert.throws(() => parseAddress('1:'.repeat(1_000_000)), invalid)
  })
})

describe('an address as a number', () => {
  it('has two halves, and 16 bytes', () => {
    fc.assert(
      fc.property(addresses, fc.nat({ max: 5 }), (address, offset) => {
        assert.equal(addressFromParts(addressHigh(address), addressLow(address)), address)
        const view = new DataView(new ArrayBuffer(32))
        writeAddress(view, offset, address)
        assert.equal(readAddress(view, offset), address)
      }),
    )
  })

  it('stays within global memory', () => {
    assert.throws(() => addressFrom(-1n), invalid)
    assert.throws(() => addressFrom(addressSpaceEnd), invalid)
    assert.throws(() => addressFromParts(1n << 64n, 0n), invalid)
    assert.throws(() => addressFromParts(0n, -1n), invalid)
    const last = addressFrom(addressSpaceEnd - 1n)
    assert.equal(addAddress(last, -1), addressSpaceEnd - 2n)
    const outOfRange = { code: 'out-of-range' }
    assert.throws(() => addAddress(last, 1), outOfRange)
    assert.throws(() => addAddress(0n as Address, -1n), outOfRange)
  })
})

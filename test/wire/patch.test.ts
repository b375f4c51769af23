import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KhazanaError } from '../../src/stdx/errors.js'
import { applyPatch, makePatch } from '../../src/wire/patch.js'

const isProtocolError = (error: unknown): boolean =>
  error instanceof KhazanaError && error.code === 'protocol-error'

/** Two versions of a page: runs of any lengths, equal or changed, at any place of their buffers. */
const versions = fc
  .record({
    runs: fc.array(fc.tuple(fc.nat(70), fc.boolean()), { maxLength: 12 }),
    beforeShift: fc.nat(7),
    afterShift: fc.nat(7),
    seed: fc.nat(),
  })
  .map(({ runs, beforeShift, afterShift, seed }) => {
    const length = runs.reduce((sum, [count]) => sum + count, 0)
    const before = new Uint8Array(length + beforeShift).subarray(beforeShift)
    const after = new Uint8Array(length + afterShift).subarray(afterShift)
    let at = 0
    let noise = seed
    for (const [count, isChanged] of runs) {
      for (const end = at + count; at < end; at++) {
        noise = (Math.imul(noise, 1_103_515_245) + 12_345) >>> 0
        before[at] = noise >>> 24
        after[at] = isChanged ? (noise >>> 24) ^ (((noise >>> 16) % 255) + 1) : noise >>> 24
      }
    }
    return { before, after }
  })

test('a patch turns one version into the other, and is undefined where they are equal', () => {
  fc.assert(
    fc.property(versions, ({ before, after }) => {
      const patch = makePatch(before, after)
      const page = before.slice()
      if (patch === undefined) assert.deepEqual(before.slice(), after.slice())
      else applyPatch(page, patch)
      assert.deepEqual(page, after.slice())
    }),
    { numRuns: 2000 },
  )
})

test('a patch names no byte that did not change', () => {
  fc.assert(
    fc.property(versions, ({ before, after }) => {
      const patch = makePatch(before, after)
      if (patch === undefined) return
      // Applied to a page that is different everywhere, it leaves alone what was equal.
      const other = before.map((byte, at) => ~byte ^ (after[at] ?? 0) ^ byte)
      const page = other.slice()
      applyPatch(page, patch)
      for (let at = 0; at < before.length; at++) {
        assert.equal(page[at], before[at] === after[at] ? other[at] : after[at], `byte ${at}`)
      }
    }),
  )
})

test('patches of disjoint changes commute, and both stand', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.array(fc.constantFrom('mine', 'theirs', 'nobody'), { minLength: 200, maxLength: 200 }),
      (before, owners) => {
        const mine = before.slice()
        const theirs = before.slice()
        const both = before.slice()
        for (let at = 0; at < before.length; at++) {
          const owner = owners[at]
          const changed = ~(before[at] ?? 0)
          if (owner === 'mine') mine[at] = changed
          if (owner === 'theirs') theirs[at] = changed
          if (owner === 'mine' || owner === 'theirs') both[at] = changed
        }
        const patches = [makePatch(before, mine), makePatch(before, theirs)]
        for (const order of [patches, [...patches].reverse()]) {
          const page = before.slice()
          for (const patch of order) if (patch !== undefined) applyPatch(page, patch)
          assert.deepEqual(page, both)
        }
      },
    ),
  )
})

test('any bytes are a patch or a protocol error, and an error changes nothing', () => {
  const plausible = fc
    .array(fc.tuple(fc.nat(40), fc.nat(8), fc.uint8Array({ maxLength: 8 })), { maxLength: 5 })
    .map((runs) => Uint8Array.from(runs.flatMap(([gap, length, bytes]) => [gap, length, ...bytes])))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), plausible), (patch) => {
      const page = new Uint8Array(64).fill(7)
      try {
        applyPatch(page, patch)
      } catch (error) {
        assert(isProtocolError(error), String(error))
        assert.deepEqual(page, new Uint8Array(64).fill(7))
      }
    }),
    { numRuns: 5000 },
  )
})

test('a patch that is damaged is refused, with the page as it was', () => {
  const malformed: Record<string, number[]> = {
    'without a run': [],
    'with an empty run': [3, 0],
    'with two runs that should have been one': [0, 1, 9, 0, 1, 9],
    'that ends in a number': [0, 0x80],
    'that ends in a run': [0, 3, 1, 2],
    'beyond the page': [0, 1, 9, 63, 1, 9],
    'with a number that is not in its shortest form': [0x80, 0, 1, 9],
    'with a number that is too large': [0x80, 0x80, 0x80, 0x80, 1, 1, 9],
  }
  for (const [name, bytes] of Object.entries(malformed)) {
    const page = new Uint8Array(64)
    assert.throws(() => applyPatch(page, Uint8Array.from(bytes)), isProtocolError, `a patch ${name}`)
    assert.deepEqual(page, new Uint8Array(64), `a patch ${name}`)
  }
})

test('a patch of a large page has numbers of several bytes', () => {
  const before = new Uint8Array(1024 * 1024)
  const after = before.slice()
  after.fill(1, 20_000, 700_000)
  after[1_048_575] = 2
  const patch = makePatch(before, after)
  assert(patch !== undefined)
  assert.equal(patch.length, 680_001 + 3 + 3 + 3 + 1)
  applyPatch(before, patch)
  assert.deepEqual(before, after)
})

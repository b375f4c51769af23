import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkOverride, lockTagCharsMax, termsOf } from '../../src/address/lock-demands.js'
import type { LockDemands } from '../../src/address/lock-demands.js'
import { resolveVector } from '../../src/address/consistency-settings.js'
import { presets } from '../../src/address/consistency-vector.js'

const range = { offset: 10, length: 20 }
const plain = {
  offset: 10,
  length: 20,
  tag: '',
  staleness: undefined,
  isolation: undefined,
  failure: undefined,
  seize: false,
}
const fresh = { ms: 0, versions: 0 }
const bounded = resolveVector({ preset: 'bounded', staleness: { ms: 100, versions: 5 } })

describe('the terms of a lock', () => {
  test('are none where nothing is asked, or nothing that matters', () => {
    for (const demands of [undefined, {}, { tag: undefined, staleness: undefined }, { tag: '' }] as const) {
      assert.equal(termsOf(range, demands, presets.strict), undefined)
    }
    assert.equal(termsOf(range, { staleness: { ms: Infinity } }, presets.eventual), undefined)
  })

  test('name the bytes, the tag and the staleness', () => {
    assert.deepEqual(termsOf(range, { tag: 'row 5' }, presets.strict), { ...plain, tag: 'row 5' })
    const demands = { tag: 'x', staleness: 'fresh' } as const
    assert.deepEqual(termsOf(range, demands, bounded), {
      ...plain,
      tag: 'x',
      staleness: fresh,
    })
  })

  test('have a tag that is a text, not too long, and comes to others as it is', () => {
    const tag = 't'.repeat(lockTagCharsMax)
    assert.equal(termsOf(range, { tag }, presets.strict)?.tag, tag)
    for (const [wrong, words] of [
      [`${tag}t`, /at most 256 characters, not 257/],
      ['\ud800', /half of a surrogate pair/],
      [7, /the tag of a lock must be a text/],
      [null, /the tag of a lock must be a text/],
    ] as const) {
      refuses({ tag: wrong as string }, words)
    }
  })

  test('are refused where the staleness is no bound', () => {
    for (const staleness of ['stale', 5, null]) {
      refuses(
        { staleness: staleness as never },
        /^the staleness of a lock, unless it is 'fresh', must be an object/,
      )
    }
    refuses({ staleness: { ms: -1 } }, /^staleness\.ms/)
  })
})

describe('what else one lock may be content with', () => {
  test('is to see changes as they arrive, and to read on while cut off, where its region could do so', () => {
    const live = termsOf(range, { isolation: 'live' }, presets.release)
    assert.equal(live?.isolation, 'live')
    const cutOff = termsOf(range, { failure: 'read-only' }, presets.bounded)
    assert.equal(cutOff?.failure, 'read-only')
    // What the region says already is nothing to say.
    assert.equal(termsOf(range, { isolation: 'snapshot', failure: 'refuse' }, presets.bounded), undefined)
  })

  test('is never more than its region promises', () => {
    const lively = resolveVector({ preset: 'release', isolation: 'live' })
    assert.throws(
      () => termsOf(range, { isolation: 'snapshot' }, lively),
      /may only be content with less isolation/,
    )
    for (const [failure, vector] of [
      ['read-only', presets.strict],
      ['read-only', presets.release],
      ['available', presets.bounded],
      ['refuse', presets.eventual],
      ['refuse', resolveVector({ preset: 'bounded', failure: 'read-only' })],
    ] as const) {
      assert.throws(() => termsOf(range, { failure }, vector), { code: 'invalid-argument' })
    }
    const wrong = { isolation: 'dirty' } as unknown as LockDemands
    assert.throws(() => termsOf(range, wrong, presets.release), /the isolation of a lock must be/)
  })
})

describe('the staleness of one lock', () => {
  test('may only be more than that of its region, in both bounds', () => {
    assert.deepEqual(checkOverride({ ms: 500 }, bounded), { ms: 500, versions: 5 })
    assert.deepEqual(checkOverride({ versions: Infinity, ms: 100 }, bounded), { ms: 100, versions: Infinity })
    assert.deepEqual(checkOverride({}, bounded), { ms: 100, versions: 5 })
    for (const tighter of [
      { ms: 99 },
      { versions: 4 },
      { ms: 1000, versions: 4 },
      { ms: 1, versions: 100 },
    ]) {
      assert.throws(() => checkOverride(tighter, bounded), {
        code: 'invalid-argument',
        message: /more than the region's, \{ ms: 100, versions: 5 \}, in both: demand 'fresh'/,
      })
    }
  })

  test('may always be none at all in a bounded region', () => {
    for (const demand of ['fresh', { ms: 0 }, { versions: 0 }, { ms: 0, versions: 0 }] as const) {
      assert.deepEqual(checkOverride(demand, bounded), fresh)
    }
  })

  test('changes nothing in a region that is never behind, but is passed on where it may be another by then', () => {
    for (const vector of [presets.strict, presets.release]) {
      assert.deepEqual(checkOverride('fresh', vector), fresh)
      for (const demand of [{ ms: 500 }, { versions: 3 }, { ms: Infinity, versions: Infinity }] as const) {
        assert.equal(checkOverride(demand, vector), undefined)
      }
    }
  })

  test('cannot be bounded where nobody knows the newest', () => {
    for (const demand of ['fresh', { ms: 500 }, { versions: 1 }] as const) {
      assert.throws(() => checkOverride(demand, presets.eventual), {
        code: 'invalid-argument',
        message: /nobody knows what the newest is.*'bounded'/,
      })
    }
  })
})

function refuses(demands: LockDemands, message: RegExp): void {
  assert.throws(() => termsOf(range, demands, bounded), {
    name: 'KhazanaError',
    code: 'invalid-argument',
    message,
  })
}

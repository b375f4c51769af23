import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { applyChanges, checkAttributes, functionNameCharsMax } from '../../src/address/attributes.js'
import type { AttributeSettings } from '../../src/address/attributes.js'
import { presetNames, presets } from '../../src/address/consistency-vector.js'
import { presetOf, protocolFor } from '../../src/address/protocol-choice.js'

describe('protocol and consistency of a region', () => {
  test('are each settled by the other where the protocol is built in', () => {
    for (const preset of presetNames) {
      const protocol = protocolFor(presets[preset])
      assert.equal(presetOf(protocol), preset)
      for (const settings of [{ consistency: preset }, { protocol }, { protocol, consistency: preset }]) {
        const { protocol: found, consistency } = checkAttributes(settings)
        assert.deepEqual({ protocol: found, consistency }, { protocol, consistency: presets[preset] })
      }
    }
  })

  test('go together where single settings differ from the preset', () => {
    const consistency = { staleness: { ms: 50 }, failure: 'read-only' } as const
    const expected = { ...presets.bounded, staleness: { ms: 50, versions: Infinity }, failure: 'read-only' }
    for (const settings of [
      { protocol: 'bounded', consistency },
      { consistency: { preset: 'bounded', ...consistency } },
    ] as const) {
      const attributes = checkAttributes(settings)
      assert.deepEqual([attributes.protocol, attributes.consistency], ['bounded', expected])
      // The protocol that it has already is no reason to lose its settings.
      assert.deepEqual(applyChanges(attributes, { protocol: 'bounded' }), attributes)
      assert.deepEqual(applyChanges(attributes, { protocol: 'crew' }).consistency, presets.strict)
    }
  })

  test('that contradict each other are refused', () => {
    refuses(
      { protocol: 'crew', consistency: 'eventual' },
      /^protocol 'crew' cannot go with consistency 'eventual': it keeps consistency 'strict', and protocol 'eventual' the other/,
    )
    refuses({ protocol: 'eventual', consistency: 'bounded' }, /^protocol 'eventual' cannot go with/)
    refuses({ protocol: 'crew', consistency: { synchronization: 'release' } }, /^protocol 'crew' cannot/)
  })

  test('leave a protocol from outside whatever consistency there is, or is asked for', () => {
    const strict = checkAttributes({ protocol: 'mine' })
    assert.deepEqual([strict.protocol, strict.consistency], ['mine', presets.strict])
    const eventual = checkAttributes({ protocol: 'mine', consistency: 'eventual' })
    assert.deepEqual([eventual.protocol, eventual.consistency], ['mine', presets.eventual])
    const live = applyChanges(eventual, { consistency: { isolation: 'live' } })
    assert.deepEqual([live.protocol, live.consistency.isolation], ['mine', 'live'])
    assert.equal(applyChanges(live, { consistency: 'release' }).protocol, 'release', 'a preset replaces it')
    assert.deepEqual(applyChanges(live, { protocol: 'yours' }), { ...live, protocol: 'yours' })
    refuses({ protocol: 'mine', consistency: { failure: 'available' } }, /two sides of a partition/)
  })

  test('do not let the protocol be named that comes with a conflict test', () => {
    refuses({ protocol: 'crew-objects' }, /what 'crew' becomes where a region names a conflict test/)
    assert.deepEqual(checkAttributes({ conflicts: 'by-object' }).protocol, 'crew')
  })
})

describe('the functions of a region', () => {
  test('have plain names, and an empty one is none', () => {
    const named = checkAttributes({ consistency: 'eventual', conflicts: 'By.row-2_x', merge: 'sum' })
    assert.deepEqual([named.conflicts, named.merge], ['By.row-2_x', 'sum'])
    const none = applyChanges(named, { conflicts: '', merge: '' })
    assert.deepEqual([none.conflicts, none.merge], ['', ''])
    for (const name of ['1st', 'a b', '-', 'a\n', 'é', 'n'.repeat(functionNameCharsMax + 1), 7]) {
      refuses({ conflicts: name as string }, /^the name of a conflict test is/)
      refuses({ consistency: 'eventual', merge: name as string }, /^the name of a merge function is/)
    }
  })

  test('merge only where writes may not know of each other', () => {
    for (const consistency of ['strict', 'release', 'bounded'] as const) {
      refuses({ consistency, merge: 'sum' }, /would never be called .*'eventual', or set merge to ''/)
    }
    const merging = checkAttributes({ consistency: 'eventual', merge: 'sum' })
    assert.throws(() => applyChanges(merging, { consistency: 'strict' }), { code: 'invalid-argument' })
    assert.equal(applyChanges(merging, { consistency: 'strict', merge: '' }).protocol, 'crew')
    assert.equal(checkAttributes({ protocol: 'mine', merge: 'sum' }).merge, 'sum')
  })
})

function refuses(settings: AttributeSettings, message: RegExp): void {
  assert.throws(() => checkAttributes(settings), { name: 'KhazanaError', code: 'invalid-argument', message })
}

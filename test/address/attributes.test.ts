import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  applyChanges,
  checkAttributes,
  defaultAttributes,
  labelNameCharsMax,
  labelTextCharsMax,
  labelsMax,
  protocolNameCharsMax,
  replicasMax,
  type AttributeSettings,
} from '../../src/address/attributes.js'
import { presets } from '../../src/address/consistency-vector.js'
import type { RegionAttributes } from '../../src/address/descriptor.js'

describe('the attributes of a region', () => {
  test('are strict, with one replica and no labels, by default', () => {
    assert.deepEqual(defaultAttributes, {
      protocol: 'crew',
      consistency: presets.strict,
      conflicts: '',
      merge: '',
      minReplicas: 1,
      labels: {},
    })
    assert.deepEqual(checkAttributes({}), defaultAttributes)
    assert.deepEqual(checkAttributes({ minReplicas: 2, labels: { gone: '' } }), {
      ...defaultAttributes,
      minReplicas: 2,
    })
  })

  test('keep what a change does not name', () => {
    const before = applyChanges(defaultAttributes, { minReplicas: 2, labels: { owner: 'mail', tier: 'hot' } })
    const after = applyChanges(before, { protocol: 'release' })
    assert.deepEqual(after, { ...before, protocol: 'release', consistency: presets.release })
    assert.deepEqual(after.labels, { owner: 'mail', tier: 'hot' })
    assert.deepEqual(
      applyChanges(before, {
        protocol: undefined,
        consistency: undefined,
        conflicts: undefined,
        merge: undefined,
        minReplicas: undefined,
        labels: undefined,
      }),
      before,
    )
  })

  test('add, replace and, by an empty text, remove labels one by one', () => {
    const before = applyChanges(defaultAttributes, { labels: { owner: 'mail', tier: 'hot' } })
    const after = applyChanges(before, { labels: { owner: '', tier: 'cold', 'a.b/c-d_e': 'x', missing: '' } })
    assert.deepEqual(after.labels, { tier: 'cold', 'a.b/c-d_e': 'x' })
    assert.deepEqual(before.labels, { owner: 'mail', tier: 'hot' }, 'the old ones are untouched')
  })

  test('have a protocol with a plain name', () => {
    for (const protocol of [
      '',
      'Crew',
      '1st',
      '-x',
      'a b',
      'a'.repeat(protocolNameCharsMax + 1),
      'crew\n',
      7,
    ]) {
      refuses({ protocol: protocol as string }, /^a protocol's name is/)
    }
    assert.doesNotThrow(() => applyChanges(defaultAttributes, { protocol: 'my-own-2' }))
  })

  test('have from one replica to the most there can be', () => {
    for (const minReplicas of [0, -1, 1.5, Number.NaN, Infinity, replicasMax + 1, '2']) {
      refuses(
        { ...defaultAttributes, minReplicas: minReplicas as number },
        /^minReplicas is a whole number from 1 to/,
      )
    }
    assert.doesNotThrow(() => applyChanges(defaultAttributes, { minReplicas: replicasMax }))
  })

  test('have labels within bounds of count and length', () => {
    const full = Object.fromEntries(Array.from({ length: labelsMax }, (_, index) => [`l${index}`, 'x']))
    const labelled = applyChanges(defaultAttributes, { labels: full })
    refusesChange(labelled, { labels: { more: 'x' } }, /at most 64 labels, not 65$/)
    assert.doesNotThrow(
      () => applyChanges(labelled, { labels: { more: 'x', l0: '' } }),
      'one goes as one comes',
    )
    assert.doesNotThrow(() =>
      applyChanges(defaultAttributes, {
        labels: { ['n'.repeat(labelNameCharsMax)]: 't'.repeat(labelTextCharsMax) },
      }),
    )
    refusesChange(
      defaultAttributes,
      { labels: { ['n'.repeat(labelNameCharsMax + 1)]: 'x' } },
      /^a label's name is/,
    )
    refusesChange(
      defaultAttributes,
      { labels: { n: 't'.repeat(labelTextCharsMax + 1) } },
      /at most 1024 characters/,
    )
  })

  test('have labels that survive every way of writing them down', () => {
    const proto = JSON.parse('{ "__proto__": "x" }') as Record<string, string>
    refusesChange(defaultAttributes, { labels: proto }, /^a label's name is/)
    refusesChange(defaultAttributes, { labels: { '': 'x' } }, /^a label's name is/)
    refusesChange(defaultAttributes, { labels: { 'a=b': 'x' } }, /^a label's name is/)
    refusesChange(defaultAttributes, { labels: { n: '\ud800' } }, /half of a surrogate pair/)
    assert.deepEqual(applyChanges(defaultAttributes, { labels: { constructor: '😀' } }).labels, {
      constructor: '😀',
    })
  })

  test('refuse labels that are no texts by name', () => {
    for (const labels of ['owner', 7, null, ['owner']]) {
      refuses({ labels: labels as never }, /^labels are texts by name/)
    }
    for (const text of [7, null, undefined, {}]) {
      refusesChange(defaultAttributes, { labels: { n: text as never } }, /^the label "n" has a text, not/)
    }
  })
})

function refuses(settings: AttributeSettings, message: RegExp): void {
  refusesChange(defaultAttributes, settings, message)
  assert.throws(() => checkAttributes(settings), { name: 'KhazanaError', code: 'invalid-argument', message })
}

function refusesChange(attributes: RegionAttributes, changes: AttributeSettings, message: RegExp): void {
  assert.throws(() => applyChanges(attributes, changes), {
    name: 'KhazanaError',
    code: 'invalid-argument',
    message,
  })
}

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crew } from '../../src/consistency/crew/crew.js'
import { Plugins } from '../../src/consistency/plugins.js'
import type { PluginOptions } from '../../src/consistency/plugins.js'
import { outsideProtocol } from './outside-protocol.js'

const never = (): boolean => false
const mine = (bytes: Uint8Array): Uint8Array => bytes
const plain = { protocol: 'crew', conflicts: '', merge: '' }

describe('the plug-ins of a site', () => {
  test('are found by the names that regions give', () => {
    const outside = outsideProtocol('mine')
    const plugins = Plugins.of(
      { protocols: [outside], conflictTests: { never }, mergeFunctions: { mine } },
      'node',
    )
    assert.equal(plugins.protocolOf(plain), crew, 'what is built in needs no registration')
    assert.equal(plugins.protocolOf({ protocol: 'mine', conflicts: 'never', merge: 'mine' }), outside)
    assert.equal(plugins.conflictTestOf({ conflicts: 'never' }), never)
    assert.equal(plugins.mergeFunctionOf({ merge: 'mine' }), mine)
    assert.equal(plugins.conflictTestOf(plain), undefined)
    assert.equal(plugins.mergeFunctionOf(plain), undefined)
  })

  test('know a crew that honours conflict tests by a name of its own', () => {
    const objects = outsideProtocol('crew-objects')
    const plugins = Plugins.of({ protocols: [objects], conflictTests: { never } }, 'node')
    assert.equal(plugins.protocolOf({ ...plain, conflicts: 'never' }), objects)
    assert.equal(plugins.protocolOf(plain), crew)
  })

  test('of the same name: the later counts, also before a built-in one', () => {
    const [first, second, another] = [outsideProtocol('mine'), outsideProtocol('mine'), { ...crew }]
    const plugins = Plugins.of({ protocols: [first, second, another] }, 'node')
    assert.equal(plugins.protocolOf({ ...plain, protocol: 'mine' }), second)
    assert.equal(plugins.protocolOf(plain), another)
  })

  test('that are missing are told by name, with what there is and how to register', () => {
    const plugins = Plugins.of({ protocols: [outsideProtocol('mine')], conflictTests: { never } }, 'client')
    for (const [attributes, words] of [
      [
        { protocol: 'yours' },
        /^no protocol "yours" is registered in this client, which has crew, .*mine: .*in protocols/,
      ],
      [
        { protocol: 'mine', conflicts: 'always' },
        /^no conflict test "always" .* has never: .*in conflictTests/,
      ],
      [
        { protocol: 'mine', merge: 'sum' },
        /^no merge function "sum" .* has none: .*in mergeFunctions.*--plugin/,
      ],
    ] as const) {
      for (const ask of [plugins.check.bind(plugins), plugins.protocolOf.bind(plugins)]) {
        assert.throws(() => ask({ ...plain, ...attributes }), { code: 'unsupported', message: words })
      }
    }
    assert.throws(() => Plugins.of({}, 'node').check({ ...plain, protocol: 'x' }), {
      message: /^no protocol "x" is registered on this node/,
    })
  })

  test('that are none are refused in words', () => {
    const good = outsideProtocol('mine')
    for (const [options, words] of [
      [{ protocols: 'crew' }, /^protocols is an array/],
      [{ protocols: [undefined] }, /^a protocol is an object/],
      [{ protocols: [{ ...good, name: 'Mine' }] }, /^a protocol has a name of 1 to 32/],
      [{ protocols: [{ ...good, name: undefined }] }, /^a protocol has a name/],
      [{ protocols: [{ ...good, create: 'now' }] }, /^the protocol "mine" has a function "create"/],
      [{ protocols: [{ ...good, codec: undefined }] }, /^the protocol "mine" has a "codec"/],
      [{ protocols: [{ ...good, codec: { encode: () => undefined } }] }, /has a "codec" with functions/],
      [{ protocols: [{ ...good, writes: 'words' }] }, /writes 'patches' or 'pages'/],
      [{ conflictTests: [never] }, /^conflictTests has functions by name/],
      [{ conflictTests: { 'two words': never } }, /^a name in conflictTests is/],
      [{ conflictTests: { never: 'never' } }, /^conflictTests\.never is a function, not "never"/],
      [{ mergeFunctions: null }, /^mergeFunctions has functions by name/],
      [{ mergeFunctions: { '': mine } }, /^a name in mergeFunctions is/],
    ] as const) {
      assert.throws(() => Plugins.of(options as unknown as PluginOptions, 'node'), {
        name: 'KhazanaError',
        code: 'invalid-argument',
        message: words,
      })
    }
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jsonCodec } from '../../src/consistency/json-codec.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'

const codec = jsonCodec((value) => {
  const { count } = value as { count: number }
  if (!Number.isInteger(count)) throw new Error('no count')
  return { count }
})

function isProtocolError(cause: unknown): boolean {
  return cause instanceof KhazanaError && cause.code === 'protocol-error'
}

describe('The codec for messages in JSON', () => {
  it('gives back what it was given', () => {
    assert.deepEqual(codec.decode(codec.encode({ count: 7 })), { count: 7 })
  })

  it('answers with a protocol error for what is no JSON, no message, or no text', () => {
    for (const text of ['', '{', 'null', '{"count":"7"}', '[]', '7']) {
      assert.throws(() => codec.decode(new TextEncoder().encode(text)), isProtocolError, text)
    }
    assert.throws(() => codec.decode(Uint8Array.of(0x22, 0xff, 0x22)), isProtocolError)
  })

  it('answers with a message or a protocol error for any bytes', () => {
    const prng = Prng.fromSeed(1)
    const message = codec.encode({ count: 123 })
    for (let round = 0; round < 2000; round++) {
      const bytes = message.slice()
      for (let left = prng.int(1, 3); left > 0; left--) bytes[prng.below(bytes.length)] = prng.below(256)
      try {
        assert.ok(Number.isInteger(codec.decode(bytes).count))
      } catch (cause) {
        assert.ok(isProtocolError(cause), `round ${round}: ${String(cause)}`)
      }
    }
  })
})

import assert from 'node:assert/strict'
import { defaultAttributes } from '../../src/address/attributes.js'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nodeIdMax } from '../../src/address/identity.js'
import { ByteReader } from '../../src/wire/byte-reader.js'
import { ByteWriter } from '../../src/wire/byte-writer.js'
import { labelsMax, nameBytesMax } from '../../src/wire/limits.js'
import { message as layout } from '../../src/wire/message-layout.js'
import type { Message } from '../../src/wire/message.js'
import { messages } from './arbitrary-message.js'

const writer = new ByteWriter(4096)
const reader = new ByteReader()

function encode(message: Message): Uint8Array {
  writer.begin()
  layout.write(writer, message)
  return writer.finish()
}

function decode(bytes: Uint8Array): Message {
  reader.open(bytes, 0, bytes.length)
  const message = layout.read(reader)
  assert.equal(reader.remaining, 0)
  return message
}

describe('a message in bytes', () => {
  it('is read back as what was written, whatever it is', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(messages, (message) => {
        seen.add(message.kind === 'cm' ? `cm ${message.body.kind}` : message.kind)
        assert.deepStrictEqual(decode(encode(message)), message)
      }),
      { numRuns: 10_000 },
    )
    assert.equal(seen.size, 14 + 18, 'every kind of message was tried')
  })

  it('has one form only: what can be read is written the same', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 24 })
    let readable = 0
    fc.assert(
      fc.property(fc.constantFrom(3, 4, 6, 16, 17, 18, 19), bytes, (kind, rest) => {
        const input = Uint8Array.of(kind, ...rest)
        reader.open(input, 0, input.length)
        let message: Message
        try {
          message = layout.read(reader)
        } catch (reason) {
          assert.equal((reason as { code?: string }).code, 'protocol-error')
          return
        }
        readable++
        const used = input.length - reader.remaining
        assert.deepEqual(encode(message), input.subarray(0, used))
      }),
      { numRuns: 20_000, seed: 11 },
    )
    assert.ok(readable > 2000, `only ${readable} inputs were readable`)
  })

  it('keeps its bytes from version to version', () => {
    const golden: readonly (readonly [Message, string])[] = [
      [{ kind: 'refused', code: 'busy', message: 'later' }, '020462757379056c61746572'],
      [{ kind: 'renew', renewal: 300 }, '04ac02'],
      [{ kind: 'renewed', renewal: 1, validForMs: 1.5 }, '05013ff8000000000000'],
      [{ kind: 'goodbye' }, '06'],
      [{ kind: 'response', id: 5, result: { op: 'free', state: 'pending' } }, '12050301'],
      [
        {
          kind: 'request',
          id: 6,
          waitMs: 300,
          call: { op: 'resources', limits: { memoryBytesMax: undefined, diskBytesMax: 300 } },
        },
        '1106ac02260001ac02',
      ],
    ]
    for (const [message, hex] of golden) {
      assert.equal(Buffer.from(encode(message)).toString('hex'), hex)
      assert.deepStrictEqual(decode(Buffer.from(hex, 'hex')), message)
    }
  })

  it('is not read with a number just out of its range, and is with one just within', () => {
    const revoke = (first: number, pages: number): (() => Message) => {
      writer.begin()
      writer.u8(16)
      writer.bytes(new Uint8Array(16))
      writer.varint(1)
      writer.varint(1)
      writer.u8(10)
      writer.varint(first)
      // A range is never empty, so its length counts from 1.
      writer.varint(pages - 1)
      const bytes = writer.finish()
      return () => decode(bytes)
    }
    const protocolError = { code: 'protocol-error' }
    assert.doesNotThrow(revoke(2 ** 40 - 1, 1))
    assert.doesNotThrow(revoke(0, 65_536))
    assert.throws(revoke(2 ** 40, 1), protocolError)
    assert.throws(revoke(0, 65_537), protocolError)
    assert.throws(revoke(2 ** 40 - 1, 2), protocolError)
    const memberWithId = (id: number): (() => Message) => {
      writer.begin()
      for (const byte of [20, 1]) writer.u8(byte)
      writer.varint(id - 1)
      for (const byte of [0, 0, 0, 0, 0]) writer.u8(byte)
      const bytes = writer.finish()
      return () => decode(bytes)
    }
    assert.doesNotThrow(memberWithId(nodeIdMax))
    assert.throws(memberWithId(nodeIdMax + 1), protocolError)
    // 2^53 - 1 and 2^53 as the number of a renewal.
    assert.doesNotThrow(() => decode(Uint8Array.of(4, 255, 255, 255, 255, 255, 255, 255, 15)))
    assert.throws(() => decode(Uint8Array.of(4, 128, 128, 128, 128, 128, 128, 128, 16)), protocolError)
    assert.throws(() => decode(Uint8Array.of(4, 0x80, 0)), protocolError, 'not the shortest form')
  })

  it('of another version says so, whatever else it holds', () => {
    const hello = Uint8Array.of(0, 99, 0xff, 0xff, 0xff)
    assert.throws(() => decode(hello), { code: 'wrong-version' })
  })

  it('may name a label __proto__', () => {
    const labels = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>
    const message: Message = {
      kind: 'request',
      id: 1,
      waitMs: 1,
      call: {
        op: 'reserve',
        size: 4096,
        pageSize: 4096,
        attributes: { ...defaultAttributes, labels },
      },
    }
    const back = decode(encode(message))
    assert.deepStrictEqual(back, message)
    assert.equal(JSON.stringify(back).includes('__proto__'), true)
  })

  it('cuts the text of an error, and refuses any other text or list that is too long', () => {
    const long = 'ä'.repeat(5000)
    const cut = decode(encode({ kind: 'failure', id: 1, code: 'busy', message: long }))
    assert.ok(cut.kind === 'failure' && cut.message.length > 100 && long.startsWith(cut.message))
    const member = { node: 1, name: 'x'.repeat(nameBytesMax + 1), listen: '' }
    const members = { kind: 'members', revision: 1, members: [member] } as unknown as Message
    assert.throws(() => encode(members), { code: 'invalid-argument' })
    const labels = Object.fromEntries(Array.from({ length: labelsMax + 1 }, (_, index) => [`l${index}`, '']))
    const changes = {
      protocol: undefined,
      consistency: undefined,
      conflicts: undefined,
      merge: undefined,
      minReplicas: undefined,
      labels,
    }
    const request = {
      kind: 'request',
      id: 1,
      waitMs: 1,
      call: { op: 'set-attributes', address: 0n, generation: 1, changes },
    } as unknown as Message
    assert.throws(() => encode(request), { code: 'invalid-argument' })
  })

  it('is never written with a number out of its range', () => {
    const wrong: readonly unknown[] = [
      { kind: 'renew', renewal: -1 },
      { kind: 'renew', renewal: 1.5 },
      { kind: 'renew', renewal: 2 ** 53 },
      { kind: 'renewed', renewal: 1, validForMs: NaN },
      { kind: 'renewed', renewal: 1, validForMs: -1 },
      {
        kind: 'cm',
        region: 0n,
        generation: 1,
        era: 1,
        body: { kind: 'revoke', range: { first: 0, count: 0 } },
      },
      {
        kind: 'cm',
        region: 0n,
        generation: 1,
        era: 1,
        body: { kind: 'revoke', range: { first: 2 ** 40 - 1, count: 2 } },
      },
      { kind: 'unheard-of' },
    ]
    for (const message of wrong) assert.throws(() => encode(message as Message), { name: 'AssertionError' })
  })
})

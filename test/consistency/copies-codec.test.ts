import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { copiesCodec } from '../../src/consistency/copies/codec.js'
import type { CopiesMessage } from '../../src/consistency/copies/message.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'

const page = (index: number): never => index as never

const samples: readonly CopiesMessage[] = [
  {
    kind: 'lock',
    serial: 1,
    range: { first: page(2 ** 39), count: 3 },
    mode: 'write-shared',
    offset: 2 ** 40,
    length: 7,
    tag: 'Zeile ü',
    known: [-1, 0, 2 ** 50],
  },
  {
    kind: 'lock',
    serial: 1,
    range: { first: page(0), count: 1000 },
    mode: 'read',
    offset: 0,
    length: 0,
    tag: '',
    known: [],
  },
  { kind: 'unlock', serial: 2 ** 53 - 1 },
  { kind: 'fetch', serial: 300, range: { first: page(5), count: 2 }, known: [4, -1] },
  { kind: 'commit', number: 9, lock: 0, pages: [page(3), page(70_000)], final: false },
  { kind: 'commit', number: 9, lock: 12, pages: [], final: true },
  { kind: 'ack', serial: 0, dropped: [page(1)] },
  { kind: 'drop', pages: [page(1), page(2)] },
  { kind: 'granted', serial: 4, copies: [] },
  { kind: 'copies', serial: 4, copies: [{ page: page(1), version: 6 as never, hasBytes: true }] },
  { kind: 'refused', serial: 4, code: 'not-allocated', message: 'no storage' },
  {
    kind: 'update',
    serial: 8,
    changes: [{ page: page(1), base: 3, version: 4 as never, parts: ['attached', 'attached'] }],
    final: true,
  },
  {
    kind: 'committed',
    numbers: [1, 2],
    changes: [{ page: page(1), base: -1, version: 4 as never, parts: [] }],
    final: false,
  },
  {
    kind: 'committed',
    numbers: [1],
    changes: [{ page: page(1), base: 3, version: 4 as never, parts: ['attached', 1] }],
    final: true,
  },
  { kind: 'uncommitted', number: 3, code: 'no-space', message: 'full' },
  { kind: 'invalidate', serial: 5, pages: [page(9)], when: 'now' },
  { kind: 'invalidate', serial: 5, pages: [page(9)], when: 'unused' },
]

describe("The codec of the copies' messages", () => {
  it('gives back what it was given', () => {
    for (const sample of samples) assert.deepEqual(copiesCodec.decode(copiesCodec.encode(sample)), sample)
  })

  it('cuts a long text of an error, and takes an unknown code for internal', () => {
    const long = copiesCodec.decode(
      copiesCodec.encode({ kind: 'refused', serial: 1, code: 'damaged', message: 'ä€'.repeat(2000) }),
    )
    assert.ok(long.kind === 'refused' && long.message.length > 100)
    const bytes = copiesCodec.encode({ kind: 'refused', serial: 1, code: 'damaged', message: '' })
    bytes[3] = 'q'.charCodeAt(0)
    const other = copiesCodec.decode(bytes)
    assert.ok(other.kind === 'refused' && other.code === 'internal')
  })

  it('makes a message or a protocol-error of any bytes', () => {
    const seed = 20_260
    const random = Prng.fromSeed(seed)
    let messages = 0
    for (let run = 0; run < 20_000; run++) {
      const sample = samples[random.below(samples.length)]
      assert.ok(sample !== undefined)
      const bytes = copiesCodec.encode(sample).slice(0, 1 + random.below(40))
      for (let flips = random.below(3); flips > 0; flips--)
        bytes[random.below(bytes.length)] = random.below(256)
      try {
        const message = copiesCodec.decode(bytes)
        assert.deepEqual(copiesCodec.decode(copiesCodec.encode(message)), message)
        messages += 1
      } catch (error) {
        assert.ok(
          error instanceof KhazanaError && error.code === 'protocol-error',
          `seed ${seed}, run ${run}`,
        )
      }
    }
    assert.ok(messages > 100)
  })
})

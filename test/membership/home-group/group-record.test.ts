import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nodeId } from '../../../src/address/identity.js'
import type { NodeId } from '../../../src/address/identity.js'
import { addition, removal, renewal, takeover } from '../../../src/membership/home-group/group-change.js'
import {
  decodeGroupRecord,
  encodeGroupRecord,
  firstRecord,
} from '../../../src/membership/home-group/group-record.js'
import type { SeenRecord } from '../../../src/membership/home-group/group-record.js'
import { KhazanaError } from '../../../src/stdx/errors.js'

const [a, b, c, d] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId]
const seen: SeenRecord = {
  record: { epoch: 5, reign: 3, members: [a, b, c], replicas: 3 },
  modified: 70,
  at: 90,
}
const unchanged = { kind: 'unchanged', key: 'group', modified: 70 }

describe('the record of a home group', () => {
  it('is read as it was written', () => {
    const { record } = seen
    assert.deepEqual(decodeGroupRecord(encodeGroupRecord(record)), record)
    assert.deepEqual(decodeGroupRecord(encodeGroupRecord(firstRecord(a, 2))), {
      epoch: 1,
      reign: 1,
      members: [a],
      replicas: 2,
    })
  })

  const good = { format: 1, epoch: 5, reign: 3, members: [1, 2], replicas: 2 }
  const bad: readonly [string, unknown, RegExp][] = [
    ['of a newer format', { ...good, format: 2 }, /format is not known/],
    ['without an epoch', { ...good, epoch: undefined }, /epoch must be/],
    ['whose reign has not come yet', { ...good, reign: 6 }, /reign must be a whole number from 1 to 5/],
    ['without members', { ...good, members: [] }, /members must be a list/],
    ['with too many members', { ...good, members: [1, 2, 3, 4, 5, 6, 7, 8] }, /list of 1 to 7/],
    ['with a member that is no node', { ...good, members: [1, 'x'] }, /no node/],
    ['with a member twice', { ...good, members: [2, 2] }, /twice/],
    ['that wants no replicas', { ...good, replicas: 0 }, /replicas must be/],
    ['that is a list', [good], /format/],
    ['that is nothing', null, /no object/],
  ]
  for (const [what, value, words] of bad) {
    it(`is refused ${what}`, () => {
      const bytes = new TextEncoder().encode(JSON.stringify(value))
      assert.throws(() => decodeGroupRecord(bytes), { code: 'bad-format', message: words })
    })
  }

  it('is a record or bad-format, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc
        .record({
          format: fc.constant(1),
          epoch: fc.nat(9),
          reign: fc.nat(9),
          members: fc.array(fc.nat(9)),
          replicas: fc.nat(9),
        })
        .map((value) => new TextEncoder().encode(JSON.stringify(value))),
    )
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          const record = decodeGroupRecord(input)
          assert.deepEqual(decodeGroupRecord(encodeGroupRecord(record)), record)
        } catch (error) {
          assert.ok(error instanceof KhazanaError && error.code === 'bad-format')
        }
      }),
    )
  })
})

describe('a change of a home group', () => {
  it('lets a backup take over where the key of the primary is absent', () => {
    assert.deepEqual(takeover(seen, { node: b, key: 60 }, new Set([a])), {
      conditions: [
        unchanged,
        { kind: 'unchanged', key: { node: b }, modified: 60 },
        { kind: 'absent', key: { node: a } },
      ],
      record: { epoch: 6, reign: 6, members: [b, c], replicas: 3 },
    })
  })

  it('leaves those behind that are gone as well', () => {
    assert.deepEqual(takeover(seen, { node: c, key: 60 }, new Set([a, b])).record.members, [c])
  })

  it('begins a new reign of a primary that was started again', () => {
    assert.deepEqual(renewal(seen, { node: a, key: 80 }), {
      conditions: [unchanged, { kind: 'unchanged', key: { node: a }, modified: 80 }],
      record: { epoch: 6, reign: 6, members: [a, b, c], replicas: 3 },
    })
  })

  it('removes backups in the same reign', () => {
    assert.deepEqual(removal(seen, { node: a, key: 80 }, new Set([b])), {
      conditions: [unchanged, { kind: 'unchanged', key: { node: a }, modified: 80 }],
      record: { epoch: 6, reign: 3, members: [a, c], replicas: 3 },
    })
  })

  it('adds a node that lives', () => {
    assert.deepEqual(addition(seen, { node: a, key: 80 }, { node: d, key: 85 }), {
      conditions: [
        unchanged,
        { kind: 'unchanged', key: { node: a }, modified: 80 },
        { kind: 'unchanged', key: { node: d }, modified: 85 },
      ],
      record: { epoch: 6, reign: 3, members: [a, b, c, d], replicas: 3 },
    })
  })
})

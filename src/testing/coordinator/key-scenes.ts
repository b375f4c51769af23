import assert from 'node:assert/strict'
import type { Condition, LeaseId, Revision, Transaction } from '../../coordinator/coordinator.js'
import { keyLengthMax, keysPerTransactionMax, valueBytesMax } from '../../coordinator/limits.js'
import type { CoordinatorBed, CoordinatorScene } from './coordinator-bed.js'
import { after, applied, bytes, put, read, rejects } from './scene-tools.js'

/** What one client sees who asks one thing after the other. */
export const keyScenes: readonly CoordinatorScene[] = [
  {
    name: 'a key is absent, then what was put last, then absent again',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const [one, other] = [bed.client(), bed.client()]
      const key = `${bed.prefix}key`
      const before = await one.get(key)
      assert.equal(before.found, undefined)
      const first = await put(one, key, 'first')
      assert.ok(first > before.revision)
      const second = await put(one, key, 'second')
      assert.ok(second > first)
      const { found, revision } = await other.get(key)
      assert.deepEqual(found, { key, value: bytes('second'), modified: second, lease: undefined })
      assert.ok(revision >= second)
      const third = await applied(one, { deletes: [key] })
      assert.ok(third > second)
      assert.equal(await read(other, key), undefined)
    },
  },
  {
    name: 'keys with a prefix are listed in their order',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const keys = ['b', 'a', 'b/2', 'b/10', 'b-', 'B', 'c', '~', '!'].map((key) => `${bed.prefix}${key}`)
      await applied(one, { puts: keys.map((key) => ({ key, value: bytes(key) })) })
      const list = async (prefix: string): Promise<string[]> =>
        (await one.list(prefix)).found.map(({ key }) => key)
      assert.deepEqual(await list(bed.prefix), [...keys].sort())
      assert.deepEqual(
        await list(`${bed.prefix}b`),
        ['b', 'b-', 'b/10', 'b/2'].map((key) => bed.prefix + key),
      )
      assert.deepEqual(await list(`${bed.prefix}x`), [])
      const all = await list('')
      assert.ok(keys.every((key) => all.includes(key)))
    },
  },
  {
    name: 'a transaction happens as a whole, at one revision',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const [a, b, c] = ['a', 'b', 'c'].map((key) => bed.prefix + key) as [string, string, string]
      await put(one, a, 'old')
      const revision = await applied(one, {
        puts: [
          { key: b, value: bytes('new') },
          { key: c, value: bytes('new') },
        ],
        deletes: [a, `${bed.prefix}nowhere`],
      })
      const { found } = await one.list(bed.prefix)
      assert.deepEqual(
        found.map(({ key, modified }) => [key, modified]),
        [
          [b, revision],
          [c, revision],
        ],
      )
    },
  },
  {
    name: 'a transaction happens exactly if all of its conditions hold',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const [here, gone, out] = ['here', 'gone', 'out'].map((key) => bed.prefix + key) as [
        string,
        string,
        string,
      ]
      const old = await put(one, here, 'old')
      const modified = await put(one, here, 'new')
      const wasThere = await put(one, gone, 'x')
      await applied(one, { deletes: [gone] })
      const cases: readonly (readonly [holds: boolean, ...Condition[]])[] = [
        [true],
        [true, { kind: 'absent', key: gone }],
        [false, { kind: 'absent', key: here }],
        [true, { kind: 'unchanged', key: here, modified }],
        [false, { kind: 'unchanged', key: here, modified: old }],
        [false, { kind: 'unchanged', key: here, modified: after(modified) }],
        [false, { kind: 'unchanged', key: gone, modified: wasThere }],
        [true, { kind: 'absent', key: gone }, { kind: 'unchanged', key: here, modified }],
        [false, { kind: 'absent', key: gone }, { kind: 'absent', key: here }],
        [false, { kind: 'absent', key: here }, { kind: 'unchanged', key: here, modified }],
      ]
      for (const [index, [holds, ...conditions]] of cases.entries()) {
        const puts = [{ key: out, value: bytes(String(index)) }]
        const outcome = await one.transact({ conditions, puts })
        assert.equal(outcome.kind, holds ? 'applied' : 'refused', `case ${index}`)
        assert.equal((await read(one, out)) === String(index), holds, `case ${index}`)
      }
    },
  },
  {
    name: 'what is too large, or not well-formed, is refused before anything happens',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const key = `${bed.prefix}key`
      const value = bytes('x')
      const many = Array.from({ length: keysPerTransactionMax + 1 }, (_, index) => key + String(index))
      const transactions: readonly Transaction[] = [
        { puts: [{ key: '', value }] },
        { puts: [{ key: 'with blank', value }] },
        { puts: [{ key: 'ü', value }] },
        { puts: [{ key: 'k'.repeat(keyLengthMax + 1), value }] },
        { puts: [{ key, value: new Uint8Array(valueBytesMax + 1) }] },
        { puts: [{ key, value: 'text' as unknown as Uint8Array }] },
        { puts: [{ key, value, lease: 'mine' as LeaseId }] },
        { puts: many.map((each) => ({ key: each, value })) },
        { puts: [{ key, value }], deletes: [key] },
        { deletes: [key, key] },
        { conditions: many.map((each) => ({ kind: 'absent', key: each })) },
        { conditions: [{ kind: 'unchanged', key, modified: 0.5 as Revision }] },
        { puts: key as unknown as [] },
      ]
      for (const transaction of transactions) await rejects(one.transact(transaction), 'invalid-argument')
      await rejects(one.get(''), 'invalid-argument')
      await rejects(one.list(' '), 'invalid-argument')
      await rejects(one.grantLease(NaN), 'invalid-argument')
      await rejects(one.grantLease(1), 'invalid-argument')
      await rejects(one.keepAlive('0' as LeaseId), 'invalid-argument')
      await rejects(one.get(key, { timeoutMs: 0 }), 'invalid-argument')
      assert.throws(() => one.watch(bed.prefix, 0 as Revision), { code: 'invalid-argument' })
      assert.deepEqual((await one.list(bed.prefix)).found, [])
    },
  },
  {
    name: 'the largest transaction is taken',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const value = new Uint8Array(valueBytesMax).map((_, index) => index)
      const keys = Array.from({ length: keysPerTransactionMax }, (_, index) =>
        `${bed.prefix}${index}/`.padEnd(keyLengthMax, 'k'),
      )
      await applied(one, {
        conditions: keys.map((key) => ({ kind: 'absent', key })),
        puts: keys.map((key) => ({ key, value })),
      })
      const { found } = await one.list(bed.prefix)
      assert.equal(found.length, keysPerTransactionMax)
      for (const entry of found) assert.deepEqual(new Uint8Array(entry.value), value)
      await applied(one, { deletes: keys })
    },
  },
]

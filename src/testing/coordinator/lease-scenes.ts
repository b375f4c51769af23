import assert from 'node:assert/strict'
import { rest } from './coordinator-bed.js'
import type { CoordinatorBed, CoordinatorScene } from './coordinator-bed.js'
import { after, applied, bytes, nextChanges, put, read } from './scene-tools.js'

export const leaseScenes: readonly CoordinatorScene[] = [
  {
    name: 'a lease lives while it is kept alive, then ends with its keys, and watches are told',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const lease = await one.grantLease(bed.leaseTtlMs)
      assert.ok(lease.ttlMs >= bed.leaseTtlMs)
      const [a, b, free] = ['a', 'b', 'free'].map((key) => bed.prefix + key) as [string, string, string]
      const value = bytes('x')
      const revision = await applied(one, {
        puts: [
          { key: a, value, lease: lease.id },
          { key: b, value, lease: lease.id },
          { key: free, value },
        ],
      })
      assert.equal((await one.get(a)).found?.lease, lease.id)
      const watch = one.watch(bed.prefix, after(revision))
      for (let round = 0; round < 5; round++) {
        await rest(bed, lease.ttlMs / 2)
        assert.equal(await one.keepAlive(lease.id), 'alive')
        assert.equal(await read(one, a), 'x')
      }
      const since = bed.clock.now()
      const { said, revision: ended } = await nextChanges(watch)
      // A little less, since clocks differ, and the call took a while.
      assert.ok(bed.clock.now() - since > 0.8 * lease.ttlMs, 'a lease does not end early')
      assert.deepEqual(said, [`-${a}`, `-${b}`])
      const { found, revision: now } = await one.list(bed.prefix)
      assert.deepEqual(
        found.map(({ key }) => key),
        [free],
      )
      assert.ok(now >= ended)
      assert.equal(await one.keepAlive(lease.id), 'ended')
      const late = await one.transact({ puts: [{ key: a, value, lease: lease.id }] })
      assert.equal(late.kind, 'no-lease')
      assert.equal(await read(one, a), undefined)
    },
  },
  {
    name: 'a lease that is revoked ends at once, and once',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const [lease, other] = [await one.grantLease(60_000), await one.grantLease(60_000)]
      assert.notEqual(lease.id, other.id)
      const key = `${bed.prefix}key`
      const kept = `${bed.prefix}kept`
      const revision = await applied(one, {
        puts: [
          { key, value: bytes('x'), lease: lease.id },
          { key: kept, value: bytes('y'), lease: other.id },
        ],
      })
      const watch = one.watch(bed.prefix, after(revision))
      await one.revoke(lease.id)
      assert.equal(await read(one, key), undefined)
      assert.deepEqual((await nextChanges(watch)).said, [`-${key}`])
      await one.revoke(lease.id)
      assert.equal(await one.keepAlive(lease.id), 'ended')
      assert.equal(await one.keepAlive(other.id), 'alive')
      assert.equal(await read(one, kept), 'y')
      await one.revoke(other.id)
    },
  },
  {
    name: 'a key goes with the lease that it was put under last',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const [first, second] = [await one.grantLease(60_000), await one.grantLease(60_000)]
      const [freed, moved] = [`${bed.prefix}freed`, `${bed.prefix}moved`]
      const value = bytes('x')
      await applied(one, {
        puts: [freed, moved].map((key) => ({ key, value, lease: first.id })),
      })
      await put(one, freed, 'free')
      await applied(one, { puts: [{ key: moved, value, lease: second.id }] })
      await one.revoke(first.id)
      assert.equal(await read(one, freed), 'free')
      assert.equal(await read(one, moved), 'x')
      await one.revoke(second.id)
      assert.equal(await read(one, freed), 'free')
      assert.equal(await read(one, moved), undefined)
    },
  },
  {
    name: 'a refused transaction says so, also where its lease has ended',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const { id: lease } = await one.grantLease(60_000)
      await one.revoke(lease)
      const key = `${bed.prefix}key`
      await put(one, key, 'there')
      const puts = [{ key, value: bytes('x'), lease }]
      const outcome = await one.transact({ conditions: [{ kind: 'absent', key }], puts })
      assert.equal(outcome.kind, 'refused')
      assert.equal((await one.transact({ puts })).kind, 'no-lease')
      assert.equal(await read(one, key), 'there')
    },
  },
  {
    name: 'a store that is started again has its keys and leases, each for a whole time to live',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const lease = await one.grantLease(bed.leaseTtlMs)
      const [bound, kept] = [`${bed.prefix}bound`, `${bed.prefix}kept`]
      const modified = await applied(one, {
        puts: [
          { key: bound, value: bytes('x'), lease: lease.id },
          { key: kept, value: bytes('y') },
        ],
      })
      await bed.restart()
      const { found, revision } = await one.list(bed.prefix)
      assert.deepEqual(
        found.map((entry) => [entry.key, entry.modified, entry.lease]),
        [
          [bound, modified, lease.id],
          [kept, modified, undefined],
        ],
      )
      assert.equal(await one.keepAlive(lease.id), 'alive')
      assert.notEqual((await one.grantLease(bed.leaseTtlMs)).id, lease.id)
      assert.ok((await put(one, kept, 'z')) > revision)
      for (let waitedMs = 0; (await read(one, bound)) !== undefined; waitedMs += lease.ttlMs / 4) {
        assert.ok(waitedMs < 5 * lease.ttlMs + 5_000, 'a lease that nobody keeps alive ends')
        await rest(bed, lease.ttlMs / 4)
      }
      assert.equal(await read(one, kept), 'z')
    },
  },
]

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CoordinatorServer } from '../../src/coordinator/coordinator-server.js'
import type { CoordinatorStorage } from '../../src/coordinator/stored-state.js'
import type { Request } from '../../src/coordinator/request.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { MemoryStorage } from '../../src/testing/coordinator/memory-storage.js'
import { bytes } from '../../src/testing/coordinator/scene-tools.js'

function putting(key: string): Request & { readonly kind: 'transact' } {
  return { kind: 'transact', transaction: { puts: [{ key, value: bytes('x') }] } }
}

const wait = { timeoutMs: 1_000 }
const clock = nodeClock

describe('the store of an embedded coordinator', () => {
  it('serves no more once the disk has failed, and does not know what became of what was under way', async () => {
    const storage: CoordinatorStorage = {
      list: () => [],
      commit: () => Promise.reject(new KhazanaError('storage-failed', 'broken')),
    }
    const server = CoordinatorServer.start({ clock, storage })
    const [first, second] = [server.ask(putting('a'), wait), server.ask(putting('b'), wait)]
    await assert.rejects(first, { code: 'outcome-unknown' })
    await assert.rejects(second, { code: 'outcome-unknown' })
    await assert.rejects(server.ask({ kind: 'get', key: 'a' }, wait), { code: 'storage-failed' })
  })

  it('says that a change did not happen where the disk has no room, and goes on', async () => {
    let isFull = true
    const storage: CoordinatorStorage = {
      list: () => [],
      commit: async () => {
        if (isFull) throw new KhazanaError('no-space', 'full')
      },
    }
    const server = CoordinatorServer.start({ clock, storage })
    await assert.rejects(server.ask(putting('a'), wait), { code: 'no-space' })
    isFull = false
    assert.equal((await server.ask(putting('a'), wait)).kind, 'applied')
    server.close()
    await assert.rejects(server.ask(putting('a'), wait), { code: 'unreachable' })
  })

  it('finds everything again', async () => {
    const storage = new MemoryStorage()
    const server = CoordinatorServer.start({ clock, storage })
    const { id: lease } = await server.ask({ kind: 'grant', ttlMs: 60_000 }, wait)
    const value = Uint8Array.of(10, 0, 10, 255)
    await server.ask({ kind: 'transact', transaction: { puts: [{ key: 'a', value, lease }] } }, wait)
    await server.ask(putting('b'), wait)
    const before = await server.ask({ kind: 'list', prefix: '' }, wait)
    server.close()
    const again = CoordinatorServer.start({ clock, storage })
    const after = await again.ask({ kind: 'list', prefix: '' }, wait)
    assert.deepEqual(
      after.found.map((entry) => ({ ...entry, value: [...entry.value] })),
      before.found.map((entry) => ({ ...entry, value: [...entry.value] })),
    )
    assert.equal(after.revision, before.revision)
    await again.ask({ kind: 'revoke', lease }, wait)
    again.close()
    const last = CoordinatorServer.start({ clock, storage })
    const { found } = await last.ask({ kind: 'list', prefix: '' }, wait)
    assert.deepEqual(
      found.map(({ key }) => key),
      ['b'],
    )
    assert.equal(await last.ask({ kind: 'keep-alive', lease }, wait), 'ended')
    last.close()
  })

  it('refuses records that are none of its own', () => {
    for (const key of ['coordinator/state', 'coordinator/lease/1', 'coordinator/key/a']) {
      const storage = {
        list: (prefix: string): [string, Uint8Array][] =>
          [
            ['coordinator/state', bytes('{"revision":2,"nextLease":1}')] as [string, Uint8Array],
            [key, bytes('nonsense')] as [string, Uint8Array],
          ].filter(
            ([name], index, all) =>
              name.startsWith(prefix) && all.findLastIndex(([one]) => one === name) === index,
          ),
        commit: () => Promise.resolve(),
      }
      assert.throws(() => CoordinatorServer.start({ clock, storage }), { code: 'bad-format' })
    }
  })
})

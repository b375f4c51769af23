import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Version } from '../../src/address/page.js'
import { Prng } from '../../src/stdx/prng.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import { content, KiB, open, page, smallLimits, space, stamp, turns, write, writes } from './store-fixture.js'

test('what was committed is read, also after reopening', async () => {
  const directory = new SimDirectory()
  const store = await open(directory)
  await store.commit({
    pages: [write(1, 0, 1), write(2 ** 48 - 1, 2 ** 40 - 1, 2 ** 47, content(9, 16 * KiB))],
    puts: [{ key: 'région', value: new Uint8Array([1, 2]) }],
  })
  await store.close()
  const again = await open(directory)
  assert.deepEqual(await again.read(space(1), page(0)), { version: 1, bytes: content(1) })
  const far = await again.read(space(2 ** 48 - 1), page(2 ** 40 - 1))
  assert.deepEqual(far, { version: 2 ** 47, bytes: content(9, 16 * KiB) })
  assert.deepEqual(again.list('r'), [['région', new Uint8Array([1, 2])]])
  assert.deepEqual([...again.pagesOf(space(1))], [{ page: 0, version: 1 }])
  assert.equal(await again.read(space(1), page(1)), undefined)
  assert.equal(again.versionOf(space(7), page(0)), 0)
  await again.close()
})

test('a commit shows when it is durable and not before', async () => {
  const directory = new SimDirectory({ delay: () => turns(1) })
  const store = await open(directory)
  const committed = store.commit({
    ...writes(write(1, 0, 1)),
    puts: [{ key: 'k', value: new Uint8Array(1) }],
  })
  await turns(1)
  assert.equal(store.versionOf(space(1), page(0)), 0)
  assert.equal(store.get('k'), undefined)
  assert(store.pendingBytes > 4096)
  await committed
  assert.equal(store.versionOf(space(1), page(0)), 1)
  assert.equal(store.pendingBytes, 0)
  await store.close()
})

test('within a group drops come first, then frees, then pages; deletes before puts', async () => {
  const store = await open(new SimDirectory())
  await store.commit({
    ...writes(write(1, 0, 1), write(1, 1, 1), write(2, 0, 1)),
    puts: [{ key: 'k', value: new Uint8Array(1) }],
  })
  await store.commit({
    ...writes(write(1, 0, 2), write(2, 5, 2)),
    frees: [{ space: space(1), range: { first: page(0), count: 2 } }],
    drops: [space(2)],
    deletes: ['k'],
    puts: [{ key: 'k', value: new Uint8Array(2) }],
  })
  assert.deepEqual([...store.pagesOf(space(1))], [{ page: 0, version: 2 }])
  assert.deepEqual([...store.pagesOf(space(2))], [{ page: 5, version: 2 }])
  assert.equal(store.get('k')?.length, 2)
  await store.close()
})

test('commits that wait for a flush share the next one, and only the last write of a page goes to disk', async () => {
  const directory = new SimDirectory({ delay: () => turns(1) })
  const store = await open(directory)
  await store.commit(writes(write(1, 0, 1)))
  await turns(100) // until the next log file is made
  const before = { ...directory.counts }
  const commits = [store.commit(writes(write(1, 0, 2)))]
  await turns(1)
  for (let version = 3; version < 23; version++) commits.push(store.commit(writes(write(1, 0, version))))
  await Promise.all(commits)
  assert.equal(directory.counts.syncs - before.syncs, 2)
  assert.equal(directory.counts.writes - before.writes, 2)
  assert.equal(directory.counts.bytesWritten - before.bytesWritten, 2 * 8 * KiB)
  assert.equal(store.versionOf(space(1), page(0)), 22)
  await store.close()
})

test('merged commits take effect in the order of the calls', async () => {
  const store = await open(new SimDirectory({ delay: () => turns(1) }))
  const all = { space: space(1), range: { first: page(0), count: 10 } }
  const commits = [
    store.commit(writes(write(9, 0, 1))),
    store.commit(writes(write(1, 0, 1), write(1, 1, 1))),
    store.commit({ frees: [all] }),
    store.commit(writes(write(1, 1, 2))),
    store.commit({ puts: [{ key: 'k', value: new Uint8Array(1) }] }),
    store.commit({ deletes: ['k'] }),
    store.commit(writes(write(2, 0, 1))),
    store.commit({ drops: [space(2)] }),
  ]
  await Promise.all(commits)
  assert.deepEqual([...store.pagesOf(space(1))], [{ page: 1, version: 2 }])
  assert.deepEqual([...store.pagesOf(space(2))], [])
  assert.equal(store.get('k'), undefined)
  await store.close()
})

test('a group larger than a segment is one group still', async () => {
  const directory = new SimDirectory()
  const store = await open(directory)
  await store.commit(writes(write(1, 999, 1)))
  const pages = Array.from({ length: 80 }, (_, index) => write(1, index, 7, content(index)))
  assert(80 * 4 * KiB > 2 * 128 * KiB)
  await store.commit({ pages })
  await store.commit(writes(write(1, 999, 2)))
  await store.close()
  const again = await open(directory)
  for (let index = 0; index < 80; index++) {
    assert.deepEqual((await again.read(space(1), page(index)))?.bytes, content(index))
  }
  await again.close()
})

test('above its bound of pending bytes the store is busy, and takes what comes later', async () => {
  const directory = new SimDirectory({ delay: () => turns(1) })
  const store = await open(directory, { limits: { ...smallLimits, pendingBytesMax: 20 * KiB } })
  assert.equal(store.pendingBytesMax, 20 * KiB)
  const first = store.commit(writes(write(1, 0, 1), write(1, 1, 1)))
  const second = store.commit(writes(write(1, 2, 1)))
  await assert.rejects(store.commit(writes(write(1, 3, 1), write(1, 4, 1))), { code: 'busy' })
  await Promise.all([first, second])
  await store.commit(writes(write(1, 3, 1)))
  // One commit alone may pass the bound: else it could never be made.
  await store.commit({ pages: Array.from({ length: 10 }, (_, index) => write(1, index, 2)) })
  assert.equal(store.versionOf(space(1), page(9)), 2)
  await store.close()
})

test('data within the usable bytes can be overwritten at random without end', async () => {
  const store = await open(new SimDirectory(), { limits: { ...smallLimits, pageBytesMax: 4 * KiB } })
  const random = Prng.fromSeed(11)
  const recordBytes = 4 * KiB + 24
  const count = Math.floor(store.usableBytes / recordBytes)
  assert(count > 150, `only ${count} pages`)
  const versions: number[] = []
  for (let index = 0; index < count; index++) {
    versions.push(1)
    await store.commit(writes(write(1, index, 1)))
  }
  for (let version = 2; version < 12_000; version++) {
    const index = random.below(count)
    versions[index] = version
    const committed = store.commit(writes(write(1, index, version)))
    if (version % 3 !== 0) await committed
  }
  // Also in the largest commits that are promised.
  const many = Math.floor(count / 8)
  for (let round = 0; round < 200; round++) {
    const first = random.below(count - many)
    const pages = Array.from({ length: many }, (_, index) => write(1, first + index, 20_000 + round))
    for (const { page: index, version } of pages) versions[index] = version
    await store.commit({ pages })
  }
  assert(store.liveBytes <= store.usableBytes)
  assert(store.diskBytes <= store.diskBytesMax)
  for (const [index, version] of versions.entries()) {
    assert.deepEqual((await store.read(space(1), page(index)))?.bytes, content(version), `page ${index}`)
  }
  await store.close()
})

test('pages that change often beside others that never do are cleaned too, and so are tombstones', async () => {
  const directory = new SimDirectory()
  const store = await open(directory, { limits: { ...smallLimits, pageBytesMax: 4 * KiB } })
  for (let index = 0; index < 100; index++) await store.commit(writes(write(1, index, 1)))
  for (let round = 1; round < 4000; round++) {
    await store.commit({
      ...writes(write(1000 + round, 0, round)),
      puts: [{ key: `k${round}`, value: new Uint8Array(9) }],
    })
    await store.commit({ drops: [space(1000 + round)], deletes: [`k${round}`] })
  }
  assert(store.liveBytes < 100 * (4 * KiB + 24) + store.usableBytes / 8, `${store.liveBytes} bytes live`)
  await store.close()
  const again = await open(directory, { limits: { ...smallLimits, pageBytesMax: 4 * KiB } })
  assert.deepEqual([...again.spaces()], [1])
  assert.deepEqual(again.list(''), [])
  assert.equal([...again.pagesOf(space(1))].length, 100)
  await again.close()
})

for (const [what, makeDirectory] of [
  ['the disk limit', () => new SimDirectory()],
  ['the disk itself', () => new SimDirectory({ capacityBytes: 7 * 128 * KiB })],
] as const) {
  test(`when ${what} has no more room, a commit is refused whole, and room can be made`, async () => {
    const directory = makeDirectory()
    const store = await open(directory)
    let written = 0
    const failure = await (async () => {
      for (;;) {
        const pages = [write(1, written, 5), write(2, written, 5)]
        try {
          await store.commit({ pages, puts: [{ key: 'last', value: new Uint8Array([written % 256]) }] })
        } catch (reason) {
          return reason
        }
        written++
        assert(written < 10_000)
      }
    })()
    assert.equal((failure as { code?: string }).code, 'no-space')
    assert.equal(store.versionOf(space(1), page(written)), 0)
    assert.equal(store.versionOf(space(2), page(written)), 0)
    assert.deepEqual(store.get('last'), new Uint8Array([(written - 1) % 256]))
    for (let repeat = 0; repeat < 20; repeat++) {
      await assert.rejects(store.commit({ pages: Array.from({ length: 90 }, (_, i) => write(3, i, 1)) }), {
        code: 'no-space',
      })
    }
    for (let index = 0; index < written; index++) {
      await store.commit({ frees: [{ space: space(1), range: { first: page(index), count: 1 } }] })
    }
    for (let index = 0; index < 20; index++) await store.commit(writes(write(4, index, 1)))
    await store.close()
    const again = await open(directory)
    assert.equal([...again.pagesOf(space(2))].length, written)
    assert.deepEqual([...again.pagesOf(space(1))], [])
    assert.equal([...again.pagesOf(space(4))].length, 20)
    for (const { page: index } of again.pagesOf(space(2))) await again.read(space(2), index)
    assert.equal(again.damageCount, 0)
    await again.close()
  })
}

test('room on the disk that comes back is used', async () => {
  const directory = new SimDirectory({ capacityBytes: 4 * 128 * KiB })
  const store = await open(directory)
  const pages = Array.from({ length: 100 }, (_, index) => write(1, index, 1))
  await assert.rejects(store.commit({ pages }), { code: 'no-space' })
  directory.capacityBytes = Infinity
  await store.commit({ pages })
  await store.close()
})

test('a store that was emptied gives files back to the disk', async () => {
  const directory = new SimDirectory()
  const limits = { ...smallLimits, diskBytesMax: 60 * 128 * KiB }
  const store = await open(directory, { limits })
  for (let index = 0; index < 1000; index++) await store.commit(writes(write(1, index, 1)))
  const full = store.diskBytes
  await store.commit({ drops: [space(1)] })
  for (let index = 0; index < 40; index++) {
    await store.commit(writes(write(2, 0, index + 1)))
    await turns(1)
  }
  assert(store.diskBytes < full / 2, `${store.diskBytes} of ${full} bytes left`)
  await store.close()
  const again = await open(directory, { limits })
  assert.deepEqual([...again.spaces()], [2])
  await again.close()
})

test('after a failed flush the store is failed for good, and a new one finds all that was acknowledged', async () => {
  const directory = new SimDirectory({ delay: () => turns(1) })
  const store = await open(directory)
  await store.commit(writes(write(1, 0, 1)))
  await turns(100)
  directory.faults.failingSyncs = 1
  const failing = store.commit(writes(write(1, 0, 2)))
  await turns(1)
  const queued = store.commit(writes(write(1, 0, 3)))
  await assert.rejects(failing, { code: 'storage-failed' })
  await assert.rejects(queued, { code: 'storage-failed' })
  await assert.rejects(store.commit(writes(write(1, 1, 1))), { code: 'storage-failed' })
  await assert.rejects(store.read(space(1), page(0)), { code: 'storage-failed' })
  assert.throws(() => store.get('k'), { code: 'storage-failed' })
  await store.close()
  const again = await open(directory.crash(Prng.fromSeed(1)))
  assert((again.versionOf(space(1), page(0)) as number) >= 1)
  await again.close()
})

test('arguments outside their range are refused, and nothing happens', async () => {
  const store = await open(new SimDirectory())
  const refused = [
    writes(write(1, 0, 0)),
    writes(write(1, 0, 2 ** 48)),
    writes(write(1, 0, 1, new Uint8Array(100))),
    writes(write(1, 0, 1, new Uint8Array(32 * KiB))),
    writes({ ...write(1, 0, 1), page: (2 ** 40) as never }),
    writes({ ...write(1, 0, 1), space: -1 as never }),
    { puts: [{ key: 'k'.repeat(1025), value: new Uint8Array(1) }] },
    { puts: [{ key: 'k', value: new Uint8Array(17 * KiB) }] },
    { frees: [{ space: space(1), range: { first: page(0), count: 0 } }] },
    { damages: [stamp(1, 0, 0)] },
  ]
  for (const group of refused) {
    await assert.rejects(store.commit({ ...group, deletes: [] }), { code: 'invalid-argument' })
  }
  assert.equal(store.liveBytes, 0)
  await store.close()
})

test('a directory serves one store at a time, and a closed store serves nobody', async () => {
  const directory = new SimDirectory()
  const store = await open(directory)
  await assert.rejects(open(directory), { code: 'directory-in-use' })
  const last = store.commit(writes(write(1, 0, 1)))
  await Promise.all([store.close(), store.close()])
  await last
  await assert.rejects(store.commit({}), { code: 'closed' })
  assert.throws(() => store.versionOf(space(1), page(0)), { code: 'closed' })
  const again = await open(directory)
  assert.equal(again.versionOf(space(1), page(0)), 1 as Version)
  await again.close()
})

test('limits that are too small are refused', async () => {
  for (const limits of [{ diskBytesMax: 2 ** 20 }, { diskBytesMax: 2 ** 20, segmentBytes: 4097 }]) {
    await assert.rejects(open(new SimDirectory(), { limits }), { code: 'invalid-argument' })
  }
})

test('a read finds its page wherever the cleaner has moved it meanwhile', async () => {
  const random = Prng.fromSeed(21)
  // Now and then an operation takes so long that files are emptied and written over in between.
  const directory = new SimDirectory({ delay: () => turns(random.chance(0.02) ? 400 : random.below(2)) })
  const store = await open(directory, { limits: { ...smallLimits, pageBytesMax: 4 * KiB } })
  const count = Math.floor(store.usableBytes / (4 * KiB + 24))
  for (let index = 0; index < count; index++) await store.commit(writes(write(1, index, 1)))
  let reads = 0
  let isOver = false
  async function readAll(): Promise<void> {
    while (!isOver) {
      const index = random.below(count)
      const before = store.versionOf(space(1), page(index)) as number
      const found = await store.read(space(1), page(index))
      assert(found !== undefined && (found.version as number) >= before)
      assert.deepEqual(found.bytes, content(found.version))
      reads++
    }
  }
  const readers = [readAll(), readAll(), readAll(), readAll()]
  for (let version = 2; version < 3000; version++) {
    const pages = Array.from({ length: 4 }, () => write(1, random.below(count), version))
    await store.commit({ pages })
  }
  isOver = true
  await Promise.all(readers)
  assert(reads > 1000, `only ${reads} reads`)
  assert.equal(store.damageCount, 0)
  await store.close()
})

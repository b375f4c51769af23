import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import type { Store } from '../../src/store/store.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import { content, KiB, open, page, smallLimits, space, turns, write, writes } from './store-fixture.js'

const fileBytes = 128 * KiB
const recordBytes = 4 * KiB + 24
const limits = { ...smallLimits, pageBytesMax: 4 * KiB }

/** How many pages of 4 KiB may be kept for good. */
function pagesOf(usableBytes: number): number {
  return Math.floor(usableBytes / recordBytes)
}

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) await store.commit(writes(write(1, index, 1)))
}

async function assertKept(store: Store, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    assert.deepEqual((await store.read(space(1), page(index)))?.bytes, content(1), `page ${index}`)
  }
}

/** Lets the cleaner work without any commit. */
async function untilWithin(store: Store): Promise<void> {
  for (let turn = 0; store.diskBytes > store.diskBytesMax; turn++) {
    assert(turn < 20_000, `${store.diskBytes} bytes of files, and the limit is ${store.diskBytesMax}`)
    await turns(1)
  }
}

test('with a higher limit more can be kept at once, until the store is opened with another', async () => {
  const directory = new SimDirectory()
  const store = await open(directory, { limits })
  const before = pagesOf(store.usableBytes)
  const raised = store.usableBytesAt(3 * limits.diskBytesMax)
  assert(raised > 3 * store.usableBytes)
  store.limitDisk(3 * limits.diskBytesMax)
  assert.equal(store.usableBytes, raised)
  assert.equal(store.diskBytesMax, 3 * limits.diskBytesMax)
  const count = pagesOf(store.usableBytes)
  await fill(store, 0, count)
  const random = Prng.fromSeed(3)
  for (let round = 0; round < 2000; round++) {
    await store.commit(writes({ ...write(1, random.below(count), 1), bytes: content(1) }))
  }
  assert(store.diskBytes > limits.diskBytesMax && store.diskBytes <= store.diskBytesMax)
  await assertKept(store, count)
  await store.close()
  // What is kept is never lost for a limit that is too small for it: it can be read, and freed.
  const again = await open(directory, { limits })
  assert.equal(again.diskBytesMax, limits.diskBytesMax)
  await assertKept(again, count)
  await assert.rejects(again.commit({ pages: Array.from({ length: 90 }, (_, i) => write(2, i, 1)) }), {
    code: 'no-space',
  })
  await again.commit({ frees: [{ space: space(1), range: { first: page(before >> 1), count } }] })
  await again.commit(writes(write(2, 0, 1)))
  await again.close()
})

test('with a lower limit the cleaner gives files back by itself, and all that is kept stays', async () => {
  const high = { ...limits, diskBytesMax: 60 * fileBytes }
  const directory = new SimDirectory({ delay: () => turns(1) })
  const store = await open(directory, { limits: high })
  const kept = pagesOf(store.usableBytesAt(16 * fileBytes)) - 5
  const all = pagesOf(store.usableBytes)
  await fill(store, 0, all)
  // Scattered over all files.
  for (let index = kept; index < all; index++) {
    const victim = index % 2 === 0 ? index : kept + all - index
    await store.commit({ frees: [{ space: space(1), range: { first: page(victim), count: 1 } }] })
  }
  for (let index = kept; index < all; index += 7) await store.commit(writes(write(3, index, 1)))
  await store.commit({
    frees: [{ space: space(1), range: { first: page(kept), count: all } }],
    drops: [space(3)],
  })
  assert(store.diskBytes > 30 * fileBytes)
  store.limitDisk(16 * fileBytes)
  assert.equal(store.diskBytesMax, 16 * fileBytes)
  await untilWithin(store)
  await assertKept(store, kept)
  // And within it goes on as under any limit.
  const random = Prng.fromSeed(4)
  for (let round = 0; round < 1500; round++) {
    await store.commit(writes(write(1, random.below(kept), 1)))
    assert(store.diskBytes <= 16 * fileBytes)
  }
  await store.close()
  const again = await open(directory, { limits: { ...limits, diskBytesMax: 16 * fileBytes } })
  await assertKept(again, kept)
  assert.equal(again.damageCount, 0)
  await again.close()
})

test('while files are given back, commits go on, and the disk takes no more than before', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = Prng.fromSeed(seed)
    const directory = new SimDirectory({ delay: () => turns(random.below(3)) })
    const store = await open(directory, { limits: { ...limits, diskBytesMax: 40 * fileBytes } })
    // What waits to be written counts, too.
    const kept = pagesOf(store.usableBytesAt(14 * fileBytes)) - 12
    const all = pagesOf(store.usableBytes)
    await fill(store, 0, all)
    for (let index = 0; index < all; index++)
      if (random.chance(0.3)) await store.commit(writes(write(1, index, 1)))
    await store.commit({ frees: [{ space: space(1), range: { first: page(kept), count: all } }] })
    store.limitDisk(14 * fileBytes)
    // A file may be just being made.
    let most = store.diskBytes + fileBytes
    for (let round = 0; round < 400; round++) {
      const committed = store.commit(writes(write(1, random.below(kept), 1)))
      if (random.chance(0.7)) await committed
      assert(store.diskBytes <= most, `seed ${seed}`)
      most = Math.max(store.diskBytesMax, Math.min(most, store.diskBytes + fileBytes))
      if (random.chance(0.01)) {
        await committed
        store.limitDisk((14 + random.below(20)) * fileBytes)
        most = Math.max(store.diskBytes + fileBytes, store.diskBytesMax)
      }
    }
    await store.commit({})
    store.limitDisk(14 * fileBytes)
    await untilWithin(store)
    await assertKept(store, kept)
    await store.close()
    const again = await open(directory, { limits: { ...limits, diskBytesMax: 14 * fileBytes } })
    await assertKept(again, kept)
    await again.close()
  }
})

test('a limit below what is kept is refused, says which would do, and changes nothing', async () => {
  const store = await open(new SimDirectory(), { limits: { ...limits, diskBytesMax: 40 * fileBytes } })
  await fill(store, 0, pagesOf(store.usableBytes) >> 1)
  const { usableBytes } = store
  const least = store.diskBytesFor(store.liveBytes)
  assert(least > 10 * fileBytes && least < 40 * fileBytes)
  assert(store.usableBytesAt(least) >= store.liveBytes)
  assert(store.usableBytesAt(least - 1) < store.liveBytes)
  assert.throws(
    () => {
      store.limitDisk(least - 1)
    },
    { code: 'no-space', message: new RegExp(String(least)) },
  )
  for (const limit of [0, -1, NaN, Infinity, 7 * fileBytes, 2 ** 52]) {
    assert.throws(
      () => {
        store.limitDisk(limit)
      },
      { code: 'invalid-argument' },
      String(limit),
    )
    assert.throws(() => store.usableBytesAt(limit), { code: 'invalid-argument' }, String(limit))
  }
  assert.equal(store.usableBytes, usableBytes)
  assert.equal(store.diskBytesFor(2 ** 52), Infinity)
  store.limitDisk(least)
  assert.equal(store.diskBytesMax, least)
  await store.close()
  assert.throws(
    () => {
      store.limitDisk(least)
    },
    { code: 'closed' },
  )
})

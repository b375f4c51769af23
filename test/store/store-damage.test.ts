import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeChecksum as checksum } from '../../src/io/node/checksum.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import type { Store } from '../../src/store/store.js'
import { content, KiB, open, page, smallLimits, space, stamp, turns, write, writes } from './store-fixture.js'

const first = '00000001.log'

/** A store of one page in each of `count` batches, closed. Batch n of it begins at block 1 + 2n, its payload a block later. */
async function closedStore(count: number): Promise<SimDirectory> {
  const directory = new SimDirectory()
  const store = await open(directory)
  for (let index = 0; index < count; index++) await store.commit(writes(write(1, index, 1, content(index))))
  await store.close()
  return directory
}

const tableOf = (batch: number): number => (1 + 2 * batch) * 4 * KiB
const payloadOf = (batch: number): number => tableOf(batch) + 4 * KiB

test('a page whose bytes rot is never served, is remembered and counted, and healed by the next write', async () => {
  const directory = await closedStore(5)
  directory.rot(first, payloadOf(2) + 100)
  const store = await open(directory)
  const message = /page 2 of space 1 .*00000001\.log byte 24576/
  await assert.rejects(store.read(space(1), page(2)), { code: 'damaged', message })
  await assert.rejects(store.read(space(1), page(2)), { code: 'damaged', message })
  assert.deepEqual(store.damage, [
    { kind: 'page', space: 1, page: 2, version: 1, place: `${first} byte ${payloadOf(2)}` },
  ])
  assert.equal(store.damageCount, 1)
  assert.equal(store.versionOf(space(1), page(2)), 1)
  assert.deepEqual((await store.read(space(1), page(3)))?.bytes, content(3))
  await store.commit(writes(write(1, 2, 2)))
  assert.deepEqual(store.damage, [])
  assert.equal(store.damageCount, 1)
  assert.deepEqual((await store.read(space(1), page(2)))?.bytes, content(2))
  await store.close()
})

test('a damaged page is mended with the bytes of its version, and with no others', async () => {
  const directory = await closedStore(5)
  directory.rot(first, payloadOf(2) + 100)
  const store = await open(directory)
  await store.scrub()
  assert.ok(store.isDamaged(space(1), page(2)))
  await store.commit({ mends: [write(1, 2, 2, content(9)), write(1, 3, 1, content(9)), write(1, 7, 1)] })
  assert.ok(store.isDamaged(space(1), page(2)), 'another version is no help')
  await store.commit({ mends: [write(1, 2, 1, content(2))] })
  assert.deepEqual(store.damage, [])
  assert.deepEqual(await store.read(space(1), page(2)), { version: 1, bytes: content(2) })
  assert.deepEqual((await store.read(space(1), page(3)))?.bytes, content(3), 'what is sound stays')
  assert.equal(store.versionOf(space(1), page(7)), 0, 'what is not there is not made')
  await store.close()
  const again = await open(directory)
  assert.deepEqual((await again.read(space(1), page(2)))?.bytes, content(2))
  await again.close()
})

test('a page that is written or freed at the same time is not mended', async () => {
  const directory = await closedStore(5)
  for (const batch of [2, 3]) directory.rot(first, payloadOf(batch))
  const store = await open(directory)
  await store.scrub()
  const mends = [write(1, 2, 1, content(2)), write(1, 3, 1, content(3))]
  await Promise.all([
    store.commit({
      ...writes(write(1, 2, 2, content(8))),
      frees: [{ space: space(1), range: { first: page(3), count: 1 } }],
    }),
    store.commit({ mends }),
  ])
  await store.commit({ mends })
  assert.deepEqual(await store.read(space(1), page(2)), { version: 2, bytes: content(8) })
  assert.equal(store.versionOf(space(1), page(3)), 0)
  await store.close()
})

test('a page that is said to be lost is damaged in that version from then on, also after reopening, until it is mended or written', async () => {
  const directory = await closedStore(3)
  const store = await open(directory)
  await store.commit({ damages: [stamp(1, 1, 5), stamp(1, 7, 3), stamp(1, 8, 4)] })
  const check = async (opened: Store): Promise<void> => {
    const found = opened.damage.map((damage) => damage.kind === 'page' && [damage.page, damage.version])
    assert.deepEqual(found.sort(), [
      [1, 5],
      [7, 3],
      [8, 4],
    ])
    for (const lost of [1, 7, 8]) {
      const message = new RegExp(`page ${lost} of space 1 is lost, .*00000001\\.log byte`)
      await assert.rejects(opened.read(space(1), page(lost)), { code: 'damaged', message })
    }
    assert.equal(opened.versionOf(space(1), page(1)), 5)
    assert.deepEqual((await opened.read(space(1), page(2)))?.bytes, content(2))
  }
  await check(store)
  assert.equal(store.damageCount, 3)
  await store.close()
  const again = await open(directory)
  await check(again)
  await again.commit({ mends: [write(1, 1, 1, content(1)), write(1, 7, 3)] })
  assert.deepEqual(await again.read(space(1), page(7)), { version: 3, bytes: content(3) })
  await again.commit(writes(write(1, 1, 6)))
  await again.commit({ frees: [{ space: space(1), range: { first: page(8), count: 1 } }] })
  assert.deepEqual(again.damage, [])
  assert.equal(again.versionOf(space(1), page(8)), 0)
  await again.close()
})

test('a page that is here in the very version that is said to be lost stays as it is', async () => {
  const directory = await closedStore(3)
  directory.rot(first, payloadOf(2))
  const store = await open(directory)
  await store.scrub()
  const bytes = store.liveBytes
  await store.commit({ damages: [stamp(1, 1, 1), stamp(1, 2, 1)] })
  assert.equal(store.liveBytes, bytes)
  assert.deepEqual((await store.read(space(1), page(1)))?.bytes, content(1))
  assert.deepEqual(
    store.damage.map((damage) => damage.kind === 'page' && damage.place),
    [`${first} byte ${payloadOf(2)}`],
  )
  await store.close()
})

test('commits that say of pages that they are lost take effect in the order of the calls, though they share a flush', async () => {
  const store = await open(await closedStore(5))
  const frees = [{ space: space(1), range: { first: page(2), count: 1 } }]
  await Promise.all([
    // Written, then lost in a later version; and the other way round.
    store.commit(writes(write(1, 0, 2), write(1, 1, 2))),
    store.commit({
      damages: [stamp(1, 0, 3), stamp(1, 1, 2), stamp(1, 2, 3), stamp(1, 3, 3), stamp(1, 4, 9)],
    }),
    store.commit(writes(write(1, 3, 4))),
    // Freed: so it is another page that is lost in the version of before.
    store.commit({ frees }),
    store.commit({ damages: [stamp(1, 2, 1)] }),
    store.commit({ mends: [write(1, 4, 9), write(1, 0, 2)] }),
  ])
  const found = [0, 1, 2, 3, 4].map((index) => [
    store.versionOf(space(1), page(index)),
    store.isDamaged(space(1), page(index)),
  ])
  assert.deepEqual(found, [
    [3, true],
    [2, false],
    [1, true],
    [4, false],
    [9, false],
  ])
  assert.deepEqual((await store.read(space(1), page(4)))?.bytes, content(9))
  await store.commit({ drops: [space(1)], damages: [stamp(1, 0, 3)] })
  assert.deepEqual([...store.pagesOf(space(1))], [{ page: 0, version: 3 }])
  await store.close()
})

test('the place of a page says where its bytes are, and whether they came last', async () => {
  const directory = await closedStore(3)
  const store = await open(directory)
  await store.commit(writes(write(1, 7, 1, content(7))))
  const place = { file: first, position: payloadOf(1), bytes: 4 * KiB, isInLastGroup: false }
  assert.deepEqual(store.placeOf(space(1), page(1)), place)
  assert.equal(store.placeOf(space(1), page(7))?.isInLastGroup, true)
  assert.equal(store.placeOf(space(1), page(8)), undefined)
  await store.close()
})

test('scrubbing finds all damage, also of what the disk cannot read', async () => {
  const directory = await closedStore(6)
  directory.rot(first, payloadOf(1))
  directory.faults.unreadable.set(first, new Set([payloadOf(4) / 512 + 3]))
  const store = await open(directory)
  assert.equal(store.damageCount, 0)
  await store.scrub()
  const pages = store.damage.map((damage) => damage.kind === 'page' && damage.page)
  assert.deepEqual(pages.sort(), [1, 4])
  await store.close()
})

test('damage that the cleaner meets is carried along, and known after reopening', async () => {
  const limits = { ...smallLimits, pageBytesMax: 4 * KiB }
  const directory = new SimDirectory()
  const store = await open(directory, { limits })
  for (let index = 0; index < 10; index++) await store.commit(writes(write(1, index, 1, content(index))))
  directory.rot(first, payloadOf(3))
  // Overwriting at random in a full store makes the cleaner empty the first file.
  const random = Prng.fromSeed(1)
  const count = Math.floor(store.usableBytes / (4 * KiB + 24)) - 10
  for (let version = 1; version < 3000; version++)
    await store.commit(writes(write(2, random.below(count), version)))
  assert.equal(store.damageCount, 1)
  await store.close()
  const again = await open(directory, { limits })
  assert.deepEqual(
    again.damage.map((damage) => damage.kind === 'page' && [damage.space, damage.page, damage.version]),
    [[1, 3, 1]],
  )
  await assert.rejects(again.read(space(1), page(3)), { code: 'damaged' })
  assert.deepEqual((await again.read(space(1), page(4)))?.bytes, content(4))
  await again.commit(writes(write(1, 3, 2)))
  assert.deepEqual(again.damage, [])
  await again.close()
})

test('when a batch in the middle cannot be read, the store says where and refuses to open, unless told', async () => {
  for (const position of [tableOf(2) + 10, tableOf(2) + 70]) {
    const directory = await closedStore(5)
    directory.rot(first, position)
    await assert.rejects(open(directory), {
      code: 'damaged',
      message: /00000001\.log byte 20480 .*acceptDamage/,
    })
    const store = await open(directory, { acceptDamage: true })
    assert.deepEqual(
      store.damage.map((damage) => [damage.kind, damage.place]),
      [['log', `${first} byte 20480`]],
    )
    assert.deepEqual([...store.pagesOf(space(1))].map((found) => found.page).sort(), [0, 1, 3, 4])
    assert.deepEqual((await store.read(space(1), page(4)))?.bytes, content(4))
    await turns(50)
    await store.commit(writes(write(1, 9, 1)))
    await store.commit(writes(write(1, 9, 2)))
    await store.close()
    // What was intact has moved out of the damaged file: the damage was accepted once and for all.
    const again = await open(directory)
    assert.deepEqual([...again.pagesOf(space(1))].map((found) => found.page).sort(), [0, 1, 3, 4, 9])
    await again.close()
  }
})

test('rot in the last batch of a store that was closed is damage, and no torn end', async () => {
  const directory = await closedStore(5)
  directory.rot(first, tableOf(4) + 10)
  await assert.rejects(open(directory), { code: 'damaged' })
})

test('a batch that was torn and cut off does not come back when its missing sector does', async () => {
  const directory = new SimDirectory()
  const store = await open(directory)
  await store.commit(writes(write(1, 0, 1)))
  await store.commit(writes(write(1, 1, 1), write(1, 2, 1)))
  const torn = directory.crash(Prng.fromSeed(1))
  torn.rot(first, payloadOf(1))
  const cut = await open(torn)
  assert.deepEqual([...cut.pagesOf(space(1))], [{ page: 0, version: 1 }])
  const later = torn.crash(Prng.fromSeed(2))
  later.rot(first, payloadOf(1))
  const again = await open(later)
  assert.deepEqual([...again.pagesOf(space(1))], [{ page: 0, version: 1 }])
  await again.close()
})

test('a log file that is missing or cut short is damage', async () => {
  async function grown(): Promise<SimDirectory> {
    const directory = new SimDirectory()
    const store = await open(directory)
    for (let index = 0; index < 40; index++) await store.commit(writes(write(1, index, 1)))
    await store.close()
    return directory
  }
  const missing = await grown()
  await missing.remove(first)
  await assert.rejects(open(missing), { code: 'damaged', message: /00000001\.log is missing/ })
  const store = await open(missing, { acceptDamage: true })
  assert([...store.pagesOf(space(1))].length > 5)
  await store.close()
  await (await open(missing)).close()

  const short = await grown()
  short.place(first, short.content(first).slice(0, 40 * KiB))
  await assert.rejects(open(short), { code: 'damaged' })

  // The newest file's start is lost, with acknowledged batches behind it.
  const headless = await grown()
  const newest = headless
    .names()
    .filter((name) => headless.content(name).subarray(0, 4).join() === '75,104,122,76')
  headless.rot(newest.at(-1) ?? '', 20)
  await assert.rejects(open(headless), { code: 'damaged' })

  const bare = await grown()
  await bare.remove('store.json')
  await assert.rejects(open(bare), { code: 'damaged', message: /store\.json/ })
  const empty = await grown()
  for (const name of await empty.list()) if (name.endsWith('.log')) await empty.remove(name)
  await assert.rejects(open(empty), { code: 'damaged' })
})

test('a store of a newer format is left alone', async () => {
  const description = await closedStore(1)
  const text = new TextDecoder().decode(description.content('store.json'))
  description.place('store.json', new TextEncoder().encode(text.replace('"version": 1', '"version": 2')))
  await assert.rejects(open(description), { code: 'bad-format' })

  const log = await closedStore(1)
  const bytes = log.content(first)
  const view = new DataView(bytes.buffer)
  view.setUint16(4, 2, true)
  view.setUint32(60, checksum(bytes.subarray(0, 60), 0), true)
  await assert.rejects(open(log), { code: 'bad-format' })

  const rotten = await closedStore(1)
  rotten.rot('store.json', 60)
  await assert.rejects(open(rotten), { code: 'damaged' })
})

test('any bytes in the log give records, a cut end or a typed error', async () => {
  const random = Prng.fromSeed(5)
  const outcomes = new Map<string, number>()
  const source = new SimDirectory()
  const store = await open(source)
  for (let index = 0; index < 60; index++) {
    await store.commit({
      pages: [
        write(1 + (index % 2), index % 20, index + 1, content(index, index % 5 === 0 ? 8 * KiB : 4 * KiB)),
      ],
      puts: [{ key: `k${index % 7}`, value: random.bytes(random.below(300)) }],
      frees: [{ space: space(1), range: { first: page(index % 20), count: 2 } }],
    })
  }
  await store.close()
  const logs = source.names().filter((name) => name.endsWith('.log'))
  for (let round = 0; round < 300; round++) {
    const directory = source.crash(Prng.fromSeed(round))
    const name = logs[random.below(logs.length)] ?? first
    const bytes = directory.content(name).slice()
    const view = new DataView(bytes.buffer)
    for (let change = random.below(4); change >= 0; change--) {
      const block = random.below(bytes.length / 4096) * 4096
      const kind = random.below(5)
      if (kind === 0) bytes.set(random.bytes(random.below(4096)), block)
      else if (kind === 1) bytes.fill(0, block, block + 4096 * (1 + random.below(8)))
      else if (kind === 2) bytes.copyWithin(block, random.below(bytes.length / 4096) * 4096, block + 4096)
      else {
        // Lies with right checksums: in the head, and in the table.
        if (kind === 3)
          view.setUint32(block + 34 + 4 * random.below(5), random.uint32() >>> random.below(32), true)
        else {
          const tableBytes = Math.min(view.getUint32(block + 42, true), 4096 - 64)
          for (let at = 0; at < 3; at++)
            bytes[block + 64 + random.below(Math.max(1, tableBytes))] = random.uint32()
          view.setUint32(block + 50, checksum(bytes.subarray(block + 64, block + 64 + tableBytes), 0), true)
        }
        view.setUint32(block + 60, checksum(bytes.subarray(block, block + 60), 0), true)
      }
    }
    directory.place(name, bytes)
    for (const acceptDamage of [false, true]) {
      let outcome = 'opened'
      try {
        const opened = await open(directory, { acceptDamage })
        await opened.scrub()
        await opened.commit(writes(write(3, 3, 3)))
        await opened.close()
      } catch (reason) {
        assert(
          reason instanceof KhazanaError,
          `round ${round}: ${String(reason instanceof Error ? reason.stack : reason)}`,
        )
        outcome = reason.code
      }
      assert(['opened', 'damaged', 'bad-format'].includes(outcome), `round ${round}: ${outcome}`)
      const key = `${outcome}${acceptDamage ? ' accepted' : ''}`
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1)
    }
  }
  assert(
    (outcomes.get('opened') ?? 0) > 20 && (outcomes.get('damaged') ?? 0) > 20,
    JSON.stringify([...outcomes]),
  )
  assert.equal(outcomes.get('damaged accepted') ?? 0, 0, JSON.stringify([...outcomes]))
})

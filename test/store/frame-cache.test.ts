import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { BufferPool } from '../../src/store/buffer-pool.js'
import { type EvictAnswer, FrameCache, type Frame, newFrame } from '../../src/store/frame-cache.js'

const pageBytes = 4096

/** A program that touches pages by number through a cache, and counts what it must fetch. */
class Reader {
  readonly frames = new Map<number, Frame>()
  readonly cache: FrameCache
  misses = 0
  answer: (frame: Frame) => EvictAnswer = () => 'evicted'

  constructor(pages: number) {
    this.cache = new FrameCache({
      bytesMax: pages * pageBytes,
      evict: (frame) => {
        assert.equal(frame.pins, 0)
        const answer = this.answer(frame)
        if (answer === 'evicted') this.frames.delete(frame.queued.key)
        return answer
      },
    })
  }

  touch(page: number): Frame | undefined {
    const known = this.frames.get(page)
    if (known !== undefined) {
      known.uses++
      return known
    }
    this.misses++
    const frame = newFrame(new Uint8Array(pageBytes))
    if (!this.cache.insert(frame, page)) return undefined
    this.frames.set(page, frame)
    assert(this.cache.usedBytes <= this.cache.bytesMax)
    return frame
  }
}

test('a hot set survives a long scan of pages that are read once', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = Prng.fromSeed(seed)
    const reader = new Reader(200)
    const hot = 120
    for (let round = 0; round < 20; round++) for (let page = 0; page < hot; page++) reader.touch(page)
    let hotMisses = 0
    let scanned = 1000
    for (let step = 0; step < 20_000; step++) {
      if (random.chance(0.5)) {
        reader.touch(scanned++)
        continue
      }
      const before = reader.misses
      reader.touch(random.below(hot))
      hotMisses += reader.misses - before
    }
    assert(hotMisses < 100, `seed ${seed}: ${hotMisses} of some 10000 hot reads missed`)
  }
})

test('a hot set that moves is followed', () => {
  const reader = new Reader(100)
  for (let phase = 0; phase < 5; phase++) {
    const missesOfRound: number[] = []
    for (let round = 0; round < 12; round++) {
      const before = reader.misses
      for (let page = 0; page < 80; page++) reader.touch(phase * 1000 + page)
      missesOfRound.push(reader.misses - before)
    }
    assert.equal(missesOfRound.at(-1), 0, `phase ${phase}: ${missesOfRound.join(' ')}`)
  }
})

test('under random inserts, pins, refusals and removals the limit holds and the frames agree', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = Prng.fromSeed(seed)
    const reader = new Reader(40)
    const pinned: Frame[] = []
    reader.answer = () => (random.chance(0.2) ? 'kept' : 'evicted')
    for (let step = 0; step < 3000; step++) {
      const frame = reader.touch(random.below(120))
      if (frame !== undefined && random.chance(0.2) && pinned.length < 20) {
        frame.pins++
        pinned.push(frame)
      }
      if (random.chance(0.2)) {
        const released = pinned.splice(random.below(pinned.length + 1), 1)[0]
        if (released !== undefined) released.pins--
      }
      if (random.chance(0.05)) {
        const page = random.below(120)
        const known = reader.frames.get(page)
        if (known?.pins === 0) {
          reader.cache.remove(known)
          reader.frames.delete(page)
        }
      }
      assert.equal(reader.cache.count, reader.frames.size, `seed ${seed}`)
      assert.equal(reader.cache.usedBytes, reader.frames.size * pageBytes, `seed ${seed}`)
      for (const held of pinned)
        assert(reader.frames.get(held.queued.key) === held, `seed ${seed}: a pinned frame left`)
    }
  }
})

test('when everything is pinned or kept, an insert is refused and changes nothing', () => {
  const reader = new Reader(10)
  for (let page = 0; page < 10; page++) {
    const frame = reader.touch(page)
    assert(frame !== undefined)
    frame.uses = 1000
    if (page % 2 === 0) frame.pins++
  }
  reader.answer = () => 'kept'
  assert.equal(reader.touch(11), undefined)
  assert.equal(reader.cache.count, 10)
  reader.answer = () => 'evicted'
  assert(reader.touch(11) !== undefined)
  assert.equal(reader.cache.count, 10)
})

test('a frame larger than the limit is refused without evicting anything', () => {
  const reader = new Reader(10)
  for (let page = 0; page < 10; page++) reader.touch(page)
  assert.equal(reader.cache.insert(newFrame(new Uint8Array(11 * pageBytes)), 99), false)
  assert.equal(reader.cache.count, 10)
})

test('with a lower limit frames go at once, the hot ones last, and what is held goes later', () => {
  const reader = new Reader(1000)
  for (let page = 0; page < 1000; page++) reader.touch(page)
  for (let page = 0; page < 50; page++) reader.touch(page)
  assert.equal(reader.cache.resize(100 * pageBytes), true)
  assert.equal(reader.cache.bytesMax, 100 * pageBytes)
  assert.equal(reader.cache.usedBytes, 100 * pageBytes)
  for (let page = 0; page < 50; page++) assert(reader.frames.has(page), `page ${page} was used again`)

  for (const frame of reader.frames.values()) frame.pins++
  assert.equal(reader.cache.resize(10 * pageBytes), false)
  assert.equal(reader.cache.usedBytes, 100 * pageBytes)
  assert.equal(reader.touch(5000), undefined, 'no frame comes while there are too many')
  for (const frame of reader.frames.values()) frame.pins--
  assert.equal(reader.cache.resize(10 * pageBytes), true)
  assert.equal(reader.cache.usedBytes, 10 * pageBytes)

  assert.equal(reader.cache.resize(20 * pageBytes), true)
  for (let page = 6000; page < 6010; page++) assert(reader.touch(page) !== undefined)
  assert.equal(reader.cache.usedBytes, 20 * pageBytes)
})

test('however many frames are held, a lower limit finds those that are not', () => {
  const reader = new Reader(2000)
  for (let page = 0; page < 2000; page++) {
    const frame = reader.touch(page)
    if (frame !== undefined && page < 1000) frame.pins++
  }
  assert.equal(reader.cache.resize(1000 * pageBytes), true)
  assert.deepEqual(
    [...reader.frames.keys()],
    Array.from({ length: 1000 }, (_, page) => page),
  )
})

test('the pool gives up what lies unused when it is to keep less', () => {
  const pool = new BufferPool(3 * pageBytes)
  for (let count = 0; count < 3; count++) pool.give(new Uint8Array(pageBytes))
  pool.resize(2 * pageBytes)
  assert.equal(pool.freeBytes, 0)
  for (let count = 0; count < 3; count++) pool.give(new Uint8Array(pageBytes))
  assert.equal(pool.freeBytes, 2 * pageBytes)
  pool.resize(4 * pageBytes)
  assert.equal(pool.freeBytes, 2 * pageBytes)
})

test('the pool gives buffers again by their length, and keeps no more than it may', () => {
  const pool = new BufferPool(3 * pageBytes)
  const first = pool.take(pageBytes)
  pool.give(first)
  assert.equal(pool.freeBytes, pageBytes)
  assert.equal(pool.take(2 * pageBytes).length, 2 * pageBytes)
  assert(pool.take(pageBytes) === first)
  for (let count = 0; count < 5; count++) pool.give(new Uint8Array(pageBytes))
  assert.equal(pool.freeBytes, 3 * pageBytes)
  assert.throws(() => pool.give(new Uint8Array(2 * pageBytes).subarray(0, pageBytes)), {
    name: 'AssertionError',
  })
})

test('costs no more for each page when very many have come and gone', () => {
  const run = (pages: number, evictions: number): number => {
    const cache = new FrameCache({ bytesMax: pages, evict: () => 'evicted' })
    for (let key = 0; key < pages; key++) cache.insert(newFrame(new Uint8Array(1)), key)
    const begun = process.cpuUsage()
    for (let key = pages; key < pages + evictions; key++) cache.insert(newFrame(new Uint8Array(1)), key)
    return process.cpuUsage(begun).user / evictions
  }
  run(1000, 50_000)
  const few = run(1000, 100_000)
  const many = run(60_000, 200_000)
  // Some 6 times, by the memory that it takes; 24 times where the oldest key is looked for among those that have gone.
  assert.ok(many < 14 * few, `${many} us for each, and ${few} us where the cache is small`)
})

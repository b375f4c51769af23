import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addressFrom, addressSpaceEnd } from '../../src/address/address.js'
import { nodeId, nodeIdMax } from '../../src/address/identity.js'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { entriesFrom } from '../../src/location/address-map/entries.js'
import { type Found, findInMap } from '../../src/location/address-map/find.js'
import { loadMap } from '../../src/location/address-map/load.js'
import type { MapEntry, SubtreeEntry } from '../../src/location/address-map/map-entry.js'
import { entriesPerPageMax, mapPageBytes } from '../../src/location/address-map/map-layout.js'
import { PageSpace } from '../../src/location/address-map/page-space.js'
import { reserveInMap } from '../../src/location/address-map/reserve.js'
import { unreserveInMap } from '../../src/location/address-map/unreserve.js'
import { updateInMap } from '../../src/location/address-map/update.js'
import { carryOut, checkSound, type Pages, pictureOf, reserved, run } from './map-fixture.js'

const pagesMax = 100

describe('an address map', () => {
  test('has at least 48 entries on a page', () => {
    assert.equal(entriesPerPageMax, 63)
  })

  test('knows nothing before it is initialised, and then that all is free', () => {
    const pages: Pages = new Map()
    assert.deepEqual(find(pages, 0x1000), { kind: 'uninitialised' })
    assert.equal(run(loadMap(pagesMax), pages), undefined)
    assert.throws(() => run(reserveInMap(new PageSpace(pagesMax), reserved(0, 1)), pages), {
      code: 'invalid-argument',
    })
    assert.throws(() => run(entriesFrom(undefined, pagesMax), pages), { code: 'invalid-argument' })

    pages.set(0, emptyMap({ start: 0x1000n, size: 0x1000n }))
    assert.deepEqual(find(pages, 0x1000), { kind: 'free', start: 0x1000n, size: 0x1000n })
    assert.deepEqual(find(pages, 0xfff), { kind: 'outside' })
    assert.deepEqual(find(pages, 0x2000), { kind: 'outside' })
    assert.equal(run(loadMap(pagesMax), pages)?.freeCount, pagesMax - 1)
  })

  test('tells of regions, of other maps, and of what is free between them', () => {
    const { pages, space } = wholeMap()
    const region = { ...reserved(0x1000, 0x2000, 2 ** 53 - 1), homes: [1, 2, 3, nodeIdMax].map(nodeId) }
    const last = reserved(addressSpaceEnd - 1n, 1n, 0)
    for (const entry of [region, subtree(0x8000, 0x1000), last])
      assert.equal(carryOut(reserveInMap(space, entry), pages), 1)
    assert.deepEqual(find(pages, 0x0fff), { kind: 'free', start: 0n, size: 0x1000n })
    assert.deepEqual(find(pages, 0x1000), region)
    assert.deepEqual(find(pages, 0x2fff), region)
    assert.deepEqual(find(pages, 0x3000), { kind: 'free', start: 0x3000n, size: 0x5000n })
    assert.deepEqual(find(pages, 0x8800), subtree(0x8000, 0x1000))
    assert.deepEqual(find(pages, addressSpaceEnd - 1n), last)
    const batch = run(entriesFrom(undefined, pagesMax), pages)
    assert.deepEqual(batch, { entries: [region, subtree(0x8000, 0x1000), last], next: undefined })
    assert.equal(run(entriesFrom(addressFrom(0x2fffn), pagesMax), pages).entries.length, 3)
    assert.equal(run(entriesFrom(addressFrom(0x3000n), pagesMax), pages).entries.length, 2)
  })

  test('holds one entry over all of global memory', () => {
    const { pages, space } = wholeMap()
    carryOut(reserveInMap(space, reserved(0n, addressSpaceEnd)), pages)
    assert.deepEqual(find(pages, addressSpaceEnd - 1n), reserved(0n, addressSpaceEnd))
  })

  test('writes nothing for what it says already, or never said', () => {
    const { pages, space } = wholeMap()
    carryOut(reserveInMap(space, reserved(0x1000, 0x1000, 3)), pages)
    carryOut(reserveInMap(space, subtree(0x8000, 0x1000)), pages)
    assert.equal(carryOut(reserveInMap(space, reserved(0x1000, 0x1000, 3)), pages), 0)
    assert.equal(carryOut(updateInMap(space, reserved(0x1000, 0x1000, 3)), pages), 0)
    const { map } = subtree(0, 1)
    for (const name of [
      { kind: 'reserved', start: addressFrom(0x1000n), generation: 4 } as const,
      { kind: 'reserved', start: addressFrom(0x1001n), generation: 3 } as const,
      { kind: 'reserved', start: addressFrom(0n), generation: 3 } as const,
      { kind: 'subtree', start: addressFrom(0x1000n), map } as const,
      { kind: 'subtree', start: addressFrom(0x8000n), map: addressFrom(map + 1n) } as const,
    ]) {
      assert.equal(carryOut(unreserveInMap(space, name), pages), 0)
    }
    assert.equal(
      carryOut(unreserveInMap(space, { kind: 'subtree', start: addressFrom(0x8000n), map }), pages),
      1,
    )
    assert.equal(carryOut(unreserveInMap(space, reserved(0x1000, 1, 3)), pages), 1)
  })

  test('changes an entry with one write, and only where it has that range', () => {
    const { pages, space } = wholeMap()
    carryOut(reserveInMap(space, reserved(0x1000, 0x1000, 3)), pages)
    assert.equal(carryOut(updateInMap(space, reserved(0x1000, 0x1000, 4, 7)), pages), 1)
    assert.deepEqual(find(pages, 0x1000), reserved(0x1000, 0x1000, 4, 7))
    for (const entry of [reserved(0x1000, 0x1001), reserved(0x1001, 0xfff), reserved(0, 1)]) {
      assert.throws(() => run(updateInMap(space, entry), pages), { code: 'invalid-argument' })
    }
  })

  test('refuses what overlaps, leaves its range or means nothing', () => {
    const pages: Pages = new Map([[0, emptyMap({ start: 0x1000n, size: 0x8000n })]])
    const space = new PageSpace(pagesMax)
    carryOut(reserveInMap(space, reserved(0x2000, 0x1000, 3)), pages)
    const good = reserved(0x4000, 0x1000)
    const refused: readonly [RegExp, MapEntry][] = [
      [/::2000 to ::2fff is reserved, generation 3/, reserved(0x1000, 0x1001)],
      [/::2000 to ::2fff is reserved/, reserved(0x2fff, 1)],
      [/::2000 to ::2fff is reserved/, reserved(0x1000, 0x8000)],
      [/::2000 to ::2fff is reserved/, reserved(0x2000, 0x1000, 3, 2)],
      [/leaves the range/, reserved(0xfff, 1)],
      [/leaves the range/, reserved(0x8fff, 2)],
      [/at least one byte/, reserved(0x4000, 0)],
      [/inside global memory/, { ...good, size: addressSpaceEnd }],
      [/has 0 homes/, { ...good, homes: [] }],
      [/has 5 homes/, { ...good, homes: [1, 2, 3, 4, 5].map(nodeId) }],
      [/home 1 twice/, { ...good, homes: [1, 1].map(nodeId) }],
      [/is no node's id/, { ...good, homes: [0 as never] }],
      [/its generation/, { ...good, generation: 2 ** 53 }],
      [/its generation/, { ...good, generation: -1 }],
      [/its map is at no address/, { ...subtree(0x4000, 1), map: addressSpaceEnd as never }],
    ]
    const before = pages.get(0)?.slice()
    for (const [message, entry] of refused) {
      assert.throws(() => run(reserveInMap(space, entry), pages), { code: 'invalid-argument', message })
    }
    assert.deepEqual(pages.get(0), before)
  })

  test('has no space when its region is full, and room again for what is given back', () => {
    const pages: Pages = new Map([[0, emptyMap({ start: 0n, size: 0x100000n })]])
    const space = new PageSpace(8, { entriesMax: 4, childrenMax: 4 })
    let count = 0
    const fill = (): unknown => {
      try {
        for (; ; count++) carryOut(reserveInMap(space, reserved(count * 16, 16)), pages)
      } catch (reason) {
        return reason
      }
    }
    assert.match(String(fill()), /needs 1 more pages, and 0 of its 8 are free/)
    const full = pictureOf(pages)
    assert.throws(() => run(reserveInMap(space, reserved(count * 16, 16)), pages), { code: 'no-space' })
    assert.equal(pictureOf(pages), full)
    checkSound(pages, space)

    for (let index = 0; index < count; index++) {
      carryOut(unreserveInMap(space, reserved(index * 16, 16)), pages)
      checkSound(pages, space)
    }
    assert.equal(space.freeCount, 7)
    assert.equal(pages.size, 1)
  })

  test('puts sparse pages together only where that leaves room', () => {
    const { pages } = wholeMap()
    const space = new PageSpace(pagesMax, { entriesMax: 4, childrenMax: 4 })
    for (let index = 0; index < 8; index++) carryOut(reserveInMap(space, reserved(index * 16, 16)), pages)
    for (const index of [7, 6, 5, 3, 2])
      assert.equal(carryOut(unreserveInMap(space, reserved(index * 16, 16)), pages), 1)
    assert.match(pictureOf(pages), /page 1, leaf.*page 2, leaf/s)
    carryOut(unreserveInMap(space, reserved(16, 16)), pages)
    assert.match(pictureOf(pages), /^page 0, leaf/)
    assert.equal(space.freeCount, pagesMax - 1)
  })

  test('is a tree of pages, to be read', () => {
    const pages: Pages = new Map([[0, emptyMap({ start: 0x1000n, size: 0xf000n })]])
    const space = new PageSpace(pagesMax, { entriesMax: 3, childrenMax: 3 })
    for (const start of [0x1000, 0x2000, 0x3000, 0x4000, 0x6000]) {
      carryOut(reserveInMap(space, reserved(start, 0x1000, 1, 2)), pages)
    }
    carryOut(reserveInMap(space, subtree(0x8000, 0x2000)), pages)
    assert.equal(
      pictureOf(pages),
      `page 0, level 1: ::1000 to ::ffff
  page 1, leaf: ::1000 to ::3fff
    ::1000 to ::1fff reserved, generation 1, at 2
    ::2000 to ::2fff reserved, generation 1, at 2
    ::3000 to ::3fff reserved, generation 1, at 2
  page 2, leaf: ::4000 to ::ffff
    ::4000 to ::4fff reserved, generation 1, at 2
    ::6000 to ::6fff reserved, generation 1, at 2
    ::8000 to ::9fff in the map 0:0:1:: at 1, 2
`,
    )
    // The border between the two leaves has to make room.
    for (const start of [0x3000, 0x4000]) carryOut(unreserveInMap(space, reserved(start, 0x1000)), pages)
    carryOut(reserveInMap(space, reserved(0x3000, 0x2000, 5)), pages)
    assert.equal(
      pictureOf(pages),
      `page 0, level 1: ::1000 to ::ffff
  page 1, leaf: ::1000 to ::4fff
    ::1000 to ::1fff reserved, generation 1, at 2
    ::2000 to ::2fff reserved, generation 1, at 2
    ::3000 to ::4fff reserved, generation 5, at 1
  page 2, leaf: ::5000 to ::ffff
    ::6000 to ::6fff reserved, generation 1, at 2
    ::8000 to ::9fff in the map 0:0:1:: at 1, 2
`,
    )
  })

  test('asks for regions of 1 to 2^32 pages', () => {
    for (const count of [0, 1.5, 2 ** 32 + 1]) {
      assert.throws(() => new PageSpace(count), { code: 'invalid-argument' })
    }
    assert.equal(new PageSpace(1).freeCount, 0)
    assert.equal(emptyMap({ start: 0n, size: 1n }).length, mapPageBytes)
    assert.throws(() => emptyMap({ start: 0n, size: 0n }), { code: 'invalid-argument' })
  })
})

function wholeMap(): { readonly pages: Pages; readonly space: PageSpace } {
  return {
    pages: new Map([[0, emptyMap({ start: 0n, size: addressSpaceEnd })]]),
    space: new PageSpace(pagesMax),
  }
}

function subtree(start: number, size: number): SubtreeEntry {
  return {
    kind: 'subtree',
    start: addressFrom(BigInt(start)),
    size: BigInt(size),
    map: addressFrom(1n << 80n),
    homes: [1, 2].map(nodeId),
  }
}

function find(pages: Pages, address: number | bigint): Found {
  return run(findInMap(addressFrom(BigInt(address)), pagesMax), pages)
}

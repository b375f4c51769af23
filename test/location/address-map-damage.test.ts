import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { checkMap } from '../../src/location/address-map/check-map.js'
import { entriesFrom } from '../../src/location/address-map/entries.js'
import { findInMap } from '../../src/location/address-map/find.js'
import { loadMap } from '../../src/location/address-map/load.js'
import * as layout from '../../src/location/address-map/map-layout.js'
import { MapPage } from '../../src/location/address-map/map-page.js'
import type { PageWrite, Reading } from '../../src/location/address-map/page-access.js'
import { checkedPage } from '../../src/location/address-map/page-check.js'
import { PageSpace } from '../../src/location/address-map/page-space.js'
import { reconcile } from '../../src/location/address-map/reconcile.js'
import { reserveInMap } from '../../src/location/address-map/reserve.js'
import { unreserveInMap } from '../../src/location/address-map/unreserve.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { bytesOf, carryOut, type Pages, perform, pictureOf, reserved, run } from './map-fixture.js'

const pagesMax = 40
const fill = { entriesMax: 4, childrenMax: 3 }
const addresses = Array.from({ length: 32 }, (_, index) => addressFrom(0x1000n + BigInt(index) * 0x80n))

describe('a damaged page of an address map', () => {
  test('is told by what is wrong with it', () => {
    const leaf = MapPage.empty(0, 0x1000n, 0x1fffn)
    leaf.insertEntry(0, reserved(0x1000, 0x10))
    leaf.insertEntry(1, reserved(0x1010, 0x10))
    const parent = MapPage.empty(1, 0x1000n, 0x1fffn)
    parent.insertChild(0, 0x1000n, 1)
    parent.insertChild(1, 0x1800n, 2)
    const entry = layout.slotsAt
    const child = layout.slotsAt
    const cases: readonly [MapPage, number, number, RegExp][] = [
      [leaf, 0, 1, /page 7 of an address map is damaged: it does not begin like one/],
      [leaf, 4, 2, /it has format 2, and only 1 is known here/],
      [leaf, 5, 16, /it has level 16/],
      [leaf, 7, 64, /it cannot have 64 slots/],
      [leaf, 7, 1, /something behind its last slot/],
      [leaf, 7, 3, /entry 2 begins before entry 1 ends/],
      [leaf, 9, 1, /header has bits that mean nothing/],
      [leaf, 63, 1, /header has bits that mean nothing/],
      [leaf, 46, 0, /its range ends before it begins/],
      [leaf, entry + 14, 0x0f, /its entries begin before its range/],
      [leaf, entry + 31, 0x10, /entry 1 begins before entry 0 ends/],
      [leaf, entry + 30, 0x0f, /entry 0 ends before it begins/],
      [leaf, entry + 64 + 30, 0x20, /its entries end behind its range/],
      [leaf, entry + 32, 3, /entry 0 is of kind 3, which means nothing/],
      [leaf, entry + 33, 0, /entry 0 has 0 homes/],
      [leaf, entry + 33, 5, /entry 0 has 5 homes/],
      [leaf, entry + 33, 2, /entry 0 has 0 for a home/],
      [leaf, entry + 35, 1, /entry 0 has bits that mean nothing/],
      [leaf, entry + 36, 0x10, /entry 0 has 1048577 for a home/],
      [leaf, entry + 41, 1, /entry 0 has 1 for a home/],
      [leaf, entry + 49, 0x20, /entry 0 has a generation of 2\^53 or more/],
      [leaf, entry + 63, 1, /entry 0 has bits that mean nothing/],
      [parent, 7, 0, /has no child/],
      [parent, child + 15, 1, /its first child begins elsewhere/],
      [parent, child + 19, 0, /child 0 is page 0, which is the root/],
      [parent, child + 20 + 14, 0x10, /child 1 is out of order/],
      [parent, child + 20 + 14, 0x20, /its last child begins behind its range/],
    ]
    for (const [page, at, value, message] of cases) {
      const bytes = page.share().slice()
      assert.equal(checkedPage(bytes, 7).count, 2)
      bytes[at] = value
      assert.throws(() => checkedPage(bytes, 7), { code: 'damaged', message })
    }
    const twice = leaf.share().slice()
    twice.set([2, 0, 0, 0, 0, 1, 0, 0, 1], entry + 33)
    assert.throws(() => checkedPage(twice, 7), { message: /entry 0 names its home 1 twice/ })
    assert.throws(() => checkedPage(leaf.share().subarray(1), 7), {
      code: 'damaged',
      message: /it has 4095 bytes/,
    })
    assert.throws(() => checkedPage(new Uint8Array(0), 7), { code: 'damaged' })
  })

  test('never leads in circles', () => {
    const { pages, space } = smallMap()
    const root = new MapPage(bytesOf(pages, 0))
    const inner = root.childOf(0)
    const page = new MapPage(bytesOf(pages, inner))
    page.remove(0, page.count)
    page.insertChild(0, page.start, inner)
    pages.set(inner, page.share())
    const expected = {
      code: 'damaged',
      message: new RegExp(`page ${inner} of an address map is damaged: it is of level`),
    }
    assert.throws(() => run(findInMap(addressFrom(0x1000n), pagesMax), pages), expected)
    assert.throws(() => run(reserveInMap(space, reserved(0x1040, 1)), pages), expected)
    assert.throws(() => run(unreserveInMap(space, reserved(0x1000, 1)), pages), expected)
    assert.throws(() => run(loadMap(pagesMax, fill), pages), {
      code: 'damaged',
      message: /as another page does/,
    })
    assert.match(run(checkMap(pagesMax), pages).problems.join('\n'), /as another page does/)
  })

  test('never makes its owner use a page twice', () => {
    const { pages, space } = smallMap()
    const leaf = [...pages.keys()].find((page) => new MapPage(bytesOf(pages, page)).level === 0)
    assert.ok(leaf !== undefined)
    // The owner believes it free, and the tree still leads there.
    space.giveBack(leaf)
    const message = new RegExp(`it leads to page ${leaf}, which is free`)
    assert.throws(() => run(reserveInMap(space, reserved(0x1040, 1)), pages), { code: 'damaged', message })
  })

  test('is named, with what is wrong about it, by a check of the map; the rest is checked all the same', () => {
    const { pages } = smallMap()
    const whole = run(checkMap(pagesMax), pages)
    assert.deepEqual(whole.problems, [])
    const [first, , third] = [...pages.keys()].filter((page) => new MapPage(bytesOf(pages, page)).level === 0)
    assert.ok(first !== undefined && third !== undefined)
    pages.set(first, new Uint8Array(layout.mapPageBytes).fill(1))
    pages.delete(third)
    const report = run(checkMap(pagesMax), pages)
    assert.deepEqual(report.problems.toSorted(), [
      `page ${first} of an address map is damaged: it does not begin like one`,
      `page ${third} of an address map is damaged: it does not begin like one`,
    ])
    assert.equal(report.pages, whole.pages)
    assert.ok(report.entries < whole.entries && report.entries > whole.entries - 9)
  })

  test('gives an answer or is called damaged, whatever its bytes are', () => {
    let damaged = 0
    let answered = 0
    for (let seed = 1; seed <= 1000; seed++) {
      const prng = Prng.fromSeed(seed)
      const { pages, space } = smallMap()
      for (let count = prng.int(1, 3); count > 0; count--) spoil(pages, prng)
      for (const operation of [
        () => findInMap(prng.pick(addresses), pagesMax),
        () => entriesFrom(prng.pick(addresses), pagesMax),
        ...Array.from({ length: 8 }, () => () => randomWork(space, prng)),
        () => loadMap(pagesMax, fill),
        () => checkMap(pagesMax),
        () => planNothing(),
      ]) {
        try {
          const result = run<unknown>(operation(), pages)
          if (Array.isArray(result)) for (const write of result as PageWrite[]) perform(write, pages, 'kept')
          answered += 1
        } catch (reason) {
          assert.ok(reason instanceof KhazanaError, `seed ${seed}: ${String(reason)}`)
          assert.ok(
            ['damaged', 'invalid-argument', 'no-space'].includes(reason.code),
            `seed ${seed}: ${reason.code}`,
          )
          if (reason.code === 'damaged') damaged += 1
        }
      }
    }
    assert.ok(damaged > 1000 && answered > 1000, `${damaged} damaged, ${answered} answered`)
  })
})

function randomWork(space: PageSpace, prng: Prng): Reading<readonly PageWrite[]> {
  if (prng.chance(0.7)) return unreserveInMap(space, reserved(prng.pick(addresses), 1))
  return reserveInMap(space, reserved(prng.pick(addresses) + 0x40n, prng.pick([0x10, 0x100])))
}

/** How many operations would empty the map. */
function* planNothing(): Reading<number> {
  return (yield* reconcile([], pagesMax)).length
}

const sound = buildSmallMap()

/** Four levels. */
function smallMap(): { readonly pages: Pages; readonly space: PageSpace } {
  const pages = new Map(sound)
  return { pages, space: run(loadMap(pagesMax, fill), pages) ?? new PageSpace(pagesMax, fill) }
}

function buildSmallMap(): Pages {
  const pages: Pages = new Map([[0, emptyMap({ start: 0x1000n, size: 0x1000n })]])
  const space = new PageSpace(pagesMax, fill)
  for (const address of addresses) carryOut(reserveInMap(space, reserved(address, 0x40)), pages)
  assert.match(pictureOf(pages), /^page 0, level 3/)
  return pages
}

/** Some bytes of a page are others, or the page is another one, or noise, or nothing. */
function spoil(pages: Pages, prng: Prng): void {
  const number = prng.pick([...pages.keys()])
  const bytes = bytesOf(pages, number)
  const kind = prng.below(10)
  if (kind === 0) pages.delete(number)
  else if (kind === 1) pages.set(number, prng.bytes(layout.mapPageBytes))
  else if (kind === 2) pages.set(number, bytesOf(pages, prng.pick([...pages.keys()])))
  else if (kind === 3) pages.set(number, bytes.subarray(0, prng.below(layout.mapPageBytes)))
  else if (kind < 6) {
    // A child is another page.
    const at = layout.slotsAt + prng.below(3) * layout.childBytes + layout.childPageAt
    bytes[at + 3] = prng.below(pagesMax)
    pages.set(number, bytes)
  } else {
    // Where it hurts: in the header, the first slots, the page numbers of children.
    for (let count = prng.int(1, 3); count > 0; count--)
      bytes[prng.below(layout.slotsAt + 140)] = prng.below(32)
    pages.set(number, bytes)
  }
}

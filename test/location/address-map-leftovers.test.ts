import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { checkMap } from '../../src/location/address-map/check-map.js'
import { entriesFrom } from '../../src/location/address-map/entries.js'
import { loadMap } from '../../src/location/address-map/load.js'
import type { ReservedEntry } from '../../src/location/address-map/map-entry.js'
import type { PageWrite, Reading } from '../../src/location/address-map/page-access.js'
import { PageSpace } from '../../src/location/address-map/page-space.js'
import { reserveInMap } from '../../src/location/address-map/reserve.js'
import { unreserveInMap } from '../../src/location/address-map/unreserve.js'
import { bytesOf, carryOut, checkSound, type Pages, perform, reserved, run } from './map-fixture.js'
import { checkAnswers, modelRange } from './map-model.js'

const pagesMax = 20
const fill = { entriesMax: 4, childrenMax: 4 }

/** What random work meets too seldom. Entries are numbered by their place, 16 bytes each. */
describe('what an operation on an address map leaves when it is cut off', () => {
  let pages: Pages
  let space: PageSpace

  beforeEach(() => {
    pages = new Map([[0, emptyMap(modelRange)]])
    space = new PageSpace(pagesMax, fill)
  })

  test('a page that was widened is not asked about its new part', () => {
    reserveAll(0, 1, 2, 3, 4, 6, 7)
    unreserveAll(4, 1, 2)
    cutOff(unreserveInMap(space, entryAt(3)), 2)
    assert.deepEqual(leftovers(), [
      'page 1 still tells of ::1000 to ::17ff, and is asked for ::1000 to ::103f only',
    ])
    reserveAll(5)
    checkAnswers(pages, pagesMax, [[0, 5, 6, 7].map((place) => entryAt(place))], 'with leftovers')
    reserveAll(1)
    checkSound(pages, space)
  })

  test('a page that was not trimmed is not asked about the part that it has lost', () => {
    reserveAll(0, 1, 2, 3, 4, 8, 9)
    unreserveAll(3, 4)
    cutOff(reserveInMap(space, entryAt(3, 3)), 2)
    assert.deepEqual(leftovers(), [
      'page 2 still tells of ::1040 to ::17ff, and is asked for ::1060 to ::17ff only',
    ])
    carryOut(reserveInMap(space, entryAt(3, 3)), pages)
    checkAnswers(
      pages,
      pagesMax,
      [[entryAt(0), entryAt(1), entryAt(2), entryAt(3, 3), entryAt(8), entryAt(9)]],
      '',
    )
    reserveAll(6)
    checkSound(pages, space)
  })

  test('a leaf without entries goes when its range is needed, and its page is not used by the same operation', () => {
    reserveAll(0, 1, 2)
    carryOut(reserveInMap(space, reserved(entryAt(3).start, 8)), pages)
    reserveAll(4, 5, 6, 7, 8, 9, 10, 11)
    unreserveAll(4, 5, 6)
    cutOff(unreserveInMap(space, entryAt(7)), 1)
    assert.deepEqual(leftovers(), ['page 2 has no entries'])
    const across = reserved(entryAt(3).start + 8n, 24)
    const writes = run(reserveInMap(space, across), pages)
    const released = writes.findIndex(({ kind }) => kind === 'release')
    assert.ok(released >= 0 && released < writes.length - 1)
    assert.ok(writes.slice(released + 1).every(({ page }) => page !== writes[released]?.page))
    for (const write of writes) perform(write, pages)
    checkSound(pages, space)
  })

  test('an entry is seen once by whoever walks over a border that moves meanwhile', () => {
    reserveAll(0, 1, 2, 3, 4, 8, 9)
    unreserveAll(3, 4)
    const walk = entriesFrom(undefined, pagesMax)
    let step = walk.next()
    for (let reads = 0; reads < 2 && step.done !== true; reads++)
      step = walk.next(bytesOf(pages, step.value.page))
    carryOut(reserveInMap(space, entryAt(3, 3)), pages)
    while (step.done !== true) step = walk.next(bytesOf(pages, step.value.page))
    assert.deepEqual(step.value.entries.at(-1), entryAt(3, 3))
    assert.deepEqual(run(entriesFrom(step.value.next, pagesMax), pages).entries, [entryAt(8), entryAt(9)])
  })

  function reserveAll(...places: number[]): void {
    for (const place of places) carryOut(reserveInMap(space, entryAt(place)), pages)
  }

  function unreserveAll(...places: number[]): void {
    for (const place of places) carryOut(unreserveInMap(space, entryAt(place)), pages)
  }

  /** Only so many writes are performed; then the owner starts again. */
  function cutOff(operation: Reading<readonly PageWrite[]>, count: number): void {
    const writes = run(operation, pages)
    assert.ok(writes.length > count)
    for (const write of writes.slice(0, count)) perform(write, pages)
    const loaded = run(loadMap(pagesMax, fill), pages)
    assert.ok(loaded !== undefined)
    space = loaded
  }

  function leftovers(): readonly string[] {
    return run(checkMap(pagesMax), pages).leftovers
  }
})

function entryAt(place: number, length = 1): ReservedEntry {
  return reserved(modelRange.start + BigInt(place) * 16n, length * 16)
}

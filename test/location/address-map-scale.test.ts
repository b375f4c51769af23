import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { checkMap } from '../../src/location/address-map/check-map.js'
import { entriesFrom } from '../../src/location/address-map/entries.js'
import { findInMap } from '../../src/location/address-map/find.js'
import { loadMap } from '../../src/location/address-map/load.js'
import { lastOf, type MapEntry } from '../../src/location/address-map/map-entry.js'
import { entriesPerPageMax, mapPageBytes } from '../../src/location/address-map/map-layout.js'
import type { PageRead, Reading } from '../../src/location/address-map/page-access.js'
import { PageSpace } from '../../src/location/address-map/page-space.js'
import {
  carryOut as carryOutStep,
  type MapStep,
  reconcile,
} from '../../src/location/address-map/reconcile.js'
import { reserveInMap } from '../../src/location/address-map/reserve.js'
import { unreserveInMap } from '../../src/location/address-map/unreserve.js'
import { Prng } from '../../src/stdx/prng.js'
import { carryOut, checkSound, type Pages, reserved, run } from './map-fixture.js'

const pool = { start: 1n << 32n, size: 1n << 30n }
const pagesMax = 2 ** 14
const regionBytes = 4096

describe('an address map of a pool', () => {
  test('fills its pages with regions that are reserved in ascending order', () => {
    const { pages, space } = filledPool()
    const report = checkSound(pages, space)
    const leaves = Math.ceil(20_000 / entriesPerPageMax)
    assert.ok(report.pages <= leaves + 4, `${report.pages} pages, ${leaves} of them full leaves`)
    assert.ok((report.pages * mapPageBytes) / 20_000 < 66, 'bytes of an entry')
  })

  test('fills the pages above the leaves in that order, too', () => {
    const pages: Pages = new Map([[0, emptyMap(pool)]])
    const space = new PageSpace(pagesMax, { entriesMax: 4, childrenMax: 10 })
    for (let index = 0; index < 400; index++) carryOut(reserveInMap(space, entryOf(index)), pages)
    // 100 leaves, 9 of them on each page but the last; splitting in the middle would leave 5.
    assert.equal(checkSound(pages, space).pages, 100 + 11 + 2 + 1)
  })

  test('is searched by reading 3 pages', () => {
    const { pages } = filledPool()
    const reading = findInMap(entryOf(12_345).start, pagesMax)
    let reads = 0
    let step = reading.next()
    for (; step.done !== true; reads++)
      step = reading.next(pages.get(step.value.page) ?? new Uint8Array(mapPageBytes))
    assert.deepEqual(step.value, entryOf(12_345))
    assert.equal(reads, 3)
  })

  test('writes one page for most changes', () => {
    const { pages, space } = filledPool()
    const prng = Prng.fromSeed(1)
    const indices = prng.shuffle(Array.from({ length: 20_000 }, (_, index) => index)).slice(0, 4000)
    let writes = 0
    for (const index of indices) writes += carryOut(unreserveInMap(space, entryOf(index)), pages)
    for (const index of indices) writes += carryOut(reserveInMap(space, entryOf(index, 2)), pages)
    assert.ok(writes < 8000 * 1.1, `${writes} writes for 8,000 changes`)
    checkSound(pages, space)
  })

  test('gives its pages back as it shrinks', () => {
    const { pages, space } = filledPool()
    const order = Prng.fromSeed(2).shuffle(Array.from({ length: 20_000 }, (_, index) => index))
    const half = checkAfterRemoving(pages, space, order.slice(0, 10_000))
    assert.ok(half.pages < 480, `${half.pages} pages for 10,000 entries`)
    const tenth = checkAfterRemoving(pages, space, order.slice(10_000, 18_000))
    assert.ok(tenth.pages < 100, `${tenth.pages} pages for 2,000 entries`)
    const none = checkAfterRemoving(pages, space, order.slice(18_000))
    assert.deepEqual([none.pages, none.entries, pages.size], [1, 0, 1])
    assert.equal(space.freeCount, pagesMax - 1)
  })

  test('has nothing to do where it says what the records say, and finds that out quickly', () => {
    const entries = Array.from({ length: 100_000 }, (_, index) => entryOf(index))
    const { pages } = poolOf(entries.length)
    const before = process.cpuUsage()
    const plan = run(reconcile(entries, pagesMax), pages)
    const { user, system } = process.cpuUsage(before)
    assert.deepEqual(plan, [])
    assert.ok(user + system < 1_000_000, `${user + system} microseconds`)
  })

  test('is made to say what the records say, by what differs alone', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const prng = Prng.fromSeed(seed)
      const { pages, space } = poolOf(2000)
      const wanted: MapEntry[] = []
      for (let index = 0; index < 2100; index++) {
        if (prng.chance(0.02)) continue
        if (prng.chance(0.02)) wanted.push(entryOf(index, 2))
        else if (prng.chance(0.02)) {
          // One region where there were up to three, out of step with them.
          const start = entryOf(index).start + 512n
          wanted.push(reserved(start, 2 * regionBytes, 3))
          index += 2
        } else wanted.push(entryOf(index))
      }
      const plan = run(reconcile(wanted, pagesMax), pages)
      assert.ok(plan.length > 100 && plan.length < 500, `seed ${seed}: ${plan.length} steps`)
      const kinds = plan.map(({ kind }) => kind)
      assert.ok(kinds.lastIndexOf('unreserve') < kinds.indexOf('reserve'))
      for (const step of plan) assert.ok(carryOut(carryOutStep(space, step), pages) > 0)
      assert.deepEqual(allEntries(pages), wanted)
      assert.deepEqual(run(reconcile(wanted, pagesMax), pages), [])
      checkSound(pages, space)
    }
  })

  test('is reconciled with records that are in order only', () => {
    const { pages } = poolOf(3)
    for (const wanted of [
      [entryOf(1), entryOf(0)],
      [entryOf(1), entryOf(1)],
      [reserved(pool.start, 2 * regionBytes), entryOf(1)],
      [{ ...entryOf(1), size: 0n }],
    ]) {
      const reading: Reading<readonly MapStep[]> = reconcile(wanted, pagesMax)
      assert.throws(() => run(reading, pages), { code: 'invalid-argument' })
    }
  })

  test('reads one page after the other, never a second one unasked', () => {
    const { pages } = poolOf(500)
    const asked: PageRead[] = []
    const reading = checkMap(pagesMax)
    for (let step = reading.next(); step.done !== true;) {
      asked.push(step.value)
      step = reading.next(pages.get(step.value.page) ?? new Uint8Array(mapPageBytes))
    }
    assert.equal(new Set(asked.map(({ page }) => page)).size, asked.length)
  })
})

function entryOf(index: number, generation = 1): MapEntry {
  return reserved(addressFrom(pool.start + BigInt(index) * BigInt(regionBytes)), regionBytes, generation)
}

function poolOf(regions: number): { readonly pages: Pages; readonly space: PageSpace } {
  const pages: Pages = new Map([[0, emptyMap(pool)]])
  const space = new PageSpace(pagesMax)
  for (let index = 0; index < regions; index++) carryOut(reserveInMap(space, entryOf(index)), pages)
  return { pages, space }
}

const filled = poolOf(20_000).pages

/** 20,000 regions, in ascending order. */
function filledPool(): { readonly pages: Pages; readonly space: PageSpace } {
  const space = run(loadMap(pagesMax), filled)
  assert.ok(space !== undefined)
  return { pages: new Map(filled), space }
}

function checkAfterRemoving(
  pages: Pages,
  space: PageSpace,
  indices: readonly number[],
): ReturnType<typeof checkSound> {
  for (const index of indices) carryOut(unreserveInMap(space, entryOf(index)), pages)
  return checkSound(pages, space)
}

function allEntries(pages: Pages): MapEntry[] {
  const entries: MapEntry[] = []
  let batch = run(entriesFrom(undefined, pagesMax), pages)
  for (;;) {
    entries.push(...batch.entries)
    if (batch.next === undefined) break
    batch = run(entriesFrom(batch.next, pagesMax), pages)
  }
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1]
    assert.ok(before === undefined || lastOf(before) < entry.start)
  }
  return entries
}

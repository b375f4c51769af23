import assert from 'node:assert/strict'
import { addressFrom, formatAddress } from '../../src/address/address.js'
import { nodeId } from '../../src/address/identity.js'
import { checkMap, type MapReport } from '../../src/location/address-map/check-map.js'
import { lastOf, type MapEntry, type ReservedEntry } from '../../src/location/address-map/map-entry.js'
import { mapPageBytes } from '../../src/location/address-map/map-layout.js'
import { MapPage } from '../../src/location/address-map/map-page.js'
import type { PageWrite, Reading } from '../../src/location/address-map/page-access.js'
import type { PageSpace } from '../../src/location/address-map/page-space.js'

/** The pages of a map's region, as they are on disk; all others are zeros. */
export type Pages = Map<number, Uint8Array>

/** What becomes of a page that is released: both are allowed. */
export type Released = 'zeros' | 'kept'

const blank = new Uint8Array(mapPageBytes)

/** No algorithm needs more pages than this in these tests: beyond it, it would never end. */
const readsMax = 100_000

/** Feeds an algorithm from the pages, which it must not change. */
export function run<T>(reading: Reading<T>, pages: Pages): T {
  let step = reading.next()
  for (let reads = 0; step.done !== true; reads++) {
    assert.ok(reads < readsMax, 'an algorithm that does not end')
    step = reading.next(pages.get(step.value.page) ?? blank)
  }
  return step.value
}

/** A copy. */
export function bytesOf(pages: Pages, page: number): Uint8Array {
  return pages.get(page)?.slice() ?? new Uint8Array(mapPageBytes)
}

export function perform(write: PageWrite, pages: Pages, released: Released = 'zeros'): void {
  if (write.kind === 'write') pages.set(write.page, write.bytes)
  else if (released === 'zeros') pages.delete(write.page)
}

/** Carries out an operation as a whole; how many pages it wrote. */
export function carryOut(operation: Reading<readonly PageWrite[]>, pages: Pages): number {
  const writes = run(operation, pages)
  for (const write of writes) perform(write, pages)
  return writes.filter(({ kind }) => kind === 'write').length
}

export function reserved(
  start: bigint | number,
  size: bigint | number,
  generation = 1,
  home = 1,
): ReservedEntry {
  return {
    kind: 'reserved',
    start: addressFrom(BigInt(start)),
    size: BigInt(size),
    generation,
    homes: [nodeId(home)],
  }
}

/** The map and what its owner knows of it are sound, and no page is lost. */
export function checkSound(
  pages: Pages,
  space: PageSpace,
  leftovers: 'clean' | 'after a crash' = 'clean',
): MapReport {
  const report = run(checkMap(space.pagesMax), pages)
  assert.deepEqual(report.problems, [])
  if (leftovers === 'clean') assert.deepEqual(report.leftovers, [])
  assert.equal(report.pages + space.freeCount, space.pagesMax, 'every page is used or free')
  return report
}

/** The tree, to be read. */
export function pictureOf(pages: Pages, number = 0, indent = ''): string {
  const page = new MapPage(bytesOf(pages, number))
  const slots = Array.from({ length: page.count }, (_, slot) => slot)
  const kind = page.level === 0 ? 'leaf' : `level ${page.level}`
  const heading = `${indent}page ${number}, ${kind}: ${rangeOf(page)}\n`
  if (page.level > 0) {
    return heading + slots.map((slot) => pictureOf(pages, page.childOf(slot), `${indent}  `)).join('')
  }
  return heading + slots.map((slot) => `${indent}  ${lineOf(page.entryOf(slot))}\n`).join('')
}

function rangeOf({ start, last }: { readonly start: bigint; readonly last: bigint }): string {
  return `${formatAddress(addressFrom(start))} to ${formatAddress(addressFrom(last))}`
}

function lineOf(entry: MapEntry): string {
  const range = rangeOf({ start: entry.start, last: lastOf(entry) })
  const homes = `at ${entry.homes.join(', ')}`
  if (entry.kind === 'subtree') return `${range} in the map ${formatAddress(entry.map)} ${homes}`
  return `${range} reserved, generation ${entry.generation}, ${homes}`
}

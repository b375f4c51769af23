import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { entriesFrom } from './entries.js'
import { checkEntry, isSameEntry, lastOf, type MapEntry, rangeText } from './map-entry.js'
import type { PageWrite, Reading } from './page-access.js'
import type { PageSpace } from './page-space.js'
import { reserveInMap } from './reserve.js'
import { unreserveInMap } from './unreserve.js'
import { updateInMap } from './update.js'

/** One operation on the map. */
export interface MapStep {
  readonly kind: 'reserve' | 'unreserve' | 'update'
  readonly entry: MapEntry
}

/**
 * The operations after which the map has the wanted entries, which ascend and are disjoint, and no others: none where it
 * does already. They are to be done in order: first what is too much goes, then comes what is missing. The map must not
 * change meanwhile.
 *
 * Throws `invalid-argument` where the wanted entries are malformed or not in order, and `damaged`.
 */
export function* reconcile(wanted: Iterable<MapEntry>, pagesMax: number): Reading<readonly MapStep[]> {
  const unreserves: MapStep[] = []
  const others: MapStep[] = []
  const records = inOrder(wanted)
  let record = records.next().value
  let batch = yield* entriesFrom(undefined, pagesMax)
  for (;;) {
    for (const entry of batch.entries) {
      for (; record !== undefined && record.start < entry.start; record = records.next().value) {
        others.push({ kind: 'reserve', entry: record })
      }
      if (record?.start === entry.start && record.size === entry.size) {
        if (!isSameEntry(record, entry)) others.push({ kind: 'update', entry: record })
        record = records.next().value
      } else unreserves.push({ kind: 'unreserve', entry })
    }
    if (batch.next === undefined) break
    batch = yield* entriesFrom(batch.next, pagesMax)
  }
  for (; record !== undefined; record = records.next().value) others.push({ kind: 'reserve', entry: record })
  return unreserves.concat(others)
}

/** What is to be written for one step of a plan. Throws as the operation does. */
export function carryOut(space: PageSpace, { kind, entry }: MapStep): Reading<readonly PageWrite[]> {
  switch (kind) {
    case 'reserve':
      return reserveInMap(space, entry)
    case 'unreserve':
      return unreserveInMap(space, entry)
    case 'update':
      return updateInMap(space, entry)
    default:
      return unreachable(kind)
  }
}

function* inOrder(wanted: Iterable<MapEntry>): Generator<MapEntry, undefined> {
  let before: MapEntry | undefined
  for (const entry of wanted) {
    checkEntry(entry)
    if (before !== undefined && lastOf(before) >= entry.start) {
      throw new KhazanaError(
        'invalid-argument',
        `entries are to be put into the map in order and disjoint: ${rangeText(entry.start, lastOf(entry))} follows ` +
          rangeText(before.start, lastOf(before)),
      )
    }
    before = entry
    yield entry
  }
}

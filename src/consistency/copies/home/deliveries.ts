import type { PageIndex, PageRange } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import { noBytes, pagesIn } from '../message.js'
import type { CopyStamp } from '../message.js'
import { notAllocated } from './commits.js'
import type { Delivery, HomeState } from './home-state.js'

/**
 * Sends a child what it lacks of the pages, once their frames are in memory. All that is sent is of the moment of sending,
 * and durable. A fetch waits while storage of its pages is taken away; a lock that is granted then came before that.
 */
export function deliver(home: HomeState, delivery: Delivery): void {
  if (isBlocked(home, delivery)) {
    home.blocked.push(delivery)
    return
  }
  if (!home.site.isAllocated(delivery.range)) {
    refuseDelivery(home, delivery, 'not-allocated', notAllocated)
    return
  }
  const lacking = lackingRange(home, delivery)
  if (lacking === undefined) send(home, delivery)
  else home.load({ kind: 'delivery', delivery, range: lacking })
}

/** The frames of the range are in memory. What was committed meanwhile may have made more pages lacking. */
export function onDelivered(home: HomeState, delivery: Delivery, range: PageRange): void {
  if (delivery.turn !== undefined && !home.table.has(delivery.turn)) return
  if (isBlocked(home, delivery)) {
    home.blocked.push(delivery)
    return
  }
  // The storage may have been taken away in the meantime.
  if (!home.site.isAllocated(delivery.range)) {
    refuseDelivery(home, delivery, 'not-allocated', notAllocated)
    return
  }
  const lacking = lackingRange(home, delivery)
  if (lacking !== undefined && !covers(range, lacking)) {
    home.load({ kind: 'delivery', delivery, range: delivery.range })
    return
  }
  send(home, delivery)
}

/** A fetch or a grant cannot be had: its pages cannot be read, or are gone. */
export function refuseDelivery(
  home: HomeState,
  { child, serial, turn }: Delivery,
  code: ErrorCode,
  message: string,
): void {
  if (turn !== undefined) home.table.remove(turn)
  home.send(child, { kind: 'refused', serial, code, message })
}

function isBlocked(home: HomeState, { turn, range }: Delivery): boolean {
  return turn === undefined && home.isSeized(range)
}

/** From the first page that the child lacks to the last one; undefined where it has them all. */
function lackingRange(home: HomeState, { range, known }: Delivery): PageRange | undefined {
  let first = -1
  let last = -1
  known.forEach((version, offset) => {
    const page = (range.first + offset) as PageIndex
    if (isNewest(home, page, version)) return
    if (first < 0) first = page
    last = page
  })
  return first < 0 ? undefined : { first: first as PageIndex, count: last - first + 1 }
}

function versionOf(home: HomeState, page: PageIndex): number {
  return home.pages.get(page)?.version ?? home.site.versionOf(page)
}

/** Whether a child that has bytes under that version has what is durable. */
function isNewest(home: HomeState, page: PageIndex, known: number): boolean {
  if (known === noBytes) return false
  const version = versionOf(home, page)
  if (home.policy.plantedBug === 'take-older-bytes') return known <= version
  return known === version || home.site.isCurrent?.(page, known) === true
}

function send(home: HomeState, { child, serial, range, known, turn }: Delivery): void {
  const copies: CopyStamp[] = []
  const frames: PageIndex[] = []
  if (known.length > 0) {
    let offset = 0
    for (const index of pagesIn(range)) {
      const page = home.page(index)
      const hasBytes = !isNewest(home, index, known[offset++] ?? noBytes)
      page.holders.set(child, page.version)
      copies.push({ page: index, version: page.version, hasBytes })
      if (hasBytes) frames.push(index)
    }
  }
  home.send(
    child,
    { kind: turn === undefined ? 'copies' : 'granted', serial, copies },
    frames.map((page) => ({ kind: 'frame', page })),
  )
}

function covers(outer: PageRange, inner: PageRange): boolean {
  return outer.first <= inner.first && inner.first + inner.count <= outer.first + outer.count
}

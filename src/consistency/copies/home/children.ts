import type { SiteId } from '../../../address/identity.js'
import type { PageIndex } from '../../../address/page.js'
import { messagePagesMax, overlaps } from '../message.js'
import type { ChildMessage } from '../message.js'
import { loseCommitsOf, notAllocated } from './commits.js'
import { deliver } from './deliveries.js'
import type { HomeState } from './home-state.js'

/** Locks of one child that are held or wait. */
const locksPerChildMax = 4096
/** Fetches of one child that are not answered. */
const fetchesPerChildMax = 4096

export function onChildLock(
  home: HomeState,
  child: SiteId,
  message: ChildMessage & { readonly kind: 'lock' },
): void {
  const { serial, range, mode, offset, length, tag, known } = message
  let locks = 0
  for (const { owner } of home.table) {
    if (owner.kind !== 'child' || owner.child !== child) continue
    if (owner.serial === serial) return
    locks += 1
  }
  if (locks >= locksPerChildMax) {
    home.send(child, { kind: 'refused', serial, code: 'busy', message: 'too many locks wait' })
    return
  }
  if (!home.site.isAllocated(range)) {
    home.send(child, { kind: 'refused', serial, code: 'not-allocated', message: notAllocated })
    return
  }
  home.table.add({
    owner: { kind: 'child', child, serial, known },
    range,
    mode,
    claim: { mode, offset, length, tag },
    isSeizure: false,
    state: 'waiting',
  })
}

/** The lock ends, or is not wanted any more. */
export function onChildUnlock(home: HomeState, child: SiteId, serial: number): void {
  for (const lock of home.table) {
    const { owner, state } = lock
    if (owner.kind !== 'child' || owner.child !== child || owner.serial !== serial) continue
    // One whose commit is on its way ends with that.
    if (state !== 'ending') home.table.remove(lock)
    return
  }
}

export function onFetch(
  home: HomeState,
  child: SiteId,
  { serial, range, known }: ChildMessage & { readonly kind: 'fetch' },
): void {
  if (range.count > messagePagesMax || known.length !== range.count) {
    home.send(child, {
      kind: 'refused',
      serial,
      code: 'protocol-error',
      message: 'a fetch of too many pages',
    })
    return
  }
  let open = 0
  for (const load of home.loads.values())
    if (load.kind === 'delivery' && load.delivery.child === child) open += 1
  for (const delivery of home.blocked) if (delivery.child === child) open += 1
  if (open >= fetchesPerChildMax) {
    home.send(child, { kind: 'refused', serial, code: 'busy', message: 'too many pages are being fetched' })
    return
  }
  deliver(home, { child, serial, range, known, turn: undefined })
}

export function onAck(home: HomeState, child: SiteId, serial: number, dropped: readonly PageIndex[]): void {
  onDrop(home, child, dropped)
  const owed = home.owed.get(serial)
  if (owed?.child !== child) return
  home.owed.delete(serial)
  owed.unacknowledged.delete(serial)
  onDrop(home, child, owed.drops)
  home.isStirred = true
}

/** The child has given up its copies, and has not asked for them again when it said so. */
export function onDrop(home: HomeState, child: SiteId, pages: readonly PageIndex[]): void {
  for (const index of pages) {
    const page = home.pages.get(index)
    if (page === undefined) continue
    page.holders.delete(child)
    home.forgetIfIdle(page)
  }
}

/** A dead child holds and wants nothing, and owes nothing. */
export function onChildLost(home: HomeState, child: SiteId): void {
  loseCommitsOf(home, child)
  for (const lock of [...home.table]) {
    if (lock.owner.kind === 'child' && lock.owner.child === child && lock.state !== 'ending')
      home.table.remove(lock)
  }
  for (const [number, load] of home.loads) {
    if (load.kind === 'delivery' && load.delivery.child === child) home.loads.delete(number)
  }
  home.blocked = home.blocked.filter((delivery) => delivery.child !== child)
  for (const [serial, owed] of home.owed) {
    if (owed.child !== child) continue
    home.owed.delete(serial)
    owed.unacknowledged.delete(serial)
  }
  for (const page of [...home.pages.values()]) {
    page.holders.delete(child)
    home.forgetIfIdle(page)
  }
  home.isStirred = true
}

/** Asks again for what waited for storage that was, in the end, not taken away, or whose pages are to be refused. */
export function unblock(home: HomeState): void {
  const { blocked } = home
  home.blocked = []
  for (const delivery of blocked) deliver(home, delivery)
}

/** Whether a commit over the pages waits for its batch. */
export function isQueued(
  home: HomeState,
  range: { readonly first: PageIndex; readonly count: number },
): boolean {
  return home.queue.some(({ pages }) => pages.some((page) => overlaps({ first: page, count: 1 }, range)))
}

import type { PageRange } from '../../../address/page.js'
import type { SiteId } from '../../../address/identity.js'
import type { PageIndex } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import { chunksOf, overlaps } from '../message.js'
import { isQueued, unblock } from './children.js'
import { failQueued } from './commits.js'
import { refuseDelivery } from './deliveries.js'
import type { HomeState, LocalLock } from './home-state.js'
import { refuseLocal } from './local-locks.js'
import type { TableLock } from './lock-table.js'

/*
 * To take storage away, everybody must have let go of the pages: the locks that take turns, which the table sees to, and
 * all others, whose sites are told to begin no more, and to answer when the last has ended. What such locks still commit
 * goes its way before. Then nothing begins on the pages until the caller is done.
 */

/** The lock has its turn. */
export function beginSeizure(home: HomeState, turn: TableLock): void {
  const unacknowledged = new Set<number>()
  home.seizures.push({ turn, unacknowledged, state: 'closing' })
  const held = new Map<SiteId, PageIndex[]>()
  for (const page of home.known(turn.range)) {
    for (const child of page.holders.keys()) {
      const pages = held.get(child)
      if (pages === undefined) held.set(child, [page.page])
      else pages.push(page.page)
    }
  }
  for (const [child, all] of held) {
    for (const pages of chunksOf(all)) {
      const serial = home.owe(child, unacknowledged, pages)
      home.send(child, { kind: 'invalidate', serial, pages, when: 'unused' })
    }
  }
}

/** Grants those whose pages nobody uses any more. */
export function advanceSeizures(home: HomeState): void {
  for (const seizure of home.seizures) {
    const { turn, unacknowledged, state } = seizure
    if (state !== 'closing' || unacknowledged.size > 0 || turn.owner.kind !== 'local') continue
    const isUsed = home
      .known(turn.range)
      .some(({ isBusy, readers, writers, commits }) => isBusy || readers > 0 || writers > 0 || commits > 0)
    if (isUsed || isQueued(home, turn.range)) continue
    const local = [...home.locals.values()].find((other) => other.turn === turn)
    if (local === undefined) continue
    seizure.state = 'held'
    home.locals.delete(local.lock)
    home.turns.add(local.terms, turn)
    home.effects.push({ kind: 'grant', lock: local.lock })
  }
}

export function endSeizure(home: HomeState, turn: TableLock): void {
  const at = home.seizures.findIndex((seizure) => seizure.turn === turn)
  if (at < 0) return
  const [ended] = home.seizures.splice(at, 1)
  for (const serial of ended?.unacknowledged ?? []) home.owed.delete(serial)
  home.isStirred = true
  unblock(home)
}

/** The pages have no storage any more: who waits for them hears why. */
export function onFreed(home: HomeState, range: PageRange, code: ErrorCode, message: string): void {
  const isHit = (local: LocalLock): boolean => !local.terms.seize && overlaps(local.range, range)
  for (const local of [...home.locals.values()]) if (isHit(local)) refuseLocal(home, local, code, message)
  for (const turn of [...home.table]) {
    if (turn.owner.kind !== 'child' || turn.state !== 'waiting' || !overlaps(turn.range, range)) continue
    const { child, serial, known } = turn.owner
    refuseDelivery(home, { child, serial, range: turn.range, known, turn }, code, message)
  }
  const refused = home.blocked.filter((delivery) => overlaps(delivery.range, range))
  home.blocked = home.blocked.filter((delivery) => !refused.includes(delivery))
  for (const delivery of refused) refuseDelivery(home, delivery, code, message)
  failQueued(home, range, code, message)
  for (const page of home.known(range)) {
    page.version = home.site.versionOf(page.page)
    home.forgetIfIdle(page)
  }
}

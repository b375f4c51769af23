import type { PageIndex, PageRange } from '../../../address/page.js'
import type { ParcelId } from '../../contract.js'
import { noBytes } from '../message.js'
import type { CopyStamp, PageChange } from '../message.js'
import { endFetch, isAskedAbout } from './child-locks.js'
import type { ChildPage } from './child-page.js'
import { isLocked } from './child-page.js'
import type { ChildState } from './child-state.js'

/** Updates of a page that nobody here reads, after which its copy is given up: others pay for it with each commit. */
export const idleUpdatesMax = 8

/** The answer to a fetch. */
export function onCopies(
  child: ChildState,
  serial: number,
  copies: readonly CopyStamp[],
  parcels: readonly ParcelId[],
): void {
  const fetched = child.fetches.get(serial)
  if (fetched === undefined) return
  child.fetches.delete(serial)
  install(child, copies, parcels, fetched, { serial, freshAt: fetched.sentAt, moment: fetched.moment })
  for (let offset = 0; offset < fetched.range.count; offset++) {
    endFetch(child, (fetched.range.first + offset) as PageIndex, serial)
  }
  child.isStirred = true
}

/** A lock has its turn. */
export function onGranted(
  child: ChildState,
  serial: number,
  copies: readonly CopyStamp[],
  parcels: readonly ParcelId[],
): void {
  for (const waiting of child.waiting.values()) {
    if (waiting.serial !== serial || waiting.hasTurn) continue
    waiting.hasTurn = true
    if (copies.length > 0) waiting.validFrom = serial
    install(child, copies, parcels, waiting, { serial, freshAt: waiting.askedAt, moment: serial })
    child.isStirred = true
    return
  }
  disown(child, copies)
}

interface Answer {
  readonly serial: number
  readonly freshAt: number
  readonly moment: number
}

/** What the answer is about. */
interface Asked {
  readonly range: PageRange
  readonly known: readonly number[]
}

function install(
  child: ChildState,
  copies: readonly CopyStamp[],
  parcels: readonly ParcelId[],
  asked: Asked,
  { serial, freshAt, moment }: Answer,
): void {
  let next = 0
  for (const { page: index, version, hasBytes } of copies) {
    const page = child.page(index)
    const parcel = hasBytes ? parcels[next++] : undefined
    if (parcel !== undefined) {
      child.effects.push({ kind: 'apply', page: index, parcel })
      page.version = version
    } else if (page.version !== noBytes && page.version === asked.known[index - asked.range.first]) {
      // What is here is what the home has, which tells it under another version by now.
      page.version = version
    }
    // Without the bytes that the answer takes for known, there is nothing to use, and whoever waits asks again.
    page.isTracked = page.version === version
    if (!page.isTracked) continue
    page.validatedBy = Math.max(page.validatedBy, serial)
    page.freshAt = Math.max(page.freshAt, freshAt)
    page.isTakenAway = false
    page.moment = moment
  }
}

/**
 * A turn that is not wanted any more has crossed its return. The home counts on copies as it has said, and they are not
 * taken: as the copies here may be others, they are not to be used, and the home is told unless it will hear more of them.
 */
function disown(child: ChildState, copies: readonly CopyStamp[]): void {
  const dropped: PageIndex[] = []
  for (const { page: index, version } of copies) {
    const page = child.page(index)
    if (page.isTracked && page.version === version) continue
    page.isTracked = false
    page.validatedBy = 0
    if (!isAskedAbout(child, page) && page.commits === 0) dropped.push(index)
    child.forgetIfIdle(page)
  }
  if (dropped.length > 0) child.send({ kind: 'drop', pages: dropped })
  child.isStirred = true
}

/** Keeps what came until the final part is here: what belongs together is applied together. */
export function gather(
  child: ChildState,
  numbers: readonly number[],
  changes: readonly PageChange[],
  parcels: readonly ParcelId[],
): void {
  child.pending ??= { numbers: [], changes: [], parcels: [] }
  child.pending.numbers.push(...numbers)
  child.pending.changes.push(...changes)
  child.pending.parcels.push(...parcels)
  for (const parcel of parcels) child.effects.push({ kind: 'keep', parcel })
}

/** Applies what was gathered. Answers the numbers of the commits that it ends. */
export function applyGathered(child: ChildState, freshAt: number): readonly number[] {
  const { pending } = child
  if (pending === undefined) return []
  child.pending = undefined
  const moment = child.nextSerial()
  // A page whose parts did not fit into one message comes more than once, with the same versions.
  const fitting = new Set<PageIndex>()
  for (const { page: index, base, version } of pending.changes) {
    const page = child.page(index)
    if (pending.numbers.length > 0) page.floor = Math.max(page.floor, version)
    if (page.version === base && base !== noBytes) fitting.add(index)
  }
  let next = 0
  for (const { page: index, parts } of pending.changes) {
    for (const part of parts) {
      const parcel = part === 'attached' ? pending.parcels[next++] : ownParcel(child, part, index)
      if (parcel !== undefined && fitting.has(index))
        child.effects.push({ kind: 'apply', page: index, parcel })
    }
  }
  for (const { page: index, version } of pending.changes) {
    const page = child.page(index)
    if (fitting.has(index)) {
      page.version = version
      page.freshAt = Math.max(page.freshAt, freshAt)
      page.isTakenAway = false
      page.moment = moment
    } else if (pending.numbers.length === 0) {
      page.isTracked = false
    }
    child.forgetIfIdle(page)
  }
  for (const parcel of pending.parcels) child.effects.push({ kind: 'forget', parcel })
  child.isStirred = true
  return pending.numbers
}

function ownParcel(child: ChildState, number: number, page: PageIndex): ParcelId | undefined {
  const commit = child.commits.get(number)
  return commit?.parcels[commit.pages.indexOf(page)]
}

/** Gives up what the update brought for nobody, for too long: who does not hold a copy need not be told. */
export function dropIdle(child: ChildState, changes: readonly PageChange[]): PageIndex[] {
  const dropped: PageIndex[] = []
  for (const index of new Set(changes.map(({ page }) => page))) {
    const page = child.pages.get(index)
    if (page?.isTracked !== true) continue
    page.idleUpdates += 1
    if (page.idleUpdates < idleUpdatesMax || isInUse(child, page)) continue
    child.effects.push({ kind: 'drop', page: index })
    letGo(child, page)
    dropped.push(index)
  }
  return dropped
}

/** Whether giving the copy up would harm somebody, or be taken back by an answer that is on its way. */
export function isInUse(child: ChildState, page: ChildPage): boolean {
  return isLocked(page) || page.commits > 0 || isAskedAbout(child, page)
}

/** There are no bytes here any more. What was written here must still be seen by locks to come. */
export function letGo(child: ChildState, page: ChildPage): void {
  page.version = noBytes
  page.isTracked = false
  page.validatedBy = 0
  page.freshAt = -Infinity
  page.isTakenAway = false
  page.floor = 0
  page.idleUpdates = 0
  child.forgetIfIdle(page)
}

export function onInvalidate(
  child: ChildState,
  serial: number,
  pages: readonly PageIndex[],
  when: 'now' | 'unused',
): void {
  for (const index of pages) {
    const page = child.pages.get(index)
    if (page === undefined) continue
    page.isTracked = false
    page.validatedBy = 0
    // Whatever its age: it is known to be too far behind, or is not to be used at all.
    page.freshAt = -Infinity
    if (when === 'unused') page.isTakenAway = true
  }
  if (when === 'unused') child.owedAcks.push({ serial, pages })
  else child.send({ kind: 'ack', serial, dropped: [] })
}

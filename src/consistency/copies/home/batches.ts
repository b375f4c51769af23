import type { SiteId } from '../../../address/identity.js'
import type { Version } from '../../../address/page.js'
import { nextVersion } from '../../../address/page.js'
import type { PageIndex } from '../../../address/page.js'
import type { ErrorCode } from '../../../stdx/errors.js'
import type { CommitId, CommittedPage, ParcelId } from '../../contract.js'
import { includes, messagePagesMax, noBytes } from '../message.js'
import { sendCommitted, sendUpdate } from './announcements.js'
import { failCommit, forgetLocal } from './commits.js'
import type { Batch, BatchChange, Commit, HomeState } from './home-state.js'

/*
 * A page's commits become durable one batch after the other. What came while a page was busy goes together into its next
 * batch, as one version: a hot page costs a flush, and a message to each holder, a batch, however many write it. A commit
 * is never split, so that commits which share a page share a batch; those that share none do not wait for each other.
 */

/** Starts as many batches as have their pages free. A commit waits for every earlier one that shares a page with it. */
export function startBatches(home: HomeState): void {
  if (home.inGrace || home.queue.length === 0) return
  const left: Commit[] = []
  const kept = new Set<PageIndex>()
  const groupOf = new Map<PageIndex, Set<Commit>>()
  for (const commit of home.queue) {
    if (commit.pages.some((page) => kept.has(page) || !isFree(home, page))) {
      left.push(commit)
      for (const page of commit.pages) kept.add(page)
    } else {
      join(groupOf, commit)
    }
  }
  home.queue = left
  for (const group of new Set(groupOf.values())) persist(home, [...group])
}

/** Not while it is in a batch, nor while its storage is taken away. Who lets go of it for that may still commit it. */
function isFree(home: HomeState, page: PageIndex): boolean {
  if (home.pages.get(page)?.isBusy === true) return false
  return !home.seizures.some(({ state, turn }) => state === 'held' && includes(turn.range, page))
}

/** Puts the commit into the group that its pages are in; if they are in several, these become one. */
function join(groupOf: Map<PageIndex, Set<Commit>>, commit: Commit): void {
  const group = new Set<Commit>()
  for (const page of commit.pages) for (const other of groupOf.get(page) ?? []) group.add(other)
  group.add(commit)
  for (const { pages } of group) for (const page of pages) groupOf.set(page, group)
}

/** `commits` in the order of arrival, as far as they share pages. */
function persist(home: HomeState, commits: readonly Commit[]): void {
  const partsOf = new Map<PageIndex, { readonly commit: Commit; readonly parcel: ParcelId }[]>()
  for (const commit of commits) {
    commit.pages.forEach((page, index) => {
      const parcel = commit.parcels[index]
      if (parcel === undefined) return
      const parts = partsOf.get(page)
      if (parts === undefined) partsOf.set(page, [{ commit, parcel }])
      else parts.push({ commit, parcel })
    })
  }
  const changes: BatchChange[] = []
  const committed: CommittedPage[] = []
  const by = writerOf(commits)
  for (const [index, parts] of partsOf) {
    const page = home.page(index)
    page.isBusy = true
    const version = nextVersion(page.version)
    changes.push({ page, base: page.version, version, parts })
    committed.push({ page: index, version, parcels: parts.map(({ parcel }) => parcel), by })
  }
  const id = home.nextCommit()
  home.batches.set(id, { id, commits, changes, unacknowledged: new Set(), state: 'persisting' })
  home.effects.push({ kind: 'persist', commit: id, pages: committed })
}

/** The child that wrote all of it, where it was one. */
function writerOf(commits: readonly Commit[]): SiteId | undefined {
  const writers = new Set(commits.map(({ origin }) => (origin.kind === 'child' ? origin.child : undefined)))
  return writers.size === 1 ? [...writers][0] : undefined
}

/** The batch is on stable storage. Holders of copies come before the writers. */
export function onDurable(home: HomeState, id: CommitId): void {
  const batch = home.batches.get(id)
  if (batch?.state !== 'persisting') return
  batch.state = 'durable'
  for (const { page, version } of batch.changes) page.version = version as Version
  for (const commit of batch.commits) {
    if (commit.turn !== undefined) home.table.remove(commit.turn)
    if (commit.origin.kind === 'local') forgetLocal(home, commit)
  }
  tellHolders(home, batch)
  home.isStirred = true
  if (home.policy.plantedBug === 'acknowledge-before-holders') batch.unacknowledged.clear()
  finishIfAcknowledged(home, batch)
}

/**
 * The batch did not happen. Those that were handed to storage after it have failed with it; each is told of, and keeps its
 * pages until then.
 */
export function onNotDurable(home: HomeState, id: CommitId, code: ErrorCode, message: string): void {
  const batch = home.batches.get(id)
  if (batch?.state !== 'persisting') return
  home.batches.delete(id)
  for (const commit of batch.commits) failCommit(home, commit, code, message)
  // The versions that it was to have may be used up.
  for (const { page } of batch.changes) page.version = home.site.versionOf(page.page)
  free(home, batch)
}

/**
 * Sends every holder what the policy wants it to have. The writers of a page hear of it when they are told that their own
 * commits are done: until then their locks on it wait anyway, and that saves them a message.
 */
function tellHolders(home: HomeState, batch: Batch): void {
  const told = new Map<SiteId, BatchChange[]>()
  for (const change of batch.changes) {
    const writers = writersOf(change)
    for (const [child, version] of change.page.holders) {
      if (writers.has(child) || !isToBeTold(home, version, change.version)) continue
      const changes = told.get(child)
      if (changes === undefined) told.set(child, [change])
      else changes.push(change)
    }
  }
  const [skipped] = home.policy.plantedBug === 'skip-an-update' ? told.keys() : []
  if (skipped !== undefined) told.delete(skipped)
  for (const [child, changes] of told) {
    const serial = home.owe(child, batch.unacknowledged, [])
    if (home.policy.holders.kind === 'update') {
      for (const { page, version } of changes) page.holders.set(child, version)
      sendUpdate(home, child, serial, changes)
    } else {
      invalidate(home, child, serial, changes)
    }
  }
}

function isToBeTold({ policy }: HomeState, version: number, newest: number): boolean {
  if (policy.holders.kind === 'update') return true
  return version !== noBytes && newest - version > policy.holders.versionsMax
}

/** One serial for all: it is sent with the last of the messages, and they arrive in order. */
function invalidate(home: HomeState, child: SiteId, serial: number, changes: readonly BatchChange[]): void {
  for (const { page } of changes) page.holders.set(child, noBytes)
  const pages = changes.map(({ page }) => page.page)
  for (let at = 0; at < pages.length; at += messagePagesMax) {
    const isLast = at + messagePagesMax >= pages.length
    const chunk = pages.slice(at, at + messagePagesMax)
    // Nobody waits for the acknowledgement of serial 0.
    home.send(child, { kind: 'invalidate', serial: isLast ? serial : 0, pages: chunk, when: 'now' })
  }
}

function writersOf({ parts }: BatchChange): Set<SiteId> {
  const writers = new Set<SiteId>()
  for (const { commit } of parts) if (commit.origin.kind === 'child') writers.add(commit.origin.child)
  return writers
}

/** Ends the batch once all holders have answered: now the writers may be told. */
export function finishIfAcknowledged(home: HomeState, batch: Batch): void {
  if (batch.state !== 'durable' || batch.unacknowledged.size > 0) return
  home.batches.delete(batch.id)
  const numbers = new Map<SiteId, number[]>()
  for (const { origin } of batch.commits) {
    if (origin.kind === 'local') {
      home.effects.push({
        kind: 'ended',
        commit: home.nextCommit(),
        ticket: origin.ticket,
        failure: undefined,
      })
    }
    if (origin.kind !== 'child') continue
    const known = numbers.get(origin.child)
    if (known === undefined) numbers.set(origin.child, [origin.number])
    else known.push(origin.number)
  }
  for (const [child, ended] of numbers) {
    const changes = batch.changes
      .filter((change) => writersOf(change).has(child))
      .map((change) => changeFor(child, change))
    if (home.policy.plantedBug !== 'acknowledge-before-durable') sendCommitted(home, child, ended, changes)
  }
  for (const { parcels } of batch.commits)
    for (const parcel of parcels) home.effects.push({ kind: 'forget', parcel })
  free(home, batch)
}

/** What takes a writer's own copy to the new version; without parts where its copy is not of the version before. */
function changeFor(child: SiteId, change: BatchChange): BatchChange {
  if (change.page.holders.get(child) !== change.base) return { ...change, base: noBytes, parts: [] }
  change.page.holders.set(child, change.version)
  return change
}

function free(home: HomeState, batch: Batch): void {
  for (const { page } of batch.changes) {
    page.isBusy = false
    home.forgetIfIdle(page)
  }
  home.isStirred = true
}

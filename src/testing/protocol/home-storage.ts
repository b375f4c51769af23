import { neverWritten, nextVersion } from '../../address/page.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { CommitId, MergeFunction } from '../../consistency/contract.js'
import { eraVersions, isNameOf } from '../../membership/home-group/era.js'
import { assert } from '../../stdx/assert.js'
import { demand } from './contract-violation.js'
import { changedBy } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'

interface StoredPage {
  readonly version: Version
  readonly bytes: Uint8Array
}

/** One page of a commit, with the bytes that the driver holds for it. */
export interface CommitWrite {
  readonly page: PageIndex
  readonly version: Version
  /** The whole page, or what changes the stored one. */
  readonly change:
    | { readonly kind: 'frame'; readonly bytes: Uint8Array }
    | { readonly kind: 'parcels'; readonly parcels: readonly Parcel[]; readonly how: 'apply' | 'merge' }
}

interface Group {
  readonly commit: CommitId
  readonly writes: readonly CommitWrite[]
  /** `first`: this one fails. `with`: one before it did. */
  failure: 'none' | 'first' | 'with'
}

/** A commit that has ended, and, where it did not fail, the pages that it stored. */
export interface EndedCommit {
  readonly commit: CommitId
  readonly hasFailed: boolean
  readonly stored: ReadonlyMap<PageIndex, Uint8Array>
  /** Of those, the ones that were changed by parcels. */
  readonly changed: ReadonlySet<PageIndex>
}

/** Stable storage at the home: it survives the home's crash, what still waits in its queue may not. */
export class HomeStorage {
  readonly #pageSize: number
  readonly #pages: number
  readonly #merge: MergeFunction | undefined
  readonly #stored = new Map<PageIndex, StoredPage>()
  /** Versions of pages that were freed, above all they had. */
  readonly #floors = new Map<PageIndex, Version>()
  readonly #freed = new Set<PageIndex>()
  #era = 0
  #queue: Group[] = []

  constructor(options: {
    readonly pageSize: number
    readonly pages: number
    readonly merge: MergeFunction | undefined
  }) {
    this.#pageSize = options.pageSize
    this.#pages = options.pages
    this.#merge = options.merge
  }

  /** Commits that have not ended. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Under which the page is told: of a later reign, whatever it is stored under. */
  versionOf(page: PageIndex): Version {
    return Math.max(this.#baseOf(page), this.#era * eraVersions) as Version
  }

  #baseOf(page: PageIndex): Version {
    return this.#stored.get(page)?.version ?? this.#floors.get(page) ?? neverWritten
  }

  isCurrent(page: PageIndex, version: number): boolean {
    return isNameOf(version, { base: this.#baseOf(page), told: this.versionOf(page) })
  }

  /** Another has taken the home's place, with what is durable. */
  beginReign(): void {
    this.#era += 1
  }

  /** A copy. */
  bytesOf(page: PageIndex): Uint8Array {
    return this.#stored.get(page)?.bytes.slice() ?? new Uint8Array(this.#pageSize)
  }

  isAllocated(range: PageRange): boolean {
    if (range.first + range.count > this.#pages) return false
    for (let page = range.first; page < range.first + range.count; page++) {
      if (this.#freed.has(page)) return false
    }
    return true
  }

  persist(commit: CommitId, writes: readonly CommitWrite[]): void {
    demand(writes.length > 0, `the home persists commit ${commit}, which has no pages`)
    demand(
      this.#queue.every((group) => group.commit !== commit),
      `the home persists two commits with the number ${commit} at once`,
    )
    const pages = new Set<PageIndex>()
    for (const write of writes) {
      demand(!pages.has(write.page), `the home persists page ${write.page} twice in commit ${commit}`)
      pages.add(write.page)
      this.#check(commit, write)
    }
    this.#queue.push({ commit, writes, failure: 'none' })
  }

  #check(commit: CommitId, { page, version, change }: CommitWrite): void {
    const range: PageRange = { first: page, count: 1 }
    demand(this.isAllocated(range), `the home persists page ${page}, which has no storage`)
    let last = this.versionOf(page)
    for (const group of this.#queue) {
      // One that fails with another has been given up, though its end was not told yet.
      if (group.failure !== 'none') continue
      for (const other of group.writes) {
        if (other.page !== page) continue
        if (other.version > last) last = other.version
        demand(
          change.kind === 'frame' || other.change.kind === 'frame',
          `the home persists page ${page} with parcels in commit ${commit}, while it is part of commit ${group.commit}, ` +
            'with parcels too',
        )
      }
    }
    demand(
      Number.isSafeInteger(version) && version > last,
      `the home persists version ${version} of page ${page}, which is not above ${last}`,
    )
  }

  /** The oldest commit ends: on the platter, unless it or one before it fails. Undefined where there is none. */
  endFirst(): EndedCommit | undefined {
    const group = this.#queue.shift()
    if (group === undefined) return undefined
    const { commit, failure, writes } = group
    const stored = new Map<PageIndex, Uint8Array>()
    const changed = new Set<PageIndex>()
    // What waits by now may have been written on top of it.
    if (failure === 'first') for (const later of this.#queue) later.failure = 'with'
    if (failure !== 'none') return { commit, hasFailed: true, stored, changed }
    for (const write of writes) {
      // Freed meanwhile: its record is before that of the freeing.
      if (write.version <= this.versionOf(write.page)) continue
      const bytes = this.#changed(write)
      this.#stored.set(write.page, { version: write.version, bytes })
      stored.set(write.page, bytes)
      if (write.change.kind === 'parcels') changed.add(write.page)
    }
    return { commit, hasFailed: false, stored, changed }
  }

  #changed({ page, change }: CommitWrite): Uint8Array {
    if (change.kind === 'frame') return change.bytes
    let bytes = this.bytesOf(page)
    for (const parcel of change.parcels) {
      if (change.how === 'apply') bytes = changedBy(bytes, parcel)
      else {
        assert(this.#merge !== undefined && parcel.kind === 'page', 'only whole pages are merged')
        bytes = this.#merge(bytes, parcel.bytes, page)
      }
    }
    return bytes
  }

  /** The oldest commit will fail, and those that wait behind it when it does. */
  fail(): void {
    const group = this.#queue[0]
    if (group?.failure === 'none') group.failure = 'first'
  }

  /** Power is cut: what waits is lost. */
  loseQueue(): void {
    this.#queue = []
  }

  free(page: PageIndex): void {
    let last = this.versionOf(page)
    for (const { writes } of this.#queue) {
      for (const write of writes) if (write.page === page && write.version > last) last = write.version
    }
    this.#floors.set(page, nextVersion(last))
    this.#stored.delete(page)
    this.#freed.add(page)
  }

  /** The pages have storage. Those that had none read as zeros, or as `fill` says. */
  allocate(range: PageRange, fill?: (page: PageIndex) => Uint8Array): void {
    for (let at = range.first; at < range.first + range.count; at++) {
      const page = at
      if (!this.#freed.delete(page) || fill === undefined) continue
      this.#stored.set(page, { version: this.versionOf(page), bytes: fill(page) })
    }
  }
}

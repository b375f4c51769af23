import assert from 'node:assert/strict'
import type { FenceMark } from '../../src/address/fence.js'
import { neverWritten, nextVersion } from '../../src/address/page.js'
import type { PageIndex, PageRange, Version } from '../../src/address/page.js'
import type { CommitId } from '../../src/consistency/contract.js'
import { eraVersions, isNameOf } from '../../src/membership/home-group/era.js'

/** A page's bytes, as far as the protocol's tests care. Null: never written, zeros. */
export type Value = string | null

export interface Write {
  readonly page: PageIndex
  readonly version: Version
  readonly value: Value
}

interface Group {
  readonly commit: CommitId
  readonly writes: readonly Write[]
  /** `first`: this one fails. `with`: one before it did. */
  failure: 'none' | 'first' | 'with'
}

/** The home's stable storage: it survives the home's crash, what still waits in its queue may not. */
export class CrewDisk {
  readonly #stored = new Map<PageIndex, Write>()
  readonly #zeros = new Map<PageIndex, Value>()
  /** Versions of pages that were freed, above all they had. */
  readonly #floors = new Map<PageIndex, Version>()
  readonly #freed = new Set<PageIndex>()
  #era = 0
  #versionsUsed = 0
  queue: Group[] = []
  #fences = 0

  /** Under which the page is told: of a later reign, whatever it is stored under. */
  versionOf(page: PageIndex): Version {
    return Math.max(this.#baseOf(page), this.#versionsUsed) as Version
  }

  #baseOf(page: PageIndex): Version {
    return this.#stored.get(page)?.version ?? this.#floors.get(page) ?? neverWritten
  }

  storedVersion(page: PageIndex): number | undefined {
    return this.#stored.get(page)?.version ?? (this.#floors.size === 0 ? neverWritten : undefined)
  }

  skipVersions(above: number): void {
    this.#versionsUsed = Math.max(this.#versionsUsed, above + 1)
  }

  isCurrent(page: PageIndex, version: number): boolean {
    return isNameOf(version, { base: this.#baseOf(page), told: this.versionOf(page) })
  }

  /** Another has taken the home's place, with what is durable. */
  beginReign(): void {
    this.#era += 1
    this.#versionsUsed = this.#era * eraVersions
  }

  beginFences(): FenceMark {
    const used = this.#fences
    return { used, limit: this.fenceLimit(used) }
  }

  /** Writes it down before it says so. */
  fenceLimit(used: number): number {
    this.#fences = Math.max(this.#fences, used + 2 ** 20)
    return this.#fences
  }

  valueOf(page: PageIndex): Value {
    const stored = this.#stored.get(page)
    return stored === undefined ? (this.#zeros.get(page) ?? null) : stored.value
  }

  isAllocated(range: PageRange): boolean {
    for (let page = range.first; page < range.first + range.count; page++) {
      if (this.#freed.has(page)) return false
    }
    return true
  }

  persist(commit: CommitId, writes: readonly Write[]): void {
    for (const { page } of writes) assert(!this.#freed.has(page), `page ${page} was written without storage`)
    this.queue.push({ commit, writes, failure: 'none' })
  }

  /** The oldest group reaches the platter, unless it has failed already. */
  endFirst(): { readonly commit: CommitId; readonly hasFailed: boolean } | undefined {
    const group = this.queue.shift()
    if (group === undefined) return undefined
    const { commit, failure, writes } = group
    if (failure === 'none') for (const write of writes) this.#stored.set(write.page, write)
    // What waits by now was written on top of it.
    if (failure === 'first') for (const later of this.queue) later.failure = 'with'
    return { commit, hasFailed: failure !== 'none' }
  }

  /** The oldest group will fail. */
  fail(): void {
    const group = this.queue[0]
    if (group?.failure === 'none') group.failure = 'first'
  }

  /** Power is cut: what waited is lost. */
  loseQueue(): void {
    this.queue = []
  }

  /** `zeros` is what the page reads as from now on: its own value for each freeing, so that readers tell them apart. */
  free(page: PageIndex, zeros: Value): void {
    this.#floors.set(page, nextVersion(this.versionOf(page)))
    this.#stored.delete(page)
    this.#zeros.set(page, zeros)
    this.#freed.add(page)
  }

  /** All that was freed has storage again. */
  allocateAll(): void {
    this.#freed.clear()
  }
}

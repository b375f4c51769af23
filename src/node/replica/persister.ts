import type { PageIndex, Version } from '../../address/page.js'
import type { CommitId, CommittedPage } from '../../consistency/contract.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { TransactionTag } from '../../wire/transaction-message.js'
import { changed } from './change.js'
import type { FrameTable } from './frame-table.js'
import type { HomeBacking, HomeWrite } from './home-backing.js'
import type { Parcel, ParcelTable } from './parcel-table.js'

export interface PersisterOptions {
  readonly backing: HomeBacking
  readonly frames: FrameTable
  readonly parcels: ParcelTable
  /** Whether frames' buffers may be used again once their pages are settled, which only `crew` tells of. */
  readonly buffers: 'used-again' | 'left-alone'
  /** Total: what the region's merge function cannot do is not done. */
  readonly merge: (mine: Uint8Array, theirs: Parcel, page: PageIndex) => Uint8Array
  readonly done: (commit: CommitId, failure: KhazanaError | undefined) => void
}

/** A page of a commit, with what changes it as the parcels were when the commit was begun. */
interface Change {
  readonly page: PageIndex
  readonly version: Version
  readonly how: 'apply' | 'merge'
  readonly by: CommittedPage['by']
  /** Undefined: the frame as it was then. */
  readonly parcels: readonly Parcel[] | undefined
  readonly bytes: Uint8Array | undefined
}

interface Commit {
  readonly commit: CommitId
  readonly changes: readonly Change[]
  readonly together: TransactionTag | undefined
}

/** A commit whose pages are being made. */
interface Preparation extends Commit {
  outcome:
    | { readonly kind: 'none' }
    | { readonly kind: 'ready'; readonly writes: readonly HomeWrite[] }
    | { readonly kind: 'failed'; readonly failure: KhazanaError }
}

/**
 * Makes commits durable at the home: frames as they are, or the stored pages with changes made to them. Storage gets them in
 * the order in which they were begun, however long each takes to be made: where one fails, those behind it can so be failed
 * with it, which is what managers are promised, before any of them is written.
 */
export class Persister {
  readonly #options: PersisterOptions
  /** What storage has not been given yet, in order. */
  #preparing: Preparation[] = []
  /** Pages whose frames hold, or held, more than what is stored. */
  readonly #ahead = new Set<PageIndex>()

  constructor(options: PersisterOptions) {
    this.#options = options
  }

  persist(commit: CommitId, pages: readonly CommittedPage[], together: TransactionTag | undefined): void {
    const isAsItIs = pages.every(({ parcels }) => parcels === undefined)
    const changes = pages.map((page) => this.#begin(page))
    if (isAsItIs && this.#preparing.length === 0) {
      const writes = changes.map(({ page, version, by, bytes }): HomeWrite => {
        return { page, version, by, bytes: present(bytes, 'the frame is what is written') }
      })
      this.#submit({ commit, changes, together }, writes)
      return
    }
    const preparation: Preparation = { commit, changes, together, outcome: { kind: 'none' } }
    this.#preparing.push(preparation)
    void this.#prepare(preparation)
  }

  /** The manager has changed the page's frame: it is not what is stored. */
  frameChanged(page: PageIndex): void {
    this.#ahead.add(page)
  }

  #begin({ page, version, how = 'apply', by, parcels: ids }: CommittedPage): Change {
    const { frames, parcels, buffers } = this.#options
    if (ids !== undefined) {
      return { page, version, how, by, parcels: ids.map((id) => parcels.get(id)), bytes: undefined }
    }
    const frame = present(frames.get(page), 'a written page is in memory')
    // The log has the bytes for a while after the frame has gone.
    if (buffers === 'left-alone') frame.isEscaped = true
    return { page, version, how, by, parcels: undefined, bytes: frame.bytes }
  }

  /** What is stored stays what locks here see until the change is durable. Never rejects. */
  async #prepare(preparation: Preparation): Promise<void> {
    const writes: HomeWrite[] = []
    try {
      for (const change of preparation.changes) writes.push(await this.#make(change))
      preparation.outcome = { kind: 'ready', writes }
    } catch (reason) {
      preparation.outcome = { kind: 'failed', failure: KhazanaError.from(reason) }
    }
    this.#submitReady()
  }

  #submitReady(): void {
    for (let next = this.#preparing[0]; next !== undefined; next = this.#preparing[0]) {
      const { commit, outcome } = next
      if (outcome.kind === 'none') return
      this.#preparing.shift()
      if (outcome.kind === 'ready') this.#submit(next, outcome.writes)
      else this.#fail(commit, outcome.failure)
    }
  }

  #submit({ commit, changes, together }: Commit, writes: readonly HomeWrite[]): void {
    const { frames, backing, done } = this.#options
    const persisted = (failure: KhazanaError | undefined): void => {
      if (failure !== undefined) {
        this.#fail(commit, failure)
        return
      }
      writes.forEach(({ page, bytes }, index) => {
        if (changes[index]?.parcels === undefined) return
        this.#ahead.delete(page)
        if (frames.get(page) !== undefined) frames.setShared(page, bytes)
      })
      done(commit, undefined)
    }
    backing.persist(writes, persisted, together)
  }

  /** Those that are being made rest on it. What is begun when that is told does not. */
  #fail(commit: CommitId, failure: KhazanaError): void {
    const behind = this.#preparing
    this.#preparing = []
    this.#options.done(commit, failure)
    for (const each of behind) this.#options.done(each.commit, failure)
  }

  async #make({ page, version, how, by, parcels, bytes: frame }: Change): Promise<HomeWrite> {
    const [first] = parcels ?? []
    const isWhole = how === 'apply' && first?.kind === 'page'
    let bytes = isWhole ? first.bytes : (frame ?? (await this.#read(page)))
    for (const parcel of (isWhole ? parcels?.slice(1) : parcels) ?? []) {
      bytes = how === 'merge' ? this.#options.merge(bytes, parcel, page) : changed(bytes, parcel)
    }
    return { page, version, by, bytes }
  }

  /** What is stored; the frame, where that is the same. */
  async #read(page: PageIndex): Promise<Uint8Array> {
    const { frames, backing } = this.#options
    if (this.#ahead.has(page)) {
      const stored = await backing.load(page)
      return stored?.bytes ?? new Uint8Array(frames.pageSize)
    }
    const frame = await frames.load(page)
    frame.pins -= 1
    // Changed while it came to memory.
    if (this.#ahead.has(page)) return this.#read(page)
    // Its buffer must outlive it, whatever becomes of the frame meanwhile.
    frame.isEscaped = true
    return frame.bytes
  }
}

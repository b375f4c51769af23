import type { PageIndex, Version } from '../../address/page.js'
import type { CommitId, CommittedPage, MergeFunction } from '../../consistency/contract.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { changed } from './change.js'
import type { FrameTable } from './frame-table.js'
import type { HomeBacking, HomeWrite } from './home-backing.js'
import type { Parcel, ParcelTable } from './parcel-table.js'

export interface PersisterOptions {
  readonly backing: HomeBacking
  readonly frames: FrameTable
  readonly parcels: ParcelTable
  readonly merge: MergeFunction
  readonly done: (commit: CommitId, failure: KhazanaError | undefined) => void
}

/** A page of a commit, with what changes it as the parcels were when the commit was begun. */
interface Change {
  readonly page: PageIndex
  readonly version: Version
  readonly how: 'apply' | 'merge'
  readonly by: CommittedPage['by']
  readonly parcels: readonly Parcel[]
}

/** Makes commits durable at the home: frames as they are, or the stored pages with changes made to them. */
export class Persister {
  readonly #options: PersisterOptions

  constructor(options: PersisterOptions) {
    this.#options = options
  }

  persist(commit: CommitId, pages: readonly CommittedPage[]): void {
    const { frames, parcels, backing, done } = this.#options
    if (pages.some((page) => page.parcels !== undefined)) {
      const changes = pages.map(({ page, version, how = 'apply', by, parcels: ids = [] }): Change => {
        return { page, version, how, by, parcels: ids.map((id) => parcels.get(id)) }
      })
      void this.#persistChanged(commit, changes)
      return
    }
    const writes = pages.map(({ page, version, by }): HomeWrite => {
      const frame = present(frames.get(page), 'a written page is in memory')
      return { page, version, by, bytes: frame.bytes }
    })
    backing.persist(writes, (failure) => {
      done(commit, failure)
    })
  }

  /** What is stored stays what locks here see until the change is durable. Never rejects. */
  async #persistChanged(commit: CommitId, changes: readonly Change[]): Promise<void> {
    const { frames, backing, done } = this.#options
    const writes: HomeWrite[] = []
    try {
      for (const change of changes) writes.push(await this.#change(change))
    } catch (reason) {
      done(commit, KhazanaError.from(reason))
      return
    }
    backing.persist(writes, (failure) => {
      if (failure === undefined) {
        for (const { page, bytes } of writes)
          if (frames.get(page) !== undefined) frames.setShared(page, bytes)
      }
      done(commit, failure)
    })
  }

  async #change({ page, version, how, by, parcels }: Change): Promise<HomeWrite> {
    const [first] = parcels
    const isWhole = how === 'apply' && first?.kind === 'page'
    let bytes = isWhole ? first.bytes : await this.#read(page)
    for (const parcel of isWhole ? parcels.slice(1) : parcels) {
      bytes = how === 'merge' ? this.#options.merge(bytes, parcel.bytes, page) : changed(bytes, parcel)
    }
    return { page, version, by, bytes }
  }

  async #read(page: PageIndex): Promise<Uint8Array> {
    const frame = await this.#options.frames.load(page)
    frame.pins -= 1
    // Its buffer must outlive it, whatever becomes of the frame meanwhile.
    frame.isEscaped = true
    return frame.bytes
  }
}

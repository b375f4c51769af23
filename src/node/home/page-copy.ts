import type { PageIndex } from '../../address/page.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { TransferredPage } from '../../wire/transfer-message.js'
import type { RegionWatchers } from '../watch/region-watchers.js'

/** Bytes of pages sent at once: small enough that leases are renewed between two on a slow link. */
const chunkBytesMax = 1024 * 1024
/** Chunks that are sent and not answered. */
const chunksInFlightMax = 2
/** How often what was changed meanwhile is copied before the region is brought to rest for the remainder. */
const roundsMax = 5

export interface PageChunk {
  readonly pages: readonly TransferredPage[]
  readonly bytes: readonly Uint8Array[]
}

export interface PageCopyOptions {
  readonly store: Pick<Store, 'pagesOf' | 'read'>
  readonly space: SpaceId
  readonly pageSize: number
  /** Of all pages of the region. */
  readonly pageCount: number
  /** Tells of each page that becomes durable. */
  readonly watchers: RegionWatchers
  /** Resolves when the other side has made them durable. */
  readonly send: (chunk: PageChunk) => Promise<void>
}

/**
 * Copies the stored pages of a region while it is in use: all of them, then again and again those that were changed meanwhile,
 * until they are few; the rest when the region is at rest. Throws `damaged` for a page that cannot be read, and what sending
 * throws. Nothing must be freed meanwhile.
 */
export class PageCopy {
  readonly #options: PageCopyOptions
  readonly #chunkPages: number
  /** Stored since they were read. */
  readonly #changed = new Set<PageIndex>()
  readonly #unwatch: () => void
  pagesDone = 0
  pagesTotal = 0

  constructor(options: PageCopyOptions) {
    this.#options = options
    this.#chunkPages = Math.max(1, Math.floor(chunkBytesMax / options.pageSize))
    this.#unwatch = options.watchers.add(
      { first: 0 as PageIndex, count: options.pageCount },
      {
        changes: (changes) => {
          for (const { page } of changes) this.#changed.add(page)
        },
        dropped: () => undefined,
        ended: () => undefined,
        moved: () => undefined,
      },
    )
  }

  /** While the region is in use. */
  async copy(): Promise<void> {
    const { store, space } = this.#options
    await this.#send(Array.from(store.pagesOf(space), ({ page }) => page))
    for (let round = 1; round < roundsMax && this.#changed.size > this.#chunkPages; round++)
      await this.#sendChanged()
  }

  /** When it is at rest: afterwards the other side has all. */
  finish(): Promise<void> {
    return this.#sendChanged()
  }

  stop(): void {
    this.#unwatch()
  }

  #sendChanged(): Promise<void> {
    return this.#send([...this.#changed])
  }

  async #send(pages: readonly PageIndex[]): Promise<void> {
    this.pagesTotal += pages.length
    const inFlight: Promise<void>[] = []
    for (let start = 0; start < pages.length; start += this.#chunkPages) {
      const chunk = await this.#read(pages.slice(start, start + this.#chunkPages))
      if (inFlight.length >= chunksInFlightMax) await inFlight.shift()
      const sent = this.#options.send(chunk).then(() => {
        this.pagesDone += chunk.pages.length
      })
      // It is waited for below, or behind a failure that is told before it.
      sent.catch(() => undefined)
      inFlight.push(sent)
    }
    await Promise.all(inFlight)
  }

  async #read(pages: readonly PageIndex[]): Promise<PageChunk> {
    const { store, space } = this.#options
    // Before they are read: what is stored from now on may not be what is found.
    for (const page of pages) this.#changed.delete(page)
    const found = await Promise.all(pages.map((page) => store.read(space, page)))
    const chunk = { pages: [] as TransferredPage[], bytes: [] as Uint8Array[] }
    found.forEach((stored, index) => {
      const page = pages[index]
      if (stored === undefined || page === undefined) return
      chunk.pages.push({ page, version: stored.version })
      chunk.bytes.push(stored.bytes)
    })
    return chunk
  }
}

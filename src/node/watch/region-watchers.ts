import type { NodeId, SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { PageChange } from '../../wire/message.js'
import type { HomeWatchSink } from './watch-sink.js'

interface Watcher {
  readonly pages: PageRange
  readonly sink: HomeWatchSink
}

/** A page that has become durable; without `by`, the home wrote it. */
export interface DurablePage {
  readonly page: PageIndex
  readonly version: Version
  readonly by?: SiteId | undefined
}

/**
 * At the home: who watches one region. Each commit looks at every watcher, which is no more than a comparison for those
 * of other pages; an index of ranges would pay only with thousands of watchers of one region.
 */
export class RegionWatchers {
  readonly #watchers = new Set<Watcher>()

  /** From now on the sink is told of these pages, until the function that is returned is called. */
  add(pages: PageRange, sink: HomeWatchSink): () => void {
    const watcher = { pages, sink }
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  /** A commit has become durable. */
  committed(written: readonly DurablePage[], home: NodeId): void {
    for (const { pages, sink } of this.#watchers) {
      const changes: PageChange[] = []
      for (const { page, version, by = home } of written) {
        if (page >= pages.first && page < pages.first + pages.count) changes.push({ page, version, by })
      }
      if (changes.length > 0) sink.changes(changes)
    }
  }

  /** The region is no more. */
  end(error: KhazanaError): void {
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const { sink } of watchers) sink.ended(error)
  }

  /** Another node is its home. */
  moved(): void {
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const { sink } of watchers) sink.moved()
  }
}

import type { PageIndex, PageRange } from '../address/page.js'
import { PageTable } from './page-table.js'
import type { SpaceId } from './space.js'

/** The index: a table of pages for each space. Rebuilt from the log at open; never written. */
export class PageMap {
  readonly #tables = new Map<SpaceId, PageTable>()

  table(space: SpaceId): PageTable | undefined {
    return this.#tables.get(space)
  }

  tableForWriting(space: SpaceId): PageTable {
    let table = this.#tables.get(space)
    if (table === undefined) {
      table = new PageTable()
      this.#tables.set(space, table)
    }
    return table
  }

  spaces(): IterableIterator<SpaceId> {
    return this.#tables.keys()
  }

  delete(space: SpaceId, page: PageIndex): void {
    const table = this.#tables.get(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0) return
    table.delete(entry)
    if (table.size === 0) this.#tables.delete(space)
  }

  /** The pages of the range that are there: a copy, so that they may be deleted while it is walked. */
  pagesIn(space: SpaceId, range: PageRange): PageIndex[] {
    const table = this.#tables.get(space)
    if (table === undefined) return []
    const found: PageIndex[] = []
    if (range.count <= table.size) {
      for (let page = range.first; page < range.first + range.count; page++) {
        if (table.find(page) >= 0) found.push(page)
      }
      return found
    }
    for (let entry = 0; entry < table.capacity; entry++) {
      if (!table.isUsed(entry)) continue
      const page = table.pageAt(entry)
      if (page >= range.first && page < range.first + range.count) found.push(page)
    }
    return found
  }
}

import type { GroupBug } from './group-bug.js'

/**
 * What a synchronisation must leave alone, at the backup: pages that came by a commit since it began. The primary may have read what
 * it compares before it took that commit. `K` names a page, or a region's record.
 */
export class TouchedPages<K> {
  readonly #touched = new Set<K>()
  readonly #bug: GroupBug | undefined

  constructor(bug?: GroupBug) {
    this.#bug = bug
  }

  /** By a commit, which is always newer. */
  touch(page: K): void {
    this.#touched.add(page)
  }

  /** Whether what the comparison says of the page, also that there is none, is to be taken. */
  takes(page: K): boolean {
    return this.#bug === 'overwrite-touched' || !this.#touched.has(page)
  }
}

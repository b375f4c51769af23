import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { PageIndex, PageRange } from '../../address/page.js'

/**
 * Finds what belongs to a lock by what the lock's end names: its terms, pages and mode. Locks that are alike in all of
 * these may share one terms object; they are as good as each other then.
 */
export class TermsTable<T extends { readonly range: PageRange; readonly mode: LockMode }> {
  readonly #byTerms = new Map<LockTerms, T[]>()

  add(terms: LockTerms, item: T): void {
    const items = this.#byTerms.get(terms)
    if (items === undefined) this.#byTerms.set(terms, [item])
    else items.push(item)
  }

  /** Takes one out. Undefined where there is none. */
  take(terms: LockTerms, first: PageIndex, count: number, mode: LockMode): T | undefined {
    const items = this.#byTerms.get(terms) ?? []
    const at = items.findIndex(
      (item) => item.range.first === first && item.range.count === count && item.mode === mode,
    )
    if (at < 0) return undefined
    const [item] = items.splice(at, 1)
    if (items.length === 0) this.#byTerms.delete(terms)
    return item
  }

  *[Symbol.iterator](): Generator<T> {
    for (const items of this.#byTerms.values()) yield* items
  }
}
